"""One time that has come: who does it, what they may say about it, and its end whatever they do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.errors import ParleyError, ScheduleError

if TYPE_CHECKING:
    from datetime import datetime

    from core.clock import Clock
    from core.store.schedules import Outcome, Schedule
    from core.tasks import Tasks

_log = logging.getLogger(__name__)

BROKEN = "Something went wrong on my side, and it is in the log."
OVERDUE = "It did not end within {deadline:g} s, and was given up."
HALF = " Part of it may have been done."
UNWIND_S = 1.0  # for one that is given up; one that does not end then is left to itself


class NotNow(ScheduleError):
    """It cannot be done just now: it stays due, and is tried again as long as it is not too late."""


class Withdrawn(ScheduleError):
    """It may not be done any more: its schedule is paused, and the sentence says why."""


@dataclass(slots=True, eq=False)
class Firing:
    """One time of a schedule that is being done.

    Attributes:
        schedule: What, as it is now.
        due: The time that it is done for.
        late_s: How late it is, in seconds.
    """

    schedule: Schedule
    due: datetime
    late_s: float
    committed: bool = field(default=False)

    @property
    def key(self) -> str:
        """Names this one time of this schedule, and no other."""
        return f"{self.schedule.id}@{self.due.isoformat()}"

    def commit(self) -> None:
        """Say that from here on something is seen of it: it is not broken off for later any more."""
        self.committed = True


Handler = Callable[[Firing], Awaitable[str]]
"""Does it; gives a sentence about how it went, or an empty string.

What it raises as a `ParleyError` is told in the list; `NotNow` and `Withdrawn` as they say.
"""
Gate = Callable[["Schedule"], str]
"""Why something of this kind has to wait, as part of a sentence (“I am in a voice channel”); empty if it need not."""


@dataclass(frozen=True, slots=True)
class DueKind:
    """Who does what is of one kind."""

    name: str
    handler: Handler
    deadline_s: float
    gate: Gate | None = None


@dataclass(frozen=True, slots=True)
class FiringEnd:
    """How a firing ended."""

    outcome: Outcome
    detail: str = ""
    again: bool = False  # it is still due
    pause: bool = False


async def carry_out(kind: DueKind, firing: Firing, clock: Clock, tasks: Tasks) -> FiringEnd:
    """Do it, within its time.

    It always ends: also if the handler raises, hangs, or does not mind being cancelled.
    """
    doing = tasks.start(_told(kind.handler, firing), f"fire {firing.key}")
    waiting = tasks.start(clock.sleep(kind.deadline_s), f"deadline {firing.key}")
    try:
        await asyncio.wait((doing, waiting), return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        doing.cancel()
        await asyncio.wait((doing,), timeout=UNWIND_S)
        _log.warning("schedule %s took longer than %g s", firing.key, kind.deadline_s)
        return FiringEnd("overdue", OVERDUE.format(deadline=kind.deadline_s) + (HALF if firing.committed else ""))
    finally:
        doing.cancel()
        waiting.cancel()


async def _told(handler: Handler, firing: Firing) -> FiringEnd:
    """What the handler does, as an end."""
    try:
        return FiringEnd("done", await handler(firing))
    except NotNow as error:
        return FiringEnd("", error.sentence, again=not firing.committed)
    except Withdrawn as error:
        return FiringEnd("failed", error.sentence, pause=True)
    except ParleyError as error:
        _log.info("schedule %s: %s", firing.key, error.sentence, exc_info=error.__cause__)
        return FiringEnd("failed", error.sentence)
    except Exception:  # noqa: BLE001 - told in the list, and in the log with its cause
        _log.exception("schedule %s failed", firing.key)
        return FiringEnd("failed", BROKEN)

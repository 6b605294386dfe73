"""`runtime.schedules`: what is done at a time. Any room may add schedules of a kind of its own, and do them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from core.errors import ScheduleError
from core.handles import Handle
from core.schedule.clockwork import Clockwork
from core.schedule.firing import DueKind
from core.schedule.planning import follows
from core.schedule.table import Table
from core.schedule.wording import understand
from core.schedule.zones import zone_named
from core.store.schedules import Schedule, SchedulesRepository
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from core.clock import Clock
    from core.config.schedule import ScheduleSection
    from core.schedule.firing import Gate, Handler
    from core.schedule.wording import Understood
    from core.store.schedules import Late
    from core.store.store import Store

_log = logging.getLogger(__name__)

TIDY_S = 3600.0
FULL = "This server has {count} schedules already, and {most} is the most. Remove one with `/schedule remove` first."
OVER = "That schedule is over: its time does not come again. Add a new one with `/schedule add`."
TAKEN = "Schedules of the kind “{kind}” are done by somebody else already."


class Schedules:
    """Keeps schedules, and has each done when its time comes by whoever does its kind."""

    def __init__(self, section: ScheduleSection, store: Store, clock: Clock) -> None:
        """Nothing is read before `open`."""
        self._section = section
        self._repository = SchedulesRepository(store)
        self._clock = clock
        self._table = Table(self._repository, section.zone)
        self._clockwork = Clockwork(self._table, clock, at_once=section.at_once, over=self._gone)
        self._adding = asyncio.Lock()
        self._tasks = Tasks("schedules")
        self._gone_handlers: list[Callable[[Schedule], object]] = []

    async def open(self) -> None:
        """Read what there is, and look from now on what is due.

        Raises:
            StoreError: It cannot be read.
        """
        await self._table.open()
        await self._clockwork.mend(self._clock.now())
        self._clockwork.start()
        self._tasks.start(self._keep_tidy(), "tidy")

    async def close(self) -> None:
        """Do nothing more; what is due meanwhile is late at the next start."""
        await self._tasks.cancel_all()
        await self._clockwork.close()

    # Kinds ------------------------------------------------------------------------------------------------------------

    def handle(
        self, kind: str, handler: Handler, *, deadline_s: float | None = None, gate: Gate | None = None
    ) -> Handle:
        """Do schedules of a kind from now on, until the handle is ended; those that are due meanwhile wait.

        Args:
            kind: Its name.
            handler: Does one; it is given the `Firing`, and calls its `commit` just before anything is seen of it.
            deadline_s: How long one may take; `[schedule] deadline_s` by default.
            gate: Asked before each one why it has to wait, and again until it need not.

        Raises:
            ScheduleError: Somebody else does this kind.
        """
        if kind in self._clockwork.kinds:
            raise ScheduleError(TAKEN.format(kind=kind))
        new = DueKind(kind, handler, deadline_s or self._section.deadline_s, gate)
        self._clockwork.kinds[kind] = new
        self._clockwork.nudge()

        def leave() -> None:
            if self._clockwork.kinds.get(kind) is new:
                del self._clockwork.kinds[kind]

        return Handle(leave, f"schedules of the kind {kind}")

    def on_gone(self, callback: Callable[[Schedule], object]) -> Handle:
        """Tell somebody of each schedule that was removed or is over; for what they keep for it."""
        self._gone_handlers.append(callback)
        return Handle(lambda: self._gone_handlers.remove(callback), "keeper of schedules' things")

    def interrupt(self, kinds: Collection[str], why: str) -> int:
        """Break off what is being done of these kinds, as far as nothing was seen of it; it stays due."""
        return self._clockwork.interrupt(frozenset(kinds), why)

    def look(self) -> None:
        """Look now what is due: a gate may have opened."""
        self._clockwork.nudge()

    # Schedules --------------------------------------------------------------------------------------------------------

    async def understand(self, text: str, guild_id: int | None) -> Understood:
        """What somebody means by a time, in the zone of their server.

        Raises:
            ScheduleError: It is not understood, over, or too often.
        """
        shortest_s = self._section.shortest_min * 60
        return await asyncio.to_thread(understand, text, self._clock.now(), self.zone(guild_id), shortest_s=shortest_s)

    async def add(
        self,
        kind: str,
        rule: str,
        what: Mapping[str, Any],
        *,
        wording: str = "",
        guild_id: int | None = None,
        channel_id: int | None = None,
        added_by: int | None = None,
        late: Late | None = None,
        grace_s: int | None = None,
    ) -> Schedule:
        """Add one; `rule` is the text of a rule of `core.schedule.rules`.

        Raises:
            ScheduleError: The server has as many as it may have, or the time is over.
            StoreError: It cannot be written.
        """
        now = self._clock.now()
        new = Schedule(
            0,
            guild_id,
            channel_id,
            added_by,
            now,
            kind,
            what,
            wording,
            rule,
            late or self._section.late,
            self._section.grace_min * 60 if grace_s is None else grace_s,
        )
        new = replace(new, next_at=follows(new, now, self.zone(guild_id)))
        if new.next_at is None:
            raise ScheduleError(OVER)
        async with self._adding:
            self._require_room(guild_id)
            (added,) = await self._table.add([new])
        self._clockwork.nudge()
        return added

    def require_room(self, guild_id: int) -> None:
        """Refuse where a server has as many schedules as it may have.

        Raises:
            ScheduleError: It has.
        """
        self._require_room(guild_id)

    def _require_room(self, guild_id: int | None) -> None:
        most = self._section.per_server
        count = sum(each.guild_id == guild_id and each.state != "over" for each in self._table.all())
        if guild_id is not None and count >= most:
            raise ScheduleError(FULL.format(count=count, most=most))

    def get(self, schedule_id: int) -> Schedule | None:
        """One by its number, or None."""
        return self._table.get(schedule_id)

    def all(self) -> list[Schedule]:
        """Every schedule of every server, oldest first."""
        return self._table.all()

    def of(self, guild_id: int | None, kinds: Collection[str] | None = None) -> list[Schedule]:
        """Those of a server, the next to be done first; those that are over come last."""
        found = [each for each in self._table.all() if each.guild_id == guild_id and (not kinds or each.kind in kinds)]
        return sorted(found, key=_order)

    def waits(self, schedule_id: int) -> str:
        """What keeps a schedule that is due, as part of a sentence; empty if nothing does."""
        return self._clockwork.waits(schedule_id)

    async def remove(self, schedule: Schedule) -> None:
        """Take one away; one that is being done comes to its end.

        Raises:
            StoreError: It cannot be written.
        """
        await self._table.remove([schedule])
        self._gone(schedule)

    async def pause(self, schedule: Schedule, why: str = "") -> Schedule:
        """Let one rest until it is resumed.

        Raises:
            ScheduleError: It is over.
            StoreError: It cannot be written.
        """
        if schedule.state == "over":
            raise ScheduleError(OVER)
        return await self._table.change(schedule, state="paused", reason=why)

    async def resume(self, schedule: Schedule, *, by: int | None = None) -> Schedule:
        """Let one go on, from its next time on, and by the rights of who resumes it.

        Raises:
            ScheduleError: Its only time has passed.
            StoreError: It cannot be written.
        """
        next_at = follows(schedule, self._clock.now(), self.zone(schedule.guild_id))
        if next_at is None or schedule.state == "over":
            raise ScheduleError(OVER)
        added_by = schedule.added_by if by is None else by
        changed = await self._table.change(schedule, state="active", reason="", next_at=next_at, added_by=added_by)
        self._clockwork.nudge()
        return changed

    def zone(self, guild_id: int | None) -> ZoneInfo:
        """The time zone of a server."""
        return self._table.zone(guild_id)

    async def set_zone(self, guild_id: int, name: str) -> tuple[ZoneInfo, int]:
        """Give a server a time zone; what repeats by the clock follows. Gives the zone, and how many that were.

        Raises:
            ScheduleError: There is no such zone.
            StoreError: It cannot be written.
        """
        zone = await asyncio.to_thread(zone_named, name)
        await self._table.set_zone(guild_id, zone)
        now, moved = self._clock.now(), 0
        for each in self.of(guild_id):
            if each.state == "over" or not each.rule.startswith(("cron", "days")):
                continue
            next_at = follows(each, now, zone)
            if next_at is not None and next_at != each.next_at:
                await self._table.change(each, next_at=next_at)
                moved += 1
        self._clockwork.nudge()
        return zone, moved

    async def settled(self) -> None:
        """Wait until nothing is being done or waits in line."""
        await self._clockwork.settle()

    async def remove_of(self, user_id: int, until: datetime) -> int:
        """Remove what somebody added up to a moment: it is done by that person's rights. Gives how many that were.

        Raises:
            StoreError: They cannot be removed.
        """
        found = [each for each in self._table.all() if each.added_by == user_id and each.added_at <= until]
        await self._remove_all(found)
        return len(found)

    # Inside -----------------------------------------------------------------------------------------------------------

    async def _remove_all(self, schedules: Iterable[Schedule]) -> None:
        found = list(schedules)
        if found:
            await self._table.remove(found)
        for each in found:
            self._gone(each)

    def _gone(self, schedule: Schedule) -> None:
        for callback in tuple(self._gone_handlers):
            try:
                callback(schedule)
            except Exception:  # noqa: BLE001 - the schedule is gone all the same; the log has the cause
                _log.exception("what was kept for schedule %d could not be let go", schedule.id)

    async def _keep_tidy(self) -> None:
        """Forget schedules that have been over for long."""
        keep = timedelta(days=self._section.keep_over_days)
        while True:
            now = self._clock.now()
            await self._remove_all(
                each for each in self._table.all() if each.state == "over" and (each.last_end or now) < now - keep
            )
            await self._clock.sleep(TIDY_S)


def _order(schedule: Schedule) -> tuple[bool, float, int]:
    next_s = schedule.next_at.timestamp() if schedule.next_at is not None else 0.0
    return schedule.state == "over", next_s, schedule.id

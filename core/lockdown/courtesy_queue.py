"""Small courtesies at a pace Discord allows: reactions and notices that may be late, or left out, but never pile up."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from core.clock import Clock

_log = logging.getLogger(__name__)

INTERVAL_S = 0.5
LIMIT = 30


class CourtesyQueue:
    """Runs courtesies one after another. Past `limit` waiting ones, those that may be left out are."""

    def __init__(self, clock: Clock, *, interval_s: float = INTERVAL_S, limit: int = LIMIT) -> None:
        self.skipped = 0
        self._clock = clock
        self.interval_s = interval_s
        self._limit = limit
        self._waiting: deque[Callable[[], Awaitable[object]]] = deque()
        self._tasks = Tasks("courtesies")

    def put(self, courtesy: Callable[[], Awaitable[object]], *, dispensable: bool) -> bool:
        """Do something soon; never waits, never raises. Returns whether it will be done, or is left out.

        A courtesy that has become needless returns False, and the next one follows at once.
        """
        if dispensable and len(self._waiting) >= self._limit:
            self.skipped += 1
            return False
        self._waiting.append(courtesy)
        self._tasks.start(self._work(), "work")
        return True

    @property
    def idle(self) -> bool:
        """Whether everything is done."""
        return not self._waiting and not self._tasks.running("work")

    async def close(self) -> None:
        """Leave out what waits."""
        self._waiting.clear()
        await self._tasks.cancel_all()

    async def _work(self) -> None:
        while self._waiting:
            courtesy = self._waiting.popleft()
            try:
                if await courtesy() is False:
                    continue
            except Exception as error:  # noqa: BLE001 - a reaction or notice that Discord refuses is no reason to stop
                _log.info("a courtesy could not be done: %s", error)
            await self._clock.sleep(self.interval_s)

"""Whose sound becomes text next: what is said live, then captions, then recordings; the newest look at an utterance."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.errors import HearingError
from core.hearing.transcriber import Superseded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from core.hearing.transcriber import Purpose

URGENCY: dict[Purpose, int] = {"live": 0, "captions": 1, "recording": 2}
NEWER = "A newer look at what is being said took the place of this one."
CLOSED = "Hearing is being stopped, so that was not understood."


@dataclass(eq=False, slots=True)
class _Waiting:
    urgency: int
    serial: int
    replaces: str
    turn: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Turns:
    """Lets so many at once do their work, the most urgent first; who is cancelled while waiting costs nothing."""

    def __init__(self, places: int) -> None:
        self._free = max(1, places)
        self._waiting: list[_Waiting] = []
        self._serial = 0
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many have not begun."""
        return len(self._waiting)

    @asynccontextmanager
    async def turn(self, purpose: Purpose, replaces: str = "") -> AsyncGenerator[None, None]:
        """Wait for a place, and have it inside of the context.

        Raises:
            Superseded: Another came with the same `replaces` before this one began.
            HearingError: `close` was called.
        """
        if self._closed:
            raise HearingError(CLOSED)
        await self._begin(_Waiting(URGENCY[purpose], self._serial, replaces))
        try:
            yield
        finally:
            self._free += 1
            self._hand_out()

    def close(self) -> None:
        """Nobody begins any more."""
        self._closed = True
        for each in self._waiting:
            each.turn.set_exception(HearingError(CLOSED))
        self._waiting.clear()

    async def _begin(self, mine: _Waiting) -> None:
        self._serial += 1
        for older in [each for each in self._waiting if mine.replaces and each.replaces == mine.replaces]:
            self._waiting.remove(older)
            mine.serial = min(mine.serial, older.serial)  # it keeps the place in the queue
            older.turn.set_exception(Superseded(NEWER))
        self._waiting.append(mine)
        self._hand_out()
        try:
            await mine.turn
        except asyncio.CancelledError:
            if mine in self._waiting:
                self._waiting.remove(mine)
            elif mine.turn.done() and not mine.turn.cancelled() and mine.turn.exception() is None:
                self._free += 1
                self._hand_out()
            raise

    def _hand_out(self) -> None:
        while self._waiting and self._free:
            mine = min(self._waiting, key=lambda each: (each.urgency, each.serial))
            self._waiting.remove(mine)
            if not mine.turn.done():
                self._free -= 1
                mine.turn.set_result(None)

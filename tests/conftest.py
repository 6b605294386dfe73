"""What tests share: a clock that only moves when told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


class ManualClock:
    """A clock for tests: `advance` moves it and wakes who slept until then."""

    def __init__(self) -> None:
        self._now = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        return self._now

    def now(self) -> datetime:
        return START + timedelta(seconds=self._now)

    async def sleep(self, duration_s: float) -> None:
        if duration_s <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + duration_s, woken))
        await woken

    async def advance(self, duration_s: float) -> None:
        """Move on, stopping at every moment somebody waits for."""
        until = self._now + duration_s
        await self._settle()
        while due := [sleeper for sleeper in self._sleepers if sleeper[0] <= until]:
            first = min(due, key=lambda sleeper: sleeper[0])
            self._sleepers.remove(first)
            self._now = max(self._now, first[0])
            if not first[1].done():
                first[1].set_result(None)
            await self._settle()
        self._now = until
        await self._settle()

    async def _settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()

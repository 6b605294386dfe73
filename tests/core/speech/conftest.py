"""What the tests of speech share: a clock that moves when told, text that comes in pieces, and sound to look at."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from core.speech.engine import SpeechChunk


class VirtualClock:
    """Time that passes only in `advance`."""

    def __init__(self) -> None:
        self.time_s = 1000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        return self.time_s

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.time_s)

    async def sleep(self, duration_s: float) -> None:
        alarm = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.time_s + duration_s, alarm))
        await alarm

    async def advance(self, duration_s: float) -> None:
        """Let time pass in small steps, waking everybody whose time has come."""
        end_s = self.time_s + duration_s
        while self.time_s < end_s - 1e-9:
            self.time_s = min(end_s, self.time_s + 0.01)
            for sleeper in [sleeper for sleeper in self._sleepers if sleeper[0] <= self.time_s + 1e-9]:
                self._sleepers.remove(sleeper)
                if not sleeper[1].done():
                    sleeper[1].set_result(None)
            await settle()


async def settle() -> None:
    """Let everything run that can run now."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def tokens() -> Callable[..., AsyncIterator[str]]:
    """Text as a model writes it: word by word, with a little time between."""

    async def written(text: str, gap_s: float = 0.0) -> AsyncIterator[str]:
        for piece in text.split(" "):
            await asyncio.sleep(gap_s)
            yield f"{piece} "

    return written


@pytest.fixture
def sound_of() -> Callable[[Iterable[SpeechChunk]], np.ndarray]:
    def joined(chunks: Iterable[SpeechChunk]) -> np.ndarray:
        return np.concatenate([chunk.samples for chunk in chunks] or [np.zeros(0, np.float32)])

    return joined

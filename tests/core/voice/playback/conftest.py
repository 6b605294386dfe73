"""A wire that keeps what was sent, an encoder that keeps what it was given, and a clock that runs as fast as it is read."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.audio.opus import Encoder
from core.voice.playback.player import Player

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from core.voice.playback.stream import PlaybackStream, StreamEnd


async def ended(line: PlaybackStream) -> StreamEnd:
    """How a line ended; fails instead of waiting for ever."""
    return await asyncio.wait_for(line.finished(), 30)


class RecordingWire:
    """A connection that can go away and can refuse packets."""

    def __init__(self, clock: HurriedClock) -> None:
        self.clock = clock
        self.frames: list[bytes] = []
        self.times_s: list[float] = []
        self.announced: list[bool] = []
        self.there = True
        self.refuse = 0
        self.before_send: Callable[[int], None] | None = None

    def connected(self) -> bool:
        return self.there

    def send_frame(self, opus: bytes) -> bool:
        if self.before_send is not None:
            self.before_send(len(self.frames))
        if self.refuse:
            self.refuse -= 1
            return False
        self.frames.append(opus)
        self.times_s.append(self.clock.monotonic())
        return True

    def announce(self, speaking: bool) -> None:
        self.announced.append(speaking)


class HurriedClock:
    """Sleeping takes no time but moves the clock; `stalls` adds to single sleeps, by their number."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.sleeps = 0
        self.stalls: dict[int, float] = {}

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, duration_s: float, /) -> None:
        self.sleeps += 1
        self.now_s += duration_s + self.stalls.pop(self.sleeps, 0.0)
        time.sleep(0)


class SpyEncoder:
    """Real Opus that remembers what went in."""

    def __init__(self) -> None:
        self.frames: list[NDArray[np.float32]] = []
        self._encoder = Encoder()

    def encode_float(self, samples: NDArray[np.float32]) -> bytes:
        self.frames.append(samples.copy())
        return self._encoder.encode_float(samples)

    @property
    def sound(self) -> NDArray[np.float32]:
        """Everything that was encoded, one after another, left channel."""
        return np.concatenate(self.frames)[:, 0]


class Deck:
    """A player on a recording wire."""

    def __init__(self) -> None:
        self.clock = HurriedClock()
        self.wire = RecordingWire(self.clock)
        self.encoder = SpyEncoder()
        self.player = Player(self.wire, lambda: self.encoder, clock=self.clock)

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for the player's thread; fails after thirty seconds of real time."""
        over_s = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < over_s, "the player never got there"
            time.sleep(0.001)

    def idle_of_sound(self, line: PlaybackStream) -> None:
        """Wait until a line that has begun is sent no more, though it is not over."""
        self.until(lambda: line.begun and not self.player.sending)

    def idle(self) -> None:
        """Wait until nothing plays or waits."""
        self.until(lambda: not self.player.queued() and not self.player.sending)


@pytest.fixture
def deck() -> Iterator[Deck]:
    deck = Deck()
    yield deck
    deck.player.close()
    deck.player.join()
    assert not [thread for thread in threading.enumerate() if thread.name == "parley-player"]

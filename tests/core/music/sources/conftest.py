"""Sound that web servers on loopback send, and what opens their addresses."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import lameenc
import numpy as np
import pytest

from core.audio.decode import blocks, vet
from core.config.fetch import FetchSection
from core.config.ytdlp import YtDlpSection
from core.fetch import Fetcher
from core.music.sources.web import WebSounds
from core.music.sources.ytdlp import Extractor
from tests.web_site import serving

RATE = 48_000


def tone(duration_s: float, hz: float = 440.0) -> np.ndarray:
    at = np.arange(int(duration_s * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * hz * at)).astype(np.float32)


def mp3(duration_s: float, hz: float = 440.0) -> bytes:
    machine = lameenc.Encoder()
    machine.set_bit_rate(64)
    machine.set_in_sample_rate(RATE)
    machine.set_channels(1)
    machine.set_quality(7)
    machine.silence()
    sound = (tone(duration_s, hz) * 32767).astype("<i2").tobytes()
    return bytes(machine.encode(sound)) + bytes(machine.flush())


class KeptFile:
    """A file of the queue: the simplest there is."""

    endless = False

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = path, size

    def blocks(self, start_s: float):
        del start_s
        return blocks(self.path)

    def release(self) -> None:
        self.path.unlink(missing_ok=True)


@pytest.fixture
async def site():
    async with serving() as place:
        yield place


@pytest.fixture
async def fetcher():
    made = Fetcher(FetchSection(allow=("127.0.0.1",), file_mb=5, idle_timeout_s=0.5, answer_timeout_s=1))
    yield made
    await made.close()


@pytest.fixture
async def make(fetcher, tmp_path, clock):
    """What opens addresses; `clock` moves when told."""
    made: list[WebSounds] = []

    def sounds(**settings) -> WebSounds:
        made.append(
            WebSounds(
                fetcher,
                tmp_path / "kept",
                make_file=KeptFile,
                vet=lambda path: asyncio.to_thread(vet, path.read_bytes()),
                extractor=Extractor(YtDlpSection(**settings), Path(settings.get("folder", ""))),
                clock=clock,
            )
        )
        return made[-1]

    yield sounds
    for each in made:
        await each.close()


@pytest.fixture
def web(make):
    return make()


@contextlib.asynccontextmanager
async def heard(source):
    """Takes blocks of a source as a player's thread does."""
    given = source.blocks(0.0)

    async def take(duration_s: float, within_s: float = 10.0) -> np.ndarray:
        """So many seconds, or all there is."""
        parts = []
        async with asyncio.timeout(within_s):
            while sum(map(len, parts)) < duration_s * RATE:
                block = await asyncio.to_thread(next, given, None)
                if block is None:
                    break
                parts.append(block)
        return np.concatenate(parts) if parts else np.zeros((0, 2), np.float32)

    try:
        yield take
    finally:
        await asyncio.to_thread(given.close)

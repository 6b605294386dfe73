"""What the stand-ins for speech servers have in common: what was spoken, and as what sound."""

from __future__ import annotations

import asyncio
import contextlib
import re
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from loopback.services import tone
from loopback.services.service import Behaviour

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

UNKNOWN_SIZE = 0xFFFFFFFF  # what a server writes into a WAV header whose length it does not know yet


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechBehaviour(Behaviour):
    """How one text is spoken. The sound is `tone.hum`: its length follows the text, its words can be found again."""

    rate_hz: int | None = None  # None: the service's usual one
    character_s: float = tone.CHARACTER_S
    chunk_bytes: int = 4096  # size of one piece of sound; odd sizes cut samples in two
    empty: bool = False  # answers in due form, without any sound
    mute: str = ""  # the same for texts in which this regular expression is found, as of a language the voice lacks


@dataclass(frozen=True, slots=True)
class Spoken:
    """One text that was turned into sound."""

    text: str
    at_s: float  # time.monotonic when the text was complete
    voice: str = ""
    speed: float = 1.0
    semitones: float = 0.0


class _Speaks(Protocol):
    spoken: list[Spoken]
    rate_hz: int

    def note(self) -> None: ...


def speak(service: _Speaks, spoken: Spoken, behaviour: SpeechBehaviour) -> NDArray[np.float32]:
    """Records that a text was spoken; returns its samples at the rate of the behaviour or the service."""
    service.spoken.append(spoken)
    service.note()
    return tone.hum(
        "" if behaviour.empty or (behaviour.mute and re.search(behaviour.mute, spoken.text)) else spoken.text,
        behaviour.rate_hz or service.rate_hz,
        character_s=behaviour.character_s / spoken.speed,
        semitones=spoken.semitones,
    )


def now_spoken(text: str, *, voice: str = "", speed: float = 1.0, semitones: float = 0.0) -> Spoken:
    """A text that is complete at this moment."""
    return Spoken(text, time.monotonic(), voice, speed, semitones)


def pieces(sound: bytes, size: int) -> Iterator[bytes]:
    """The sound cut into pieces of `size` bytes, the last one shorter."""
    for start in range(0, len(sound), size):
        yield sound[start : start + size]


def wav(
    pcm: bytes, rate_hz: int, *, channels: int = 1, data_size: int | None = None, extra: bytes = b"", bits: int = 16
) -> bytes:
    """A 16-bit WAV file.

    `data_size` lies about the length (0, `UNKNOWN_SIZE`, less than there is) and `bits` about the samples; `extra` is a LIST
    chunk before the sound.
    """
    size = len(pcm) if data_size is None else data_size
    listed = b"LIST" + struct.pack("<I", len(extra)) + extra + b"\0" * (len(extra) % 2) if extra else b""
    riff_size = min(36 + len(listed) + size, UNKNOWN_SIZE) if size else 0
    form = struct.pack("<HHIIHH", 1, channels, rate_hz, rate_hz * channels * 2, channels * 2, bits)
    head = b"RIFF" + struct.pack("<I", riff_size) + b"WAVEfmt " + struct.pack("<I", len(form)) + form
    return head + listed + b"data" + struct.pack("<I", size) + pcm


@contextlib.asynccontextmanager
async def in_turn() -> AsyncIterator[Callable[[Callable[[], Awaitable[None]]], None]]:
    """Returns a function that queues work to be done one after the other; what is left is dropped at the end.

    A kept-open connection reads on while it speaks; when its reader ends, nobody is left to hear the rest.
    """
    jobs: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()

    async def work() -> None:
        while True:
            job = await jobs.get()
            await job()

    worker = asyncio.create_task(work())
    try:
        yield jobs.put_nowait
    finally:
        worker.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):  # the other side may be gone already
            await worker

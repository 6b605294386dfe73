"""Speech to make transcripts of: espeak's, laid out in time on tracks, and a recogniser that says what a script says."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from core.audio.wav import WavWriter
from core.config.speech import EspeakSection
from core.hearing.text import Segment, Transcription, Word
from core.hearing.vad import VadStream, whole_windows
from core.speech.engine import Voice
from core.speech.engines.espeak import EspeakEngine

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

RATE_HZ = 48_000


@lru_cache(maxsize=64)
def speech(text: str, voice: str = "en-us") -> NDArray[np.float32]:
    """A sentence at 48 kHz, mono, without the silence around it."""

    async def words() -> Any:
        yield text

    async def say() -> NDArray[np.float32]:
        engine = EspeakEngine(EspeakSection())
        await engine.open()
        try:
            chunks = [chunk async for chunk in engine.stream(words(), Voice(voice))]
        finally:
            await engine.close()
        rate_hz = chunks[0].rate_hz
        samples = np.concatenate([chunk.samples for chunk in chunks])
        count = round(len(samples) * RATE_HZ / rate_hz)
        return np.interp(np.arange(count) * rate_hz / RATE_HZ, np.arange(len(samples)), samples).astype(np.float32)

    with ThreadPoolExecutor(1) as thread:  # tests have a loop of their own
        samples = thread.submit(asyncio.run, say()).result()
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    return samples[loud[0] : loud[-1]]


def write_track(path: Path, length_s: float, *said: tuple[float, Any]) -> tuple[tuple[float, float], ...]:
    """A stereo track with sounds at their times; gives where they are."""
    spans: list[tuple[float, float]] = []
    with WavWriter(path) as out:
        for at_s, samples in said:
            out.skip_to(round(at_s * RATE_HZ))
            sound = np.rint(np.clip(samples, -1, 1) * 30000).astype(np.int16)
            out.write(np.repeat(sound[:, None], 2, axis=1))
            spans.append((at_s, at_s + len(samples) / RATE_HZ))
        out.skip_to(round(length_s * RATE_HZ))
    return tuple(spans)


@dataclass
class Scripted:
    """A recogniser that says the next line of its script for each sound in which somebody speaks."""

    lines: list[Any]  # texts, or errors to raise; the last one again and again
    name: str = "scripted"
    address: str = "in the test"
    model: str = "script"
    problem: Exception | None = None  # with opening
    opened: int = 0
    heard: list[float] = field(default_factory=list)  # seconds of each sound
    gate: Any = None  # waited for before each answer

    async def open(self) -> None:
        if self.problem is not None:
            raise self.problem
        self.opened += 1

    async def transcribe(self, samples: NDArray[np.float32], **_: Any) -> Transcription:
        self.heard.append(len(samples) / 16_000)
        if self.gate is not None:
            await self.gate()
        line = self.lines.pop(0) if len(self.lines) > 1 else self.lines[0]
        if isinstance(line, Exception):
            raise line
        chances = VadStream().probabilities(whole_windows(samples))
        voiced = np.flatnonzero(chances >= 0.5) * 0.032
        start_s, end_s = float(voiced[0]), float(voiced[-1]) + 0.032
        texts = line.split()
        step = (end_s - start_s) / max(1, len(texts))
        words = tuple(
            Word(each, start_s + number * step, start_s + (number + 1) * step, 0.9) for number, each in enumerate(texts)
        )
        segments = (Segment(line, start_s, end_s, words),) if texts else ()
        return Transcription(segments, "en", self.name, self.model)

    async def close(self) -> None:
        return None

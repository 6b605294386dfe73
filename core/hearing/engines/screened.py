"""What engines on servers share: silence is never sent, urgent things go first, and nothing made up comes through."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

from core.hearing.hints import merged, needs_plain
from core.hearing.made_up import keep_real
from core.hearing.stretches import StretchFinder
from core.hearing.text import Transcription
from core.hearing.transcriber import NO_BIAS, failure
from core.hearing.turns import Turns
from core.hearing.vad import RATE_HZ

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.config.hearing import HearingSection
    from core.hearing.stretches import Stretch
    from core.hearing.transcriber import Bias, Purpose

JOIN_S = 2.0
LIVE_AT_ONCE, RECORDINGS_AT_ONCE = 4, 1
MOST_TEXT = 20_000  # letters of one stretch of half a minute
_BLOCK = 10 * RATE_HZ


class ScreenedTranscriber(ABC):
    """A recogniser elsewhere; subclasses ask it."""

    name: str
    address: str
    model: str
    takes_hints = True

    def __init__(self, section: HearingSection) -> None:
        self._section = section
        live, recordings = Turns(LIVE_AT_ONCE), Turns(RECORDINGS_AT_ONCE)
        self._turns: dict[Purpose, Turns] = {"live": live, "captions": live, "recording": recordings}

    async def transcribe(
        self,
        samples: NDArray[np.float32],
        *,
        language: str | None = None,
        bias: Bias = NO_BIAS,
        words: bool = False,
        purpose: Purpose = "live",
        deadline_s: float | None = None,
        replaces: str = "",
    ) -> Transcription:
        """The text of some sound; see `Transcriber.transcribe`. The deadline is that of one stretch of half a minute."""
        wanted = language or self._section.language
        limit_s = self._section.deadline_s if deadline_s is None else deadline_s
        parts: list[Transcription] = []
        for stretch in await asyncio.to_thread(_cut, samples):
            async with self._turns[purpose].turn(purpose, replaces):
                try:
                    async with asyncio.timeout(limit_s):
                        heard = await self._hear(stretch, "" if wanted == "auto" else wanted, bias, words, purpose)
                except TimeoutError as error:
                    raise failure(self, f"did not answer within {limit_s:g} s") from error
            parts.append(keep_real(heard, stretch.speech_s).moved(stretch.start_s))
        return Transcription.joined(parts, self.name, self.model, "" if wanted == "auto" else wanted)

    async def open(self) -> None:
        """Ask whether the server is there; see `Transcriber.open`."""
        raise NotImplementedError

    async def close(self) -> None:
        """Nobody is heard any more."""
        for turns in self._turns.values():
            turns.close()

    @abstractmethod
    async def _ask(self, stretch: Stretch, language: str, bias: Bias, words: bool, purpose: Purpose) -> Transcription:
        """One request; `language` is empty if it is unknown. Raises `HearingError`."""

    async def _hear(self, stretch: Stretch, language: str, bias: Bias, words: bool, purpose: Purpose) -> Transcription:
        if not bias or not self.takes_hints:
            return _bounded(await self._ask(stretch, language, NO_BIAS, words, purpose))
        hinted = _bounded(await self._ask(stretch, language, bias, words, purpose))
        if not needs_plain(hinted, bias):
            return replace(hinted, hinted=hinted.text)
        return merged(_bounded(await self._ask(stretch, language, NO_BIAS, words, purpose)), hinted, bias)


def _bounded(heard: Transcription) -> Transcription:
    """What a server says of half a minute is not a book."""
    return heard if sum(len(segment.text) for segment in heard.segments) <= MOST_TEXT else replace(heard, segments=())


def _cut(samples: NDArray[np.float32]) -> list[Stretch]:
    finder = StretchFinder(join_s=JOIN_S)
    blocks = range(0, len(samples), _BLOCK)
    return [*(each for first in blocks for each in finder.feed(samples[first : first + _BLOCK])), *finder.finish()]


def pcm16(samples: NDArray[np.float32]) -> bytes:
    """Samples as 16-bit little-endian PCM."""
    return (samples.clip(-1.0, 1.0) * 32767).astype("<i2").tobytes()

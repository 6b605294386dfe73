"""Turns the samples of an engine into what is played: 48 kHz, in range, with the pitch and speed the engine could not do."""

from __future__ import annotations

import numpy as np

from core.audio.frames import RATE_HZ
from core.audio.resample import MonoResampler
from core.audio.stretch import TimeStretch
from core.speech.engine import SpeechChunk


class Shaper:
    """One turn's sound on its way to the player. No sample is lost between chunks; call `flush` at the end."""

    def __init__(self, *, pitch: float = 0.0, rate: float = 1.0) -> None:
        self._stretch = TimeStretch(pitch=pitch, rate=rate)
        self._resampler: MonoResampler | None = None
        self._text = ""  # waits for the first sample that belongs to it

    def shape(self, chunk: SpeechChunk) -> SpeechChunk | None:
        """The chunk as it is played, or None while everything is still inside the filters."""
        self._text += chunk.text
        left = np.zeros(0, np.float32)
        if self._resampler is None or self._resampler.rate_hz != chunk.rate_hz:
            left = self._resampler.flush() if self._resampler is not None else left
            self._resampler = MonoResampler(chunk.rate_hz)
        converted = self._resampler.convert(_safe(chunk.samples))
        return self._give(self._stretch.convert(np.concatenate([left, converted]) if len(left) else converted))

    def flush(self) -> SpeechChunk | None:
        """What is left inside, or only a text that never got a sound."""
        rest = self._resampler.flush() if self._resampler is not None else np.zeros(0, np.float32)
        self._resampler = None
        samples = np.concatenate([self._stretch.convert(rest), self._stretch.flush()])
        return self._give(samples, last=True)

    def _give(self, samples: np.ndarray[tuple[int], np.dtype[np.float32]], *, last: bool = False) -> SpeechChunk | None:
        if not len(samples) and not (last and self._text):
            return None
        text, self._text = self._text, ""
        return SpeechChunk(np.clip(samples, -1, 1), RATE_HZ, text)


def _safe(samples: np.ndarray[tuple[int], np.dtype[np.float32]]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Samples in -1..1, whatever a server sent: no infinity, nothing that is no number."""
    return np.clip(np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0), -1, 1).astype(np.float32, copy=False)

"""The buses become one frame: speech over media, media ducked under speech, effects over both, never beyond full scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.audio.frames import CHANNELS, FRAME_S, FRAME_SAMPLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

DUCKED = 0.2  # -14 dB
DUCK_S = 0.08
UNDUCK_S = 0.5
UNDUCK_AFTER_S = 0.4  # a breath between sentences does not bring the music back
KNEE = 0.9
RELEASE_S = 0.6  # in which the limiter lets music come back, from silence; it takes hold within a frame
FADE_SAMPLES = FRAME_SAMPLES // 2  # 10 ms

_RISE: NDArray[np.float32] = np.linspace(0.0, 1.0, FADE_SAMPLES, dtype=np.float32)[:, None]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A frame of a stream, `(960, 2)`, of which `count` samples are real; none is louder than `peak`."""

    samples: NDArray[np.float32]
    count: int
    peak: float


class Mixer:
    """Keeps the gains from frame to frame, so that every change is a ramp."""

    def __init__(self, volume: float = 1.0) -> None:
        self.volume = volume
        self.others_speak = False  # people, whom music gives way to as it does to the bot
        self._gain = volume
        self._duck = 1.0
        self._limit = 1.0
        self._since_speech_s = UNDUCK_AFTER_S
        self._fade_in = False

    def rise(self) -> None:
        """Let the next frame come up from silence."""
        self._fade_in = True

    def mix(self, speech: Excerpt | None, media: Excerpt | None, effect: Excerpt | None = None) -> NDArray[np.float32]:
        """One stereo frame, `(960, 2)` in -1..1, of what the buses give; None where a bus is silent.

        The excerpts' samples may be changed. Operations on whole frames are few, because numpy lets go of the
        interpreter's lock for each of them, and under load it takes a while to come back.
        """
        duck_from, duck_to = self._duck, self._next_duck(speaking=speech is not None or self.others_speak)
        gain_from, gain_to = self._gain, self.volume
        self._duck, self._gain = duck_to, gain_to
        peak = 0.0
        frame: NDArray[np.float32] | None = None
        if media is not None:
            frame = media.samples
            limit_from, limit_to = self._limit, self._next_limit(media.peak * max(gain_from, gain_to))
            self._limit = limit_to
            _scale(frame, duck_from * limit_from, duck_to * limit_to)
            peak = media.peak * max(duck_from * limit_from, duck_to * limit_to)
        for above in (speech, effect):
            if above is not None:
                peak += above.peak
                frame = above.samples if frame is None else np.add(frame, above.samples, out=frame)
        if frame is None:
            return np.zeros((FRAME_SAMPLES, CHANNELS), dtype=np.float32)
        _scale(frame, gain_from, gain_to)
        if self._fade_in:
            self._fade_in = False
            fade_in(frame)
        return frame if peak * max(gain_from, gain_to) <= KNEE else limited(frame)

    def _next_duck(self, *, speaking: bool) -> float:
        if speaking:
            self._since_speech_s = 0.0
            return max(DUCKED, self._duck - (1.0 - DUCKED) * FRAME_S / DUCK_S)
        self._since_speech_s += FRAME_S
        if self._since_speech_s < UNDUCK_AFTER_S:
            return self._duck
        return min(1.0, self._duck + (1.0 - DUCKED) * FRAME_S / UNDUCK_S)

    def _next_limit(self, peak: float) -> float:
        """How much of media the limiter lets through. Its peak is that of half a second, most of which is still to come."""
        wanted = KNEE / peak if peak > KNEE else 1.0
        return wanted if wanted < self._limit else min(wanted, self._limit + FRAME_S / RELEASE_S)


def limited(frame: NDArray[np.float32]) -> NDArray[np.float32]:
    """`frame` with everything above the knee bent so that it stays below full scale; unchanged if nothing is above."""
    size = np.abs(frame)
    if size.max(initial=0.0) <= KNEE:
        return frame
    bent = KNEE + (1.0 - KNEE) * np.tanh((size - KNEE) / (1.0 - KNEE))
    return np.where(size > KNEE, np.copysign(bent, frame), frame).astype(np.float32, copy=False)


def _scale(frame: NDArray[np.float32], start: float, stop: float) -> None:
    if start != stop:
        frame *= np.linspace(start, stop, FRAME_SAMPLES, dtype=np.float32)[:, None]
    elif start != 1.0:
        frame *= np.float32(start)


def fade_out(frame: NDArray[np.float32], count: int = FADE_SAMPLES) -> None:
    """Let the first `count` samples (at most 10 ms) of a frame sink to silence, in place; the rest is taken as silent."""
    frame[:count] *= np.linspace(1.0, 0.0, count, dtype=np.float32)[:, None]


def fade_in(frame: NDArray[np.float32]) -> None:
    """Let the first 10 ms of a frame rise from silence, in place."""
    frame[:FADE_SAMPLES] *= _RISE

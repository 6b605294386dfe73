"""Two buses become one frame: speech over media, media ducked under speech, never beyond full scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.audio.frames import CHANNELS, FRAME_S, FRAME_SAMPLES
from core.voice.playback.fades import fade_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

DUCKED = 0.2  # -14 dB
DUCK_S = 0.08
UNDUCK_S = 0.5
UNDUCK_AFTER_S = 0.4  # a breath between sentences does not bring the music back
KNEE = 0.9


class Mixer:
    """Keeps the gains from frame to frame, so that every change is a ramp."""

    def __init__(self, volume: float = 1.0) -> None:
        self.volume = volume
        self._gain = volume
        self._duck = 1.0
        self._since_speech_s = UNDUCK_AFTER_S
        self._fade_in = False

    def rise(self) -> None:
        """Let the next frame come up from silence."""
        self._fade_in = True

    def mix(self, speech: NDArray[np.float32] | None, media: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """One stereo frame, `(960, 2)` in -1..1, of what the buses give; None where a bus is silent."""
        duck_from, duck_to = self._duck, self._next_duck(speaking=speech is not None)
        gain_from, gain_to = self._gain, self.volume
        self._duck, self._gain = duck_to, gain_to
        frame = np.zeros((FRAME_SAMPLES, CHANNELS), dtype=np.float32)
        if media is not None:
            frame += media * _ramp(duck_from, duck_to)
        if speech is not None:
            frame += speech
        if gain_from != 1.0 or gain_to != 1.0:
            frame *= _ramp(gain_from, gain_to)
        if self._fade_in:
            self._fade_in = False
            fade_in(frame)
        return limited(frame)

    def _next_duck(self, *, speaking: bool) -> float:
        if speaking:
            self._since_speech_s = 0.0
            return max(DUCKED, self._duck - (1.0 - DUCKED) * FRAME_S / DUCK_S)
        self._since_speech_s += FRAME_S
        if self._since_speech_s < UNDUCK_AFTER_S:
            return self._duck
        return min(1.0, self._duck + (1.0 - DUCKED) * FRAME_S / UNDUCK_S)


def limited(frame: NDArray[np.float32]) -> NDArray[np.float32]:
    """`frame` with everything above the knee bent so that it stays below full scale; unchanged if nothing is above."""
    size = np.abs(frame)
    if size.max(initial=0.0) <= KNEE:
        return frame
    bent = KNEE + (1.0 - KNEE) * np.tanh((size - KNEE) / (1.0 - KNEE))
    return np.where(size > KNEE, np.copysign(bent, frame), frame).astype(np.float32, copy=False)


def _ramp(start: float, stop: float) -> NDArray[np.float32] | np.float32:
    if start == stop:
        return np.float32(start)
    return np.linspace(start, stop, FRAME_SAMPLES, dtype=np.float32)[:, None]

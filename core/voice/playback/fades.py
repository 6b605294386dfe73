"""Short ramps, so that a cut does not click."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.audio.frames import FRAME_SAMPLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

FADE_SAMPLES = FRAME_SAMPLES // 2  # 10 ms

_RISE: NDArray[np.float32] = np.linspace(0.0, 1.0, FADE_SAMPLES, dtype=np.float32)[:, None]


def fade_out(frame: NDArray[np.float32], count: int = FADE_SAMPLES) -> None:
    """Let the first `count` samples (at most 10 ms) of a frame sink to silence, in place; the rest is taken as silent."""
    frame[:count] *= np.linspace(1.0, 0.0, count, dtype=np.float32)[:, None]


def fade_in(frame: NDArray[np.float32]) -> None:
    """Let the first 10 ms of a frame rise from silence, in place."""
    frame[:FADE_SAMPLES] *= _RISE

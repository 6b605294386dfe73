"""Resamples sound of any rate to Discord's, across chunk borders without a seam and without losing a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.audio.frames import RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_EMPTY = np.zeros(0, np.float32)


class MonoResampler:
    """Mono float32 at `rate_hz` to mono float32 at 48 kHz.

    Keeps its state from chunk to chunk: `convert` may return less than went in, and `flush` returns what is left. In all,
    n samples become ceil(n * 48000 / rate_hz). Sound that is at 48 kHz already passes untouched.
    """

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._resampler: Any = None  # FFmpeg's, through PyAV; made when needed, for `av` is slow to import

    def convert(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next samples, shape (n,), as far as they can be converted yet."""
        if self.rate_hz == RATE_HZ or not len(samples):
            return samples
        import av

        if self._resampler is None:
            self._resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
        plane = np.ascontiguousarray(samples, np.float32).reshape(1, -1)
        frame: Any = av.AudioFrame.from_ndarray(plane, format="flt", layout="mono")
        frame.sample_rate = self.rate_hz
        frame.pts = None
        return _joined(self._resampler.resample(frame))

    def flush(self) -> NDArray[np.float32]:
        """What is still inside; afterwards the resampler is as new."""
        resampler, self._resampler = self._resampler, None
        return _EMPTY if resampler is None else _joined(resampler.resample(None))


def _joined(frames: Iterable[Any]) -> NDArray[np.float32]:
    parts = [frame.to_ndarray().reshape(-1) for frame in frames]
    return np.concatenate(parts) if parts else _EMPTY

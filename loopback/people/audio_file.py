"""Reads sound files of any kind for people to play."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def read_audio(path: Path, rate_hz: int) -> bytes:
    """The file as s16le stereo PCM at `rate_hz` (blocking). Raises `av.FFmpegError` when it is no sound."""
    import av

    resampler = av.AudioResampler(format="s16", layout="stereo", rate=rate_hz)
    parts: list[bytes] = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            parts.extend(part.to_ndarray().tobytes() for part in resampler.resample(frame))
    parts.extend(part.to_ndarray().tobytes() for part in resampler.resample(None))
    return b"".join(parts)

"""Begins a file in the middle, on the sample, and ends it where its sound ends, whatever its index knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.audio.frames import RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

LEAD_S = 0.25  # decoded before the place: Opus wants 80 ms to settle, MP3 keeps bits in the frames before
FAR_S = 300.0
LATE_S = 0.05  # past the place by more than this is no place to begin
TRIMMED = "mov,mp4,m4a,3gp,3g2,mj2"  # FFmpeg cuts the end of the others itself


class Overshot(Exception):
    """Seeking led past the place."""


class Start:
    """Where the decoding of one opened file begins."""

    def __init__(self, at_s: float = 0.0, *, forward: bool = False) -> None:
        """Begin `at_s` seconds into the sound; `forward` reads everything before it instead of seeking."""
        self.at_s = max(0.0, at_s)
        self._forward = forward
        self._begun = not self.at_s
        self._drop = 0  # samples of ours
        self._left: int | None = None  # samples of ours until the end of the sound, where that has to be minded
        self._zero_s = 0.0

    @property
    def options(self) -> dict[str, str]:
        """How to open the file: far into an MP3 the place is reckoned, instead of reading all that is before it."""
        return {"fflags": "fastseek"} if self.at_s > FAR_S and not self._forward else {}

    def seek(self, container: Any, stream: Any) -> None:
        """Move to a little before the place, if there is an index that leads there."""
        from av.error import FFmpegError

        base = stream.time_base
        self._zero_s = float((stream.start_time or 0) * base)
        if container.format.name == TRIMMED and stream.duration:
            self._left = round((float(stream.duration * base) - self.at_s) * RATE_HZ)
        if self._begun or self._forward or self.at_s <= LEAD_S:
            return
        try:
            container.seek(round((self.at_s - LEAD_S + self._zero_s) * 1e6))
        except (FFmpegError, ValueError):  # no index: what comes is read up to the place
            return

    def passes(self, packet: Any) -> bool:
        """Whether a packet is so long before the place that it need not be decoded."""
        if self._begun or packet.pts is None or packet.duration is None:
            return False
        return float(packet.pts * packet.time_base) - self._zero_s < self.at_s - 2 * LEAD_S

    def timed(self, frames: Iterable[Any]) -> Iterator[tuple[Any, float | None]]:
        """Frames with where in the sound they stand, in seconds, until that is of no interest any more."""
        for frame in frames:
            yield frame, None if self._begun or frame.pts is None else float(frame.pts * frame.time_base) - self._zero_s

    def cut(self, samples: NDArray[np.float32], frame_s: float | None = None) -> NDArray[np.float32]:
        """What of decoded samples lies behind the place.

        Raises:
            Overshot: They begin behind it.
        """
        if not self._begun:
            self._begun = True
            at_s = 0.0 if frame_s is None else frame_s
            if at_s > self.at_s + LATE_S and not self._forward:
                raise Overshot
            self._drop = max(0, round((self.at_s - at_s) * RATE_HZ))
        if self._drop:
            dropped = min(self._drop, len(samples))
            self._drop -= dropped
            samples = samples[dropped:]
        if self._left is not None:
            samples = samples[: max(0, self._left)]
            self._left -= len(samples)
        return samples

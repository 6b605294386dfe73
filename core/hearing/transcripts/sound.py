"""A recording's track as a recogniser wants it: mono at 16 kHz, block by block, from any place, at the track's own times."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from core.audio.wav import WavReader
from core.errors import HearingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Span = tuple[float, float]

RATE_HZ = 16_000
BLOCK_S = 10.0
PREROLL_S = 1.0  # before a place that is sought: decoders find their feet
MARGIN_S = 1.0  # around what is known to be sound
JOIN_S = 10.0  # shorter silences are read like sound: only longer ones are worth a seek
DAMAGED = "A track of the recording cannot be decoded."


def regions(sounds: Sequence[Span], length_s: float) -> list[Span]:
    """Where a track is worth reading: its sounds with a margin, near ones as one.

    Args:
        sounds: Where there is sound, in seconds, in any order.
        length_s: How long the track is.
    """
    found: list[Span] = []
    for start_s, end_s in sorted(sounds):
        start_s, end_s = max(0.0, start_s - MARGIN_S), min(length_s, end_s + MARGIN_S)
        if end_s <= start_s:
            continue
        if found and start_s - found[-1][1] < JOIN_S:
            found[-1] = (found[-1][0], max(found[-1][1], end_s))
        else:
            found.append((start_s, end_s))
    return found


def blocks(track: Path, start_s: float, end_s: float) -> Iterator[NDArray[np.float32]]:
    """The sound of a track between two times, shape (n,) each; the first sample is that of `start_s`. Blocks.

    Raises:
        HearingError: It cannot be decoded.
        OSError: It cannot be read.
    """
    wanted = round((end_s - start_s) * RATE_HZ)
    source = _wav(track, start_s, end_s) if track.suffix == ".wav" else _decoded(track, start_s, end_s)
    with closing(source):
        for block in source:
            if wanted <= 0:
                return
            yield block[:wanted]
            wanted -= len(block)


def _wav(track: Path, start_s: float, end_s: float) -> Any:
    with WavReader(track) as reader:
        rate_hz = reader.rate_hz
        position, end = round(start_s * rate_hz), min(reader.samples, round(end_s * rate_hz))
        resampler = SpeechResampler(rate_hz)
        while position < end:
            samples = reader.read(position, min(end - position, round(BLOCK_S * rate_hz)))
            if not len(samples):
                break
            position += len(samples)
            yield resampler.convert(samples.mean(axis=1, dtype=np.float32) / np.float32(32768))
        yield resampler.flush()


def _decoded(track: Path, start_s: float, end_s: float) -> Any:
    """Any other format, by the times that its packets carry."""
    import av
    from av.error import FFmpegError

    try:
        with av.open(str(track)) as container:
            stream: Any = container.streams.audio[0]
            if start_s > PREROLL_S:
                container.seek(round((start_s - PREROLL_S) * 1_000_000))
            yield from _placed(container, stream, start_s, end_s)
    except (FFmpegError, IndexError, ValueError) as error:
        raise HearingError(DAMAGED) from error


def _placed(container: Any, stream: Any, start_s: float, end_s: float) -> Any:
    import av

    position = round(start_s * RATE_HZ)
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
    origin: int | None = None  # where the resampler's first sample belongs
    given = 0
    waiting: list[NDArray[np.float32]] = []
    for frame in container.decode(stream):
        at_s = float(frame.time or 0.0)
        if at_s >= end_s:
            break
        if origin is None:
            origin = round(at_s * RATE_HZ)
            if origin > position:  # a track may begin later than asked
                waiting.append(np.zeros(origin - position, np.float32))
                position = origin
        frame.pts = None
        for part in resampler.resample(frame):
            samples: NDArray[np.float32] = np.asarray(part.to_ndarray(), np.float32).reshape(-1)
            at, given = origin + given, given + len(samples)
            waiting.append(samples[max(0, position - at) :])
            position = max(position, at + len(samples))
        if sum(map(len, waiting)) >= BLOCK_S * RATE_HZ:
            yield np.concatenate(waiting)
            waiting.clear()
    if waiting:
        yield np.concatenate(waiting)


class SpeechResampler:
    """Mono float32 at any rate to 16 kHz, across blocks without a seam."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._resampler: Any = None

    def convert(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next samples, shape (n,), as far as they can be converted yet."""
        import av

        if self._rate_hz == RATE_HZ:
            return samples
        if self._resampler is None:
            self._resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
        frame: Any = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples).reshape(1, -1), format="flt", layout="mono"
        )
        frame.sample_rate = self._rate_hz
        frame.pts = None
        return _joined_parts(self._resampler.resample(frame))

    def flush(self) -> NDArray[np.float32]:
        """What is still inside."""
        return np.zeros(0, np.float32) if self._resampler is None else _joined_parts(self._resampler.resample(None))


def _joined_parts(frames: Any) -> NDArray[np.float32]:
    parts = [frame.to_ndarray().reshape(-1) for frame in frames]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)

"""Encodes finished files in other formats, rates and channel counts; and single utterances. Top-level functions for workers."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.audio.frames import RATE_HZ
from core.audio.mp3 import Mp3Writer
from core.audio.wav import WavReader, WavWriter
from core.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from core.config.recording import TrackFormat

_BLOCK = RATE_HZ
_CODECS = {"flac": "flac", "ogg": "libopus"}
_OPTIONS = {"flac": {}, "ogg": {"compression_level": "4"}}  # of 10: nobody hears more at these rates, everybody waits
_OPUS_MOST_KBPS = 256  # a channel; libopus refuses more
GIVEN_UP = "The work on {name} was given up."


@dataclass(frozen=True, slots=True)
class Quality:
    """What finished files are to be."""

    format: TrackFormat = "wav"
    rate_hz: int = RATE_HZ
    channels: int = 2
    bitrate_kbps: int = 128

    @property
    def as_rendered(self) -> bool:
        """Whether a rendered WAV is this already."""
        return self.format == "wav" and self.rate_hz == RATE_HZ and self.channels == 2


def encode_file(source: str, target: str, quality: Quality, while_exists: str = "") -> int:
    """Write a finished file in another quality, in constant memory; returns the new size. `target` is replaced whole.

    Args:
        source: The file.
        target: The file in the other quality.
        quality: What it is to be.
        while_exists: The work is given up when this file is gone: nobody waits for it any more.

    Raises:
        OSError: A file cannot be read or written.
        RecordingError: It was given up.
    """
    final = Path(target)
    work = final.with_name(f".{final.name}.new")
    try:
        with closing(_frames(Path(source), while_exists)) as frames:
            if quality.format in ("wav", "mp3"):
                with _writer(work, quality) as out:
                    for frame in _resampled(frames, quality, None):
                        out.write(frame.to_ndarray().reshape(-1, quality.channels))
            else:
                _encode(frames, work, quality)
        work.replace(final)
    finally:
        work.unlink(missing_ok=True)
    return final.stat().st_size


def _writer(path: Path, quality: Quality) -> WavWriter | Mp3Writer:
    if quality.format == "wav":
        return WavWriter(path, rate_hz=quality.rate_hz, channels=quality.channels)
    return Mp3Writer(path, rate_hz=quality.rate_hz, channels=quality.channels, bitrate_kbps=quality.bitrate_kbps)


def require(while_exists: str) -> None:
    """Give work up that nobody waits for any more.

    Raises:
        RecordingError: The file is gone that says somebody does.
    """
    if while_exists and not Path(while_exists).exists():
        raise RecordingError(GIVEN_UP.format(name=Path(while_exists).parent.name))


def _frames(source: Path, while_exists: str) -> Generator[Any]:
    """PyAV's frames of a file: of WAV by our own reader, which knows no limit of size, of anything else by PyAV."""
    import av

    if source.suffix == ".wav":
        with WavReader(source) as wav:
            for start in range(0, wav.samples, _BLOCK):
                require(while_exists)
                block = np.ascontiguousarray(wav.read(start, _BLOCK))
                layout = "mono" if wav.channels == 1 else "stereo"
                frame = av.AudioFrame.from_ndarray(block.reshape(1, -1), format="s16", layout=layout)
                frame.sample_rate = wav.rate_hz
                yield frame
        return
    with av.open(str(source)) as container:
        for number, frame in enumerate(container.decode(audio=0)):
            if number % 50 == 0:
                require(while_exists)
            frame.pts = None
            yield frame


def _encode(frames: Iterable[Any], work: Path, quality: Quality) -> None:
    import av

    output: Any = av.open(str(work), "w", format=quality.format)
    with output as container:
        layout = "mono" if quality.channels == 1 else "stereo"
        options = _OPTIONS[quality.format]
        stream = container.add_stream(_CODECS[quality.format], rate=quality.rate_hz, layout=layout, options=options)
        stream.format = "s16"
        if quality.format == "ogg":
            stream.bit_rate = min(quality.bitrate_kbps, _OPUS_MOST_KBPS * quality.channels) * 1000
        stream.open()
        for frame in _resampled(frames, quality, stream.frame_size or None):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _resampled(frames: Iterable[Any], quality: Quality, frame_size: int | None) -> Iterator[Any]:
    import av

    layout = "mono" if quality.channels == 1 else "stereo"
    resampler = av.AudioResampler("s16", layout, quality.rate_hz, frame_size=frame_size)
    for frame in frames:
        yield from resampler.resample(frame)
    yield from resampler.resample(None)


def cut_file(source: str, cuts: Sequence[tuple[int, int, str]]) -> None:
    """Write stretches of a rendered WAV, as first and behind the last sample, to files of their own.

    Raises:
        OSError: A file cannot be read or written.
    """
    with WavReader(Path(source)) as wav:
        for start, end, target in cuts:
            path = Path(target)
            path.parent.mkdir(exist_ok=True)
            with WavWriter(path, rate_hz=wav.rate_hz, channels=wav.channels) as out:
                for at in range(start, end, _BLOCK):
                    out.write(wav.read(at, min(_BLOCK, end - at)))

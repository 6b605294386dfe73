"""Decodes any sound file into blocks of Discord's kind of sound, off the event loop, with limits on size, length and memory."""

from __future__ import annotations

import asyncio
import io
import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from core.audio.frames import CHANNELS, RATE_HZ
from core.audio.seeking import Overshot, Start
from core.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray


class Readable(Protocol):
    """A file that is only ever read on."""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, at least one; none at the end. May wait."""
        ...


BLOCK_SAMPLES = RATE_HZ // 2  # a channel
MAX_BYTES = 100 * 2**20
MAX_S = 2 * 3600.0
BLOCK_S = 20.0  # that decoding one block may take; then its thread is left to itself

EMPTY = "The file is empty: it has 0 bytes."
NO_FILE = "The file is not there, or cannot be opened."
NOT_SOUND = "The file is no sound that can be read; WAV, MP3, Ogg, FLAC and M4A are among those that can."
SILENT = "The file has no sound in it."
DAMAGED = "The file is damaged: nothing in it can be played."
DAMAGED_FROM = "The file is damaged from {at} on."
TOO_LARGE = "The file is too large: it has {size:.1f} MB, at most {most:.1f} MB are played."
TOO_LONG = "The file is too long: at most {most} are played."
STUCK = "The file takes too long to decode."
STRANGE = "The file has sound of a kind that cannot be played ({rate_hz} Hz, {channels} channels)."

# Demuxers that read sound from the file itself. Others (playlists, concatenations) would open further files or addresses.
_FORMATS = (
    "wav,w64,aiff,au,caf,mp3,flac,ogg,matroska,webm,mov,mp4,aac,amr,ac3,eac3,asf,avi,mpegts,flv,ape,wv,tta,voc,dts"
)
_RATES = range(4000, 384001)  # a file at 1 Hz would become 48,000 times as large
_MOST_CHANNELS = 16
_MOST_BAD = 25  # packets in a row; half a second
_MOST_FRAME_SAMPLES = "1048576"  # of one decoded frame


async def decode(
    source: bytes | Path, *, max_bytes: int = MAX_BYTES, max_s: float = MAX_S
) -> AsyncGenerator[NDArray[np.float32], None]:
    """The sound of a file or an upload, block by block, as it is asked for.

    One block is decoded at a time, on a thread; nothing is decoded ahead, so memory stays at a few blocks whatever the
    file claims to be. Closing the generator closes the file.

    Args:
        source: The file's bytes, or its path.
        max_bytes: A larger file is refused.
        max_s: A longer one is refused, at the start if it says its length, else when the limit is reached.

    Yields:
        48 kHz stereo float32, shape (n, 2), about half a second each.

    Raises:
        AudioError: It is empty, too large, too long, damaged or no sound. What was given before is good.
    """
    thread = ThreadPoolExecutor(1, thread_name_prefix="decode")
    loop = asyncio.get_running_loop()
    given = blocks(source, max_bytes=max_bytes, max_s=max_s)
    try:
        while True:
            begun = loop.run_in_executor(thread, next, given, None)
            begun.add_done_callback(_seen)
            done, _ = await asyncio.wait([begun], timeout=BLOCK_S)
            if not done:
                raise AudioError(STUCK)
            block = begun.result()
            if block is None:
                return
            yield block
    finally:
        thread.submit(given.close)  # runs after a block that is being decoded right now
        thread.shutdown(wait=False)


def _seen(begun: asyncio.Future[Any]) -> None:
    """An error that nobody waits for any more is no fault."""
    if not begun.cancelled():
        begun.exception()


def vet(data: bytes | Path, max_bytes: int = MAX_BYTES, max_s: float = MAX_S) -> float:
    """Look through a stranger's file, for a process that may be ended: its length in seconds, `max_s` at most.

    Its packets are read and the first sound decoded, so that what makes the libraries hang, swell or crash does so here.

    Raises:
        AudioError: As of `decode`.
    """
    with closing(blocks(data, max_bytes=max_bytes, max_s=max_s)) as given:
        next(given, None)
    with open_sound(data, max_bytes) as container:
        return _length_s(container, next(iter(container.streams.audio)), max_s)


@contextmanager
def open_sound(source: bytes | Path, max_bytes: int = MAX_BYTES) -> Generator[Any]:
    """A file as PyAV's container, opened as safely as for decoding.

    Raises:
        AudioError: It cannot be opened.
    """
    file = _open_file(source, max_bytes)
    with file, _open_container(file) as container:
        yield container


def length_of(source: bytes | Path, max_bytes: int = 2**40) -> float | None:
    """How long a file says it is, in seconds; None if it does not say.

    Raises:
        AudioError: It cannot be opened.
    """
    with open_sound(source, max_bytes) as container:
        return None if container.duration is None else container.duration / 1e6


def _length_s(container: Any, stream: Any, max_s: float) -> float:
    """The sum of all packets' lengths, where the format tells them."""
    from av.error import FFmpegError

    length, base, bad = 0, stream.time_base, 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (FFmpegError, ValueError):  # `decode` plays what is before it, and tells
            bad += 1
            if bad > _MOST_BAD:
                return float(length * base)
            continue
        if packet is None:
            return float(length * base)
        length += packet.duration or 0
        if length * base > max_s:  # `decode` plays that much, and tells
            return max_s


def blocks(
    source: bytes | Path, *, max_bytes: int = MAX_BYTES, max_s: float = MAX_S, start_s: float = 0.0
) -> Generator[NDArray[np.float32], None, None]:
    """The same for who is on a thread of their own; each block is decoded when it is asked for.

    What encoders put before and behind the sound (MP3, AAC, Opus) is cut, so that tracks can follow each other without a gap.
    `start_s` begins there, on the sample, whether or not the file knows where its parts are.
    """
    file = _open_file(source, max_bytes)
    try:
        try:
            yield from _opened(file, max_s, Start(start_s))
        except Overshot:  # the file's own index leads past the place
            file.seek(0)
            yield from _opened(file, max_s, Start(start_s, forward=True))
    finally:
        file.close()


def _opened(file: io.BufferedReader | io.BytesIO, max_s: float, start: Start) -> Generator[NDArray[np.float32]]:
    with _open_container(file, start.options) as container:
        stream: Any = next(iter(container.streams.audio), None)
        if stream is None:
            raise AudioError(SILENT)
        if stream.codec_context is None:  # a format that nothing decodes, such as WAV of 0 bits
            raise AudioError(NOT_SOUND)
        _require_kind(stream.codec_context.sample_rate, stream.codec_context.channels, known=False)
        if container.duration is not None and container.duration / 1e6 > max_s:
            raise _too_long(max_s)
        start.seek(container, stream)
        yield from _decoded(container, stream, max_s, start)


def feed(file: Readable) -> Generator[NDArray[np.float32], None, None]:
    """The sound of what has no length and no places, as it comes out of a pipe; for a thread that may wait.

    Raises:
        AudioError: It is no sound, or too much of it is damaged. What was given before is good.
    """
    with _open_container(file) as container:
        stream: Any = next(iter(container.streams.audio), None)
        if stream is None or stream.codec_context is None:
            raise AudioError(SILENT)
        _require_kind(stream.codec_context.sample_rate, stream.codec_context.channels, known=False)
        yield from _decoded(container, stream, math.inf, Start())


def _require_kind(rate_hz: int, channels: int, *, known: bool = True) -> None:
    """Refuse sound of a strange kind; 0 is allowed where only a decoder knows it.

    Raises:
        AudioError: It has too many channels, or a rate that nobody uses.
    """
    if not known and (not rate_hz or not channels):
        return
    if rate_hz not in _RATES or not 0 < channels <= _MOST_CHANNELS:
        raise AudioError(STRANGE.format(rate_hz=rate_hz, channels=channels))


def _decoded(container: Any, stream: Any, max_s: float, start: Start) -> Generator[NDArray[np.float32], None, None]:
    """The stream's sound in blocks; stops with an error where it is damaged or goes beyond the limit."""
    begun = given = round(start.at_s * RATE_HZ)
    parts: list[NDArray[np.float32]] = []
    for samples in _samples(container, stream, start):
        if isinstance(samples, AudioError):
            if given == begun and not parts:
                raise samples
            at = clock((given + sum(map(len, parts))) / RATE_HZ)
            if parts:
                yield np.concatenate(parts)
            raise AudioError(DAMAGED_FROM.format(at=at)) from samples.__cause__
        parts.append(samples)
        waiting = sum(map(len, parts))
        if given + waiting > max_s * RATE_HZ:
            raise _too_long(max_s)
        if waiting >= BLOCK_SAMPLES:
            given += waiting
            yield np.concatenate(parts)
            parts.clear()
    if parts and any(map(len, parts)):
        yield np.concatenate(parts)
    elif not given:
        raise AudioError(DAMAGED)


def _samples(container: Any, stream: Any, start: Start) -> Generator[NDArray[np.float32] | AudioError, None, None]:
    """The sound of every packet; packets that are no sound are passed over, too many in a row end it with an error."""
    from av.error import FFmpegError

    stream.codec_context.options = {"max_samples": _MOST_FRAME_SAMPLES}
    convert = _Converter()
    packets = container.demux(stream)
    bad = 0
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                yield start.cut(convert.frame(None))
                return
            if start.passes(packet):
                continue
            samples = [start.cut(convert.frame(frame), frame_s) for frame, frame_s in start.timed(packet.decode())]
        except (FFmpegError, ValueError) as error:
            bad += 1
            if bad > _MOST_BAD:
                fault = AudioError(DAMAGED)
                fault.__cause__ = error
                yield fault
                return
            continue
        if samples:
            bad = 0
            yield from samples


class _Converter:
    """Frames of any kind, and of changing kinds, to 48 kHz stereo float32."""

    def __init__(self) -> None:
        self._kind: tuple[Any, ...] = ()
        self._resampler: Any = None
        self._channels = CHANNELS

    def frame(self, frame: Any) -> NDArray[np.float32]:
        """The next samples, shape (n, 2); None flushes what is left."""
        import av

        arrays: list[NDArray[np.float32]] = []
        kind = () if frame is None else (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is not None and kind != self._kind:
            arrays += self._resampled(None)
            self._resampler = None
        if frame is not None:
            if self._resampler is None:
                channels = len(frame.layout.channels)
                _require_kind(frame.sample_rate, channels)
                self._channels = min(channels, CHANNELS)
                layout = "mono" if channels == 1 else "stereo"
                self._resampler = av.AudioResampler(format="flt", layout=layout, rate=RATE_HZ)
                self._kind = kind
            frame.pts = None  # the file's clock has no say: samples follow each other
            arrays += self._resampled(frame)
        return np.concatenate(arrays) if arrays else np.zeros((0, CHANNELS), np.float32)

    def _resampled(self, frame: Any) -> list[NDArray[np.float32]]:
        arrays = [part.to_ndarray().reshape(-1, self._channels) for part in self._resampler.resample(frame)]
        # FFmpeg would make one channel quieter when it becomes two
        return arrays if self._channels == CHANNELS else [array.repeat(CHANNELS, axis=1) for array in arrays]


def _open_file(source: bytes | Path, max_bytes: int) -> io.BufferedReader | io.BytesIO:
    try:
        file = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
    except OSError as error:
        raise AudioError(NO_FILE) from error
    if size == 0 or size > max_bytes:
        file.close()
        raise AudioError(TOO_LARGE.format(size=size / 1e6, most=max_bytes / 1e6) if size else EMPTY)
    return file


def _open_container(file: Readable, more: Mapping[str, str] | None = None) -> Any:
    import av
    from av.error import FFmpegError

    options = {"format_whitelist": _FORMATS, "codec_whitelist": _sound_decoders(), "protocol_whitelist": "none"}
    options |= more or {}
    try:
        return av.open(file, options=options, metadata_errors="ignore")
    except (FFmpegError, ValueError) as error:
        raise AudioError(NOT_SOUND) from error


@lru_cache(maxsize=1)
def _sound_decoders() -> str:
    """Names of FFmpeg's decoders for sound; a cover picture, however large, is then never looked into."""
    import av

    names: list[str] = []
    for name in av.codecs_available:
        try:
            codec = av.Codec(name, "r")
        except ValueError:  # it only encodes
            continue
        if codec.type == "audio":
            names.append(name)
    return ",".join(sorted(names))


def _too_long(max_s: float) -> AudioError:
    return AudioError(TOO_LONG.format(most=clock(max_s)))


def clock(duration_s: float) -> str:
    """Seconds as people write them: 0:05, 1:02:03."""
    minutes, seconds = divmod(round(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"

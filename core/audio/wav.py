"""WAV files of any length, written and read in a stream: plain RIFF up to 4 GiB, RF64 beyond (EBU Tech 3306)."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

import numpy as np

from core import private
from core.audio.frames import CHANNELS, RATE_HZ
from core.errors import AudioError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

HEADER_BYTES = 80  # RIFF, room for ds64, fmt and the head of data
_LIMIT = 0xFFFFFFFF  # of a RIFF file's sizes
_SAMPLE_BYTES = 2


def _header(data_bytes: int, rate_hz: int, channels: int) -> bytes:
    block = channels * _SAMPLE_BYTES
    padded = data_bytes + data_bytes % 2
    riff_bytes = padded + HEADER_BYTES - 8
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate_hz, rate_hz * block, block, 8 * _SAMPLE_BYTES)
    if riff_bytes <= _LIMIT:
        head = struct.pack("<4sI4s4sI28x", b"RIFF", riff_bytes, b"WAVE", b"JUNK", 28)
        return head + fmt + struct.pack("<4sI", b"data", data_bytes)
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, riff_bytes, data_bytes, data_bytes // block, 0)
    return struct.pack("<4sI4s", b"RF64", _LIMIT, b"WAVE") + sizes + fmt + struct.pack("<4sI", b"data", _LIMIT)


class _Closing(ABC):
    """What is closed behind a `with`."""

    @abstractmethod
    def close(self) -> None:
        """Close the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class WavWriter(_Closing):
    """Writes 16-bit samples; silence may be skipped and costs no disk where files can have holes.

    The header is right after every `flush`, so what is there can be played while more is written.
    """

    def __init__(
        self, path: Path, *, rate_hz: int = RATE_HZ, channels: int = CHANNELS, resume_at: int | None = None
    ) -> None:
        """Create the file, or go on with it.

        Args:
            path: The file; what is there is overwritten unless `resume_at` is given.
            rate_hz: Samples a second.
            channels: Samples side by side.
            resume_at: Go on at this sample of a file this class has written; what lies behind it is cut off.

        Raises:
            OSError: The file cannot be written.
        """
        self._rate_hz, self._channels = rate_hz, channels
        self._block = channels * _SAMPLE_BYTES
        self._file = open(path, "r+b" if resume_at else "wb", opener=private.opener)  # noqa: SIM115 - closed by `close`
        self._samples = resume_at or 0
        self._file.truncate(HEADER_BYTES + self._samples * self._block)
        self._file.seek(0, 2)

    @property
    def samples(self) -> int:
        """Length so far, a channel."""
        return self._samples

    def write(self, samples: NDArray[np.int16]) -> None:
        """Append samples of shape (n, channels), or (n,) if there is one channel."""
        data = np.ascontiguousarray(samples, "<i2")
        self._file.write(data.data)
        self._samples += data.size // self._channels

    def skip_to(self, samples: int) -> None:
        """Append silence until the file is `samples` long."""
        if samples > self._samples:
            self._samples = samples
            self._file.seek(HEADER_BYTES + samples * self._block)

    def flush(self) -> None:
        """Make the file on disk complete as far as it goes."""
        self._file.flush()
        size = self._samples * self._block
        self._file.truncate(HEADER_BYTES + size)
        self._file.seek(0)
        self._file.write(_header(size, self._rate_hz, self._channels))
        self._file.seek(0, 2)
        self._file.flush()

    def close(self) -> None:
        """Complete the file."""
        if not self._file.closed:
            try:
                self.flush()
            finally:
                self._file.close()


class WavReader(_Closing):
    """Reads 16-bit WAV of either kind, from any place, in constant memory."""

    def __init__(self, path: Path) -> None:
        """Open the file and read its header.

        Raises:
            AudioError: It is no 16-bit WAV.
            OSError: It cannot be read.
        """
        self._file = path.open("rb")
        try:
            self._read_header(path.name)
        except BaseException:
            self._file.close()
            raise

    def _read_header(self, name: str) -> None:
        kind, _, wave = struct.unpack("<4sI4s", self._file.read(12).ljust(12, b"\0"))
        if kind not in (b"RIFF", b"RF64") or wave != b"WAVE":
            raise AudioError(f"{name} is no WAV file.")
        long_size = 0
        self.rate_hz = self.channels = 0
        while True:
            head = self._file.read(8)
            if len(head) < 8:
                raise AudioError(f"{name} holds no audio.")
            chunk, size = struct.unpack("<4sI", head)
            if chunk == b"data":
                break
            body = self._file.read(size + size % 2)
            if chunk == b"ds64":
                long_size = struct.unpack_from("<Q", body, 8)[0]
            elif chunk == b"fmt ":
                form, self.channels, self.rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", body)
                if bits != 8 * _SAMPLE_BYTES or form not in (1, 0xFFFE):
                    raise AudioError(f"{name} is not 16-bit PCM.")
        if not self.channels:
            raise AudioError(f"{name} does not say what it holds.")
        self._data = self._file.tell()
        self.samples = (long_size if size == _LIMIT else size) // (self.channels * _SAMPLE_BYTES)

    def read(self, start: int, count: int) -> NDArray[np.int16]:
        """At most `count` samples from sample `start` on, shape (n, channels)."""
        block = self.channels * _SAMPLE_BYTES
        count = max(0, min(count, self.samples - start))
        self._file.seek(self._data + start * block)
        data = self._file.read(count * block)
        return np.frombuffer(data[: len(data) // block * block], "<i2").reshape(-1, self.channels)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

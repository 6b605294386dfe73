"""MP3 files in a stream, by LAME as `lameenc` builds it: PyAV's own build of it is four times slower."""

from __future__ import annotations

import importlib
import struct
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

_QUALITY = 5  # LAME's own choice between care (0) and speed (9)
_DELAY = 576  # samples that LAME puts before the first one
_SHORT_KBPS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)  # of MPEG 2 and 2.5, by index
_LONG_KBPS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # of MPEG 1
_TAG_BYTES = 52  # "Info", flags, frames, bytes; and LAME's extension, which holds delay and padding


class Mp3Writer:
    """Writes 16-bit samples at a constant bit rate. Players that know LAME's tag play exactly what was written."""

    def __init__(self, path: Path, *, rate_hz: int, channels: int, bitrate_kbps: int) -> None:
        """Create the file.

        Args:
            path: The file.
            rate_hz: 8000, 12000, 16000, 24000 or 48000.
            channels: 1 or 2.
            bitrate_kbps: The nearest that MP3 has at this rate is taken.

        Raises:
            OSError: The file cannot be created.
        """
        self._rate_hz, self._channels = rate_hz, channels
        self._samples = self._bytes = 0
        self._head = b""  # of the first frame
        self._encoder: Any = importlib.import_module("lameenc").Encoder()
        self._encoder.silence()
        self._encoder.set_in_sample_rate(rate_hz)
        self._encoder.set_out_sample_rate(rate_hz)
        self._encoder.set_channels(channels)
        self._encoder.set_bit_rate(bitrate_kbps)
        self._encoder.set_quality(_QUALITY)
        self._file = path.open("wb")

    def write(self, samples: NDArray[np.int16]) -> None:
        """Append samples of shape (n, channels).

        Raises:
            OSError: The disk is full or gone.
        """
        self._samples += len(samples)
        self._put(bytes(self._encoder.encode(np.ascontiguousarray(samples, "<i2").tobytes())))

    def close(self) -> None:
        """Complete the file.

        Raises:
            OSError: The disk is full or gone.
        """
        if self._file.closed:
            return
        try:
            if self._samples:
                self._put(bytes(self._encoder.flush()))
            if self._head:
                self._file.seek(0)
                self._file.write(self._tag())
        finally:
            self._file.close()

    def _put(self, data: bytes) -> None:
        if not self._head and data:
            self._head = data[:4]
            self._file.write(bytes(len(self._tag())))  # its place
        self._file.write(data)
        self._bytes += len(data)

    def _tag(self) -> bytes:
        """A frame without sound that tells the length; the larger of "Xing" tags, as LAME's documentation has it."""
        head, long = self._head, self._rate_hz >= 32_000
        side_info = (32 if self._channels == 2 else 17) if long else (17 if self._channels == 2 else 9)
        kbps, frame_samples = (_LONG_KBPS, 1152) if long else (_SHORT_KBPS, 576)

        def frame_bytes(index: int) -> int:
            return frame_samples // 8 * kbps[index] * 1000 // self._rate_hz

        frames = self._bytes // frame_bytes(head[2] >> 4)
        padding = min(4095, max(0, frames * frame_samples - self._samples - _DELAY))
        tag = struct.pack(">4sIII", b"Info", 3, frames, self._bytes)
        tag += struct.pack(">9sBB8xBB", b"LAME3.100", 1, 0, 0, min(255, kbps[head[2] >> 4]))
        tag += (_DELAY << 12 | padding).to_bytes(3, "big")
        start = 4 + side_info
        index = next(i for i in range(1, 15) if frame_bytes(i) >= start + _TAG_BYTES)
        frame = bytearray(frame_bytes(index))
        frame[:4] = head[0], head[1] | 1, index << 4 | head[2] & 0x0C, head[3]
        frame[start : start + len(tag)] = tag
        return bytes(frame)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

"""Sound as servers send it: raw PCM or WAV, whatever the header says, cut anywhere. Rules after facts seen on real servers.

RIFF wins over Content-Type. Raw PCM is s16le; its rate and channels come from the Content-Type (`audio/L16;rate=24000`),
else from the configuration. A WAV size of 0 or 0xFFFFFFFF means "until the end". A sample cut in two is put together.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RIFF_HEAD = 12  # "RIFF", size, "WAVE"
_CHUNK_HEAD = 8
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_OTHERS = {b"ID3": "MP3", b"OggS": "Ogg", b"fLaC": "FLAC", b"\x1aE\xdf\xa3": "WebM"}
_COMPRESSED = ("mpeg", "mp3", "ogg", "opus", "aac", "flac", "webm", "mp4")
_MOST_HEADER = 65536  # bytes of header before the sound of a WAV
_RATES = range(4000, 384001)


class NotSoundError(ValueError):
    """What was sent is no sound that can be read; the message continues "The speech engine X ..."."""


class SoundReader:
    """Turns bytes into mono float32 samples in -1..1. `rate_hz` is right once samples have come.

    Args:
        rate_hz: Rate of raw PCM that does not say its own.
        content_type: The header of that name, if there is one.
    """

    def __init__(self, rate_hz: int, content_type: str = "") -> None:
        self.rate_hz = rate_hz
        self._channels = 1
        self._sample = np.dtype("<i2")
        self._bytes = b""
        self._left: int | None = None  # bytes of sound still to come, if the header told
        self._known = False
        self._kind = content_type.lower()
        for part in self._kind.split(";")[1:]:
            name, _, value = part.strip().partition("=")
            if name == "rate" and value.isdecimal() and int(value) in _RATES:
                self.rate_hz = int(value)
            elif name == "channels" and value in ("1", "2"):
                self._channels = int(value)

    def read(self, data: bytes) -> NDArray[np.float32]:
        """The samples that are complete with `data`; shape (n,).

        Raises:
            NotSoundError: It is no sound.
        """
        self._bytes += data
        if not self._known and not self._recognise():
            return np.zeros(0, np.float32)
        return self._samples()

    def finish(self) -> NDArray[np.float32]:
        """The end of the answer: what was too short to be recognised. Raises `NotSoundError` as `read` does."""
        if not self._known and self._bytes:
            if self._bytes.startswith(b"RIFF"):
                raise NotSoundError("sent a WAV file that ends before its sound")
            self._refuse_others()
            self._known = True
        return self._samples()

    def _recognise(self) -> bool:
        if len(self._bytes) < _RIFF_HEAD:
            return False
        if self._bytes.startswith(b"RIFF") and self._bytes[8:12] == b"WAVE":
            self._known = self._read_wav_head()
        else:
            self._refuse_others()
            self._known = True
        return self._known

    def _refuse_others(self) -> None:
        for magic, name in _OTHERS.items():
            if self._bytes.startswith(magic):
                raise NotSoundError(f"sent {name} although raw PCM was asked for")
        if any(name in self._kind for name in _COMPRESSED):
            raise NotSoundError("sent compressed sound although raw PCM was asked for")
        start = self._bytes[:16]
        if all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in start):
            raise NotSoundError("sent text in place of sound")

    def _read_wav_head(self) -> bool:
        """Find format and sound; False if more bytes are needed."""
        position, known = _RIFF_HEAD, False
        while len(self._bytes) >= position + _CHUNK_HEAD:
            name = self._bytes[position : position + 4]
            size = int(struct.unpack_from("<I", self._bytes, position + 4)[0])
            position += _CHUNK_HEAD
            if name == b"data":
                if not known:
                    raise NotSoundError("sent a WAV file without a format")
                self._left = None if size in _UNKNOWN_SIZES else size
                self._bytes = self._bytes[position:]
                return True
            if name == b"fmt ":
                if len(self._bytes) < position + min(size, 40):
                    return False
                self._read_format(position, size)
                known = True
            position += size + size % 2
            if position > _MOST_HEADER:
                raise NotSoundError("sent a damaged WAV file")
        return False

    def _read_format(self, position: int, size: int) -> None:
        if size < 16:
            raise NotSoundError("sent a damaged WAV file")
        form, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", self._bytes, position)
        if form == _EXTENSIBLE and size >= 26:
            form = struct.unpack_from("<H", self._bytes, position + 24)[0]
        kinds = {(_PCM, 16): "<i2", (_PCM, 32): "<i4", (_FLOAT, 32): "<f4", (_FLOAT, 64): "<f8"}
        if (form, bits) not in kinds or channels not in range(1, 9) or rate_hz not in _RATES:
            raise NotSoundError(f"sent a WAV file of a kind that is not read here (format {form}, {bits} bits)")
        self._sample, self._channels, self.rate_hz = np.dtype(kinds[form, bits]), channels, rate_hz

    def _samples(self) -> NDArray[np.float32]:
        if self._left is not None and len(self._bytes) > self._left:
            self._bytes = self._bytes[: self._left]  # what follows the sound in a WAV file is none
        whole = len(self._bytes) - len(self._bytes) % (self._sample.itemsize * self._channels)
        sound, self._bytes = self._bytes[:whole], self._bytes[whole:]
        if self._left is not None:
            self._left -= whole
        values = np.frombuffer(sound, self._sample)
        full = np.float32(1) if self._sample.kind == "f" else np.float32(2 ** (8 * self._sample.itemsize - 1))
        samples = values.astype(np.float32) / full
        return samples if self._channels == 1 else samples.reshape(-1, self._channels).mean(axis=1, dtype=np.float32)

"""Reads sound as servers send it: raw PCM, WAV or compressed, whatever the header says, cut anywhere. Rules after real servers.

What the bytes are wins over Content-Type. Raw PCM is s16le; its rate and channels come from the Content-Type
(`audio/L16;rate=24000`), else from the configuration. A WAV's sizes are not believed: what comes after the announced end is
played if it is sound, and a further WAV behind the first (some servers send one a sentence) begins anew; its header is never
heard. What is compressed is collected and decoded when it is complete. A sample cut in two is put together.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Literal

import numpy as np

from core.audio import decode
from core.audio.frames import RATE_HZ
from core.errors import AudioError
from core.speech.glued import files
from core.speech.recognise import ENOUGH, UNMARKED, WAVES, is_written, no_sound, recognise

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from numpy.typing import NDArray

_RIFF_HEAD = 12  # "RIFF", size, "WAVE"
_CHUNK_HEAD = 8
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_MOST_HEADER = 65536  # bytes of header before the sound of a WAV
_MOST_PACKED = 32 * 2**20  # bytes of compressed sound in one answer
_MOST_PACKED_S = 600.0
_RATES = range(4000, 384001)
_CHANNELS = range(1, 9)
_LOUDEST = 16.0  # a float beyond this is no sample
_WAVE = re.compile(rb"(?:RIFF|RF64|BW64)[\s\S]{4}WAVE")
_CHUNK_NAME = re.compile(rb"[A-Za-z0-9_ -]{4}")
_MOST_CHUNK = 4 * 2**20  # bytes of a chunk behind the sound; samples would have to be very strange to look like one
_KINDS = {
    (_PCM, 8): "u1",
    (_PCM, 16): "<i2",
    (_PCM, 24): "V3",
    (_PCM, 32): "<i4",
    (_FLOAT, 32): "<f4",
    (_FLOAT, 64): "<f8",
}

_State = Literal["unknown", "head", "sound", "behind", "packed"]

NO_SOUND = "sent something that is no sound"


class NotSoundError(ValueError):
    """What was sent is no sound that can be read; the message continues "The speech engine X ..."."""


class SoundReader:
    """Turns bytes into mono float32 samples in -1..1. `rate_hz` is that of the samples that were given last.

    Where the rate changes in the middle, `read` stops: call it with nothing until nothing more comes.

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
        self._skip = 0  # bytes of a chunk behind the sound
        self._state: _State = "unknown"
        self._sounded = False
        self._guessed = True
        self._name = ""  # of what is compressed
        self._packed = bytearray()
        self._kind = content_type.lower()
        for part in self._kind.split(";")[1:]:
            name, _, value = part.strip().partition("=")
            if name == "rate" and value.isascii() and value.isdecimal() and int(value[:8]) in _RATES:
                self.rate_hz = int(value[:8])
            elif name == "channels" and value in ("1", "2"):
                self._channels = int(value)
        self._due_hz = self.rate_hz  # of what comes next

    @property
    def packed(self) -> bool:
        """Whether the sound is compressed: it comes from `unpack` when all of it is there, not from `read`."""
        return self._state == "packed"

    def read(self, data: bytes) -> NDArray[np.float32]:
        """The samples that are complete with `data`; shape (n,).

        Raises:
            NotSoundError: It is no sound.
        """
        if self._state == "sound" and is_written(data):
            raise NotSoundError("sent text in the middle of its sound")
        self._bytes += data
        return self._advance(last=False)

    def finish(self) -> NDArray[np.float32]:
        """The end of the answer; what is compressed is decoded here and now, which blocks. Errors as in `read`."""
        samples = self._advance(last=True)
        if not self._packed:
            return samples
        try:
            blocks = [
                block
                for each in files(bytes(self._packed))
                for block in decode.blocks(each, max_bytes=_MOST_PACKED, max_s=_MOST_PACKED_S)
            ]
        except AudioError as error:
            raise self._unreadable() from error
        self._packed.clear()
        self.rate_hz = RATE_HZ
        return self._checked(np.concatenate([_mono(block) for block in blocks]))

    async def unpack(self) -> AsyncGenerator[NDArray[np.float32], None]:
        """The sound of a compressed answer that is complete, block by block, decoded on a thread. Errors as in `read`."""
        self._advance(last=True)
        if not self._packed:
            return
        self.rate_hz = RATE_HZ
        for each in files(bytes(self._packed)):
            blocks = decode.decode(each, max_bytes=_MOST_PACKED, max_s=_MOST_PACKED_S)
            try:
                async for block in blocks:
                    yield self._checked(_mono(block))
            except AudioError as error:
                raise self._unreadable() from error
            finally:
                await blocks.aclose()

    # Which it is ------------------------------------------------------------------------------------------------------

    def _advance(self, *, last: bool) -> NDArray[np.float32]:
        """The samples that can be given now; stops where another rate begins."""
        self.rate_hz = self._due_hz
        given: list[NDArray[np.float32]] = []
        steps: dict[_State, Callable[[bool], bool]] = {
            "unknown": self._recognise,
            "head": self._read_wav_head,
            "sound": lambda last: self._take(given, last),
            "behind": self._look_behind,
            "packed": self._collect,
        }
        while steps[self._state](last):
            if self._due_hz != self.rate_hz:
                if given:
                    break
                self.rate_hz = self._due_hz
        return self._checked(np.concatenate(given)) if given else np.zeros(0, np.float32)

    def _recognise(self, last: bool) -> bool:
        """Find out what comes; False if more bytes are needed."""
        if not self._bytes or (found := recognise(self._bytes, self._kind, whole=last)) is None:
            return False
        kind, self._name = found
        self._guessed = kind == "raw" or self._name == UNMARKED
        if kind == "text":
            raise NotSoundError("sent text in place of sound")
        if kind == "other":
            raise NotSoundError(f"sent {self._name} in place of sound")
        if kind == "raw" and no_sound(self._decoded(self._bytes[:ENOUGH])):  # of a kind without a mark, perhaps
            kind, self._name = "packed", ""
        states: dict[str, _State] = {"wav": "head", "packed": "packed", "raw": "sound"}
        self._state = states[kind]
        return True

    def _collect(self, last: bool) -> bool:
        del last
        self._packed += self._bytes
        self._bytes = b""
        if len(self._packed) > _MOST_PACKED:
            raise NotSoundError(f"sent more than {_MOST_PACKED / 2**20:.0f} MiB of {self._name or 'something'}")
        return False

    def _unreadable(self) -> NotSoundError:
        if self._name.startswith("a WAV"):
            return NotSoundError(f"sent {self._name}")
        return NotSoundError(f"sent {self._name}, which cannot be decoded" if self._name else NO_SOUND)

    # WAV --------------------------------------------------------------------------------------------------------------

    def _read_wav_head(self, last: bool) -> bool:
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
                self._state = "sound"
                return True
            if name == b"fmt ":
                if len(self._bytes) < position + min(size, 40):
                    break
                if not self._read_format(position, size):
                    self._state = "packed"
                    return True
                known = True
            position += size + size % 2
            if position > _MOST_HEADER:
                raise NotSoundError("sent a damaged WAV file")
        if last and not self._sounded:
            raise NotSoundError("sent a WAV file that ends before its sound")
        return False

    def _read_format(self, position: int, size: int) -> bool:
        """Take over the format; False if samples of this kind are not read here."""
        if size < 16:
            raise NotSoundError("sent a damaged WAV file")
        form, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", self._bytes, position)
        if form == _EXTENSIBLE and size >= 26:
            form = struct.unpack_from("<H", self._bytes, position + 24)[0]
        if channels not in _CHANNELS or rate_hz not in _RATES:
            raise NotSoundError(f"sent a WAV file of {channels} channel(s) at {rate_hz} Hz, which is no speech")
        if (form, bits) not in _KINDS:
            self._name = f"a WAV file of a kind that is not read here (format {form}, {bits} bits)"
            if self._sounded or form in (_PCM, _FLOAT):  # with a size like 0 or 7 bits nobody knows what they are
                raise self._unreadable()
            return False
        self._sample, self._channels, self._due_hz = np.dtype(_KINDS[form, bits]), channels, rate_hz
        return True

    def _look_behind(self, last: bool) -> bool:
        """What follows the announced end: a further file, a chunk that is no sound, or more sound after all."""
        skipped = min(self._skip, len(self._bytes))
        self._bytes, self._skip = self._bytes[skipped:], self._skip - skipped
        if self._skip or not self._bytes or (len(self._bytes) < _RIFF_HEAD + 1 and not last):
            return False
        for padding in (0, 1):  # chunks begin at even places
            start = self._bytes[padding : padding + _RIFF_HEAD]
            if _WAVE.match(start):
                self._bytes, self._state = self._bytes[padding:], "head"
                return True
            size = int(struct.unpack_from("<I", start, 4)[0]) if len(start) >= _CHUNK_HEAD else _MOST_CHUNK + 1
            if _CHUNK_NAME.match(start) and size <= _MOST_CHUNK:
                self._bytes = self._bytes[padding + _CHUNK_HEAD :]
                if start.startswith(b"data"):
                    self._left, self._state = size, "sound"
                else:
                    self._skip = size + size % 2
                return True
        self._left, self._state = None, "sound"
        return True

    # Samples ----------------------------------------------------------------------------------------------------------

    def _take(self, given: list[NDArray[np.float32]], last: bool) -> bool:
        """Return what is sound for certain; True if something else may follow."""
        end = len(self._bytes) if self._left is None else min(self._left, len(self._bytes))
        further = _WAVE.search(self._bytes, 0, end + _RIFF_HEAD)
        if further is not None and further.start() <= end:
            end = further.start()
        elif not last:
            end = min(end, _possible_wave(self._bytes))
        block = self._sample.itemsize * self._channels
        whole = end - end % block
        if whole:
            given.append(self._decoded(self._bytes[:whole]))
            self._sounded = True
        self._left = None if self._left is None else self._left - whole
        if further is not None and further.start() == end:
            self._bytes, self._state = self._bytes[end:], "head"
            return True
        self._bytes = self._bytes[whole:]
        if (
            self._left is not None and self._left < block
        ):  # all that was announced; half a sample stays for what may follow
            if self._left and len(self._bytes) <= self._left:
                return False
            self._state = "behind"
            return True
        return False

    def _decoded(self, sound: bytes) -> NDArray[np.float32]:
        block = self._sample.itemsize * self._channels
        sound = sound[: len(sound) - len(sound) % block]
        if self._sample.kind == "V":
            parts = np.frombuffer(sound, np.uint8).reshape(-1, 3).astype(np.int32)
            samples = (parts[:, 0] << 8 | parts[:, 1] << 16 | parts[:, 2] << 24).astype(np.float32) / np.float32(2**31)
        elif self._sample.kind == "u":
            samples = (np.frombuffer(sound, np.uint8).astype(np.float32) - 128) / np.float32(128)
        else:
            values = np.frombuffer(sound, self._sample)
            full = np.float32(1) if self._sample.kind == "f" else np.float32(2 ** (8 * self._sample.itemsize - 1))
            with np.errstate(over="ignore", invalid="ignore"):
                samples = values.astype(np.float32) / full
            if self._sample.kind == "f":
                samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
                if len(samples) and np.abs(samples).max() > _LOUDEST:
                    raise NotSoundError(NO_SOUND)
        return samples if self._channels == 1 else samples.reshape(-1, self._channels).mean(axis=1, dtype=np.float32)

    def _checked(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """What nothing but a guess says is sound has to look like it; a file with a head is taken at its word."""
        if self._guessed and no_sound(samples):
            raise NotSoundError(NO_SOUND)
        return samples


def _possible_wave(data: bytes) -> int:
    """Where the head of a further WAV may have begun that is not complete yet; the end if nowhere."""
    for start in range(max(0, len(data) - _RIFF_HEAD + 1), len(data)):
        tail = data[start:]
        if any(mark.startswith(tail[:4]) for mark in WAVES) and b"WAVE".startswith(tail[8:]):
            return start
    return len(data)


def _mono(block: NDArray[np.float32]) -> NDArray[np.float32]:
    return block.mean(axis=1, dtype=np.float32)

"""Opus through the libopus that PyAV's wheel carries: encode, decode, conceal, and look into packets."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import importlib.util
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from core.audio.frames import CHANNELS, FRAME_SAMPLES, RATE_HZ
from core.errors import AudioError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_PACKET_BYTES = 4000  # what libopus recommends for an output buffer
MAX_PACKET_SAMPLES = 5760  # 120 ms, the longest packet (RFC 6716, 3.2.5)
LOOKAHEAD_SAMPLES = 312  # by which libopus delays what it encodes: 6.5 ms in its "audio" and "voip" modes

Application = Literal["audio", "voip", "lowdelay"]
_APPLICATIONS: dict[Application, int] = {"voip": 2048, "audio": 2049, "lowdelay": 2051}
_SET_BITRATE, _SET_COMPLEXITY, _SET_FEC, _SET_LOSS, _SET_DTX = 4002, 4010, 4012, 4014, 4016
_GET_LOOKAHEAD, _RESET_STATE = 4027, 4028
_CELT_SILENCE = b"\xff\xfe"
_SILK_SAMPLES = (480, 960, 1920, 2880)
_CELT_SAMPLES = (120, 240, 480, 960)


@dataclass(frozen=True, slots=True)
class PacketInfo:
    """What the first bytes of an Opus packet say (RFC 6716, section 3.1)."""

    mode: Literal["silk", "hybrid", "celt"]
    channels: int
    frames: int
    frame_samples: int  # at 48 kHz

    @property
    def samples(self) -> int:
        """Length of the whole packet in samples a channel at 48 kHz."""
        return self.frames * self.frame_samples


def _frame_samples(config: int) -> int:
    if config < 12:
        return _SILK_SAMPLES[config & 3]
    if config < 16:
        return _SILK_SAMPLES[config & 1]
    return _CELT_SAMPLES[config & 3]


_FRAME_SAMPLES_BY_TOC = tuple(_frame_samples(toc >> 3) for toc in range(256))


def packet_samples(payload: bytes) -> int:
    """Length of a packet in samples a channel at 48 kHz; 0 if it is no Opus."""
    if not payload:
        return 0
    toc = payload[0]
    code = toc & 3
    if code == 0:
        return _FRAME_SAMPLES_BY_TOC[toc]
    if code < 3:
        return 2 * _FRAME_SAMPLES_BY_TOC[toc]
    if len(payload) < 2:
        return 0
    samples = (payload[1] & 0x3F) * _FRAME_SAMPLES_BY_TOC[toc]
    return samples if samples <= MAX_PACKET_SAMPLES else 0


def is_silence(payload: bytes) -> bool:
    """Whether a packet holds no sound: empty frames, or what Celt writes for digital silence, once or several times."""
    if len(payload) <= 2:
        return True
    if payload[0] < 0x80 or payload[-2:] != _CELT_SILENCE:
        return False
    frames = payload[1:] if payload[0] & 3 < 2 else payload[2:]
    return len(frames) % 2 == 0 and frames == _CELT_SILENCE * (len(frames) // 2)


def inspect_packet(payload: bytes) -> PacketInfo | None:
    """What a packet's first bytes say; None if it is no Opus."""
    samples = packet_samples(payload)
    if samples == 0:
        return None
    toc = payload[0]
    config = toc >> 3
    frame_samples = _FRAME_SAMPLES_BY_TOC[toc]
    return PacketInfo(
        mode="silk" if config < 12 else "hybrid" if config < 16 else "celt",
        channels=2 if toc & 4 else 1,
        frames=samples // frame_samples,
        frame_samples=frame_samples,
    )


def has_fec(payload: bytes) -> bool:
    """Whether a packet carries a coarse copy of the one before it, which `Decoder.recover` can use."""
    check = getattr(_library(), "opus_packet_has_lbrr", None)  # libopus 1.5 and newer
    return check is not None and bool(payload) and int(check(payload, len(payload))) > 0


def find_libopus() -> Path:
    """The shared library of Opus: the one in PyAV's wheel, or else the system's.

    Raises:
        AudioError: There is none.
    """
    spec = importlib.util.find_spec("av")
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).parent
        for folder in (package.with_name("av.libs"), package / ".dylibs", package):
            # libopus-0a1b2c.so.0 on Linux, libopus.0.dylib on macOS, libopus-0-0a1b2c.dll on Windows
            for file in sorted(folder.glob("*opus*")):
                if re.match(r"(lib)?opus[-.\d].*(so|dylib|dll)", file.name):
                    return file
    system = ctypes.util.find_library("opus")
    if system is None:
        raise AudioError("The Opus library is missing: install PyAV from a wheel (pip install av).")
    return Path(system)


@functools.cache
def _library() -> Any:
    path = find_libopus()
    if sys.platform == "win32" and path.is_absolute():
        os.add_dll_directory(str(path.parent))
    library = ctypes.CDLL(str(path))
    pointer, integer = ctypes.c_void_p, ctypes.c_int32
    library.opus_strerror.restype = ctypes.c_char_p
    for name, arguments, result in (
        ("opus_encoder_create", [integer, ctypes.c_int, ctypes.c_int, pointer], pointer),
        ("opus_encoder_destroy", [pointer], None),
        ("opus_encode", [pointer, pointer, ctypes.c_int, pointer, integer], integer),
        ("opus_encode_float", [pointer, pointer, ctypes.c_int, pointer, integer], integer),
        ("opus_decoder_create", [integer, ctypes.c_int, pointer], pointer),
        ("opus_decoder_destroy", [pointer], None),
        ("opus_decode", [pointer, ctypes.c_char_p, integer, pointer, ctypes.c_int, ctypes.c_int], ctypes.c_int),
        # Only the fixed arguments of the variadic calls are named: on Apple's ARM the others travel differently.
        ("opus_encoder_ctl", [pointer, ctypes.c_int], ctypes.c_int),
        ("opus_decoder_ctl", [pointer, ctypes.c_int], ctypes.c_int),
    ):
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, result
    if hasattr(library, "opus_packet_has_lbrr"):
        library.opus_packet_has_lbrr.argtypes = [ctypes.c_char_p, integer]
        library.opus_packet_has_lbrr.restype = ctypes.c_int
    return library


def _check(code: int) -> int:
    if code < 0:
        raise AudioError(f"Opus refuses: {_library().opus_strerror(code).decode()}.")
    return code


class Encoder:
    """Turns 48 kHz samples into Opus packets. Not for two threads at once."""

    def __init__(
        self,
        *,
        bitrate_bps: int = 64_000,
        fec: bool = True,
        expected_loss: float = 0.0,
        application: Application = "audio",
        channels: int = CHANNELS,
        complexity: int | None = None,
        dtx: bool = False,
    ) -> None:
        """Prepare an encoder.

        Args:
            bitrate_bps: Bits a second, 500 to 512,000.
            fec: Put a coarse copy of each frame into the next one; libopus does so only in its speech modes, and
                only if some loss is expected.
            expected_loss: Share of packets that will be lost, 0 to 1.
            application: What libopus tunes itself for.
            channels: 1 or 2.
            complexity: 0 (fast) to 10 (good); libopus's own choice if None.
            dtx: Send almost nothing while there is silence.

        Raises:
            AudioError: libopus is missing or refuses a value.
        """
        self._library = _library()
        error = ctypes.c_int()
        self._state: int | None = self._library.opus_encoder_create(
            RATE_HZ, channels, _APPLICATIONS[application], ctypes.byref(error)
        )
        _check(error.value)
        self.channels = channels
        self._buffer = ctypes.create_string_buffer(MAX_PACKET_BYTES)
        self.set_bitrate(bitrate_bps)
        self.set_fec(fec)
        self.set_expected_loss(expected_loss)
        self._set(_SET_DTX, int(dtx))
        if complexity is not None:
            self._set(_SET_COMPLEXITY, complexity)

    @property
    def lookahead_samples(self) -> int:
        """By how many samples the decoded signal comes later than what was encoded."""
        value = ctypes.c_int32()
        _check(self._library.opus_encoder_ctl(self._state, _GET_LOOKAHEAD, ctypes.byref(value)))
        return value.value

    def set_bitrate(self, bitrate_bps: int) -> None:
        """Change the bit rate from the next packet on."""
        self._set(_SET_BITRATE, bitrate_bps)

    def set_fec(self, fec: bool) -> None:
        """Switch the coarse copies of the frame before on or off."""
        self._set(_SET_FEC, int(fec))

    def set_expected_loss(self, share: float) -> None:
        """Tell what share of packets is lost, 0 to 1."""
        self._set(_SET_LOSS, round(min(max(share, 0.0), 1.0) * 100))

    def reset(self) -> None:
        """Forget everything heard so far."""
        _check(self._library.opus_encoder_ctl(self._state, _RESET_STATE))

    def encode(self, pcm: bytes | NDArray[np.int16]) -> bytes:
        """One packet of 16-bit samples: bytes (interleaved, native order) or shape (n,) or (n, channels); n as in RFC 6716, usually 960."""
        samples = np.frombuffer(pcm, np.int16) if isinstance(pcm, bytes) else np.ascontiguousarray(pcm, np.int16)
        return self._encode(self._library.opus_encode, samples)

    def encode_float(self, samples: NDArray[np.float32]) -> bytes:
        """One packet of samples in -1..1, shape (n,) or (n, channels)."""
        return self._encode(self._library.opus_encode_float, np.ascontiguousarray(samples, np.float32))

    def _encode(self, function: Any, samples: NDArray[Any]) -> bytes:
        length = _check(
            function(self._state, samples.ctypes.data, samples.size // self.channels, self._buffer, MAX_PACKET_BYTES)
        )
        return self._buffer.raw[:length]

    def _set(self, request: int, value: int) -> None:
        _check(self._library.opus_encoder_ctl(self._state, request, ctypes.c_int32(value)))

    def __del__(self) -> None:
        state, self._state = getattr(self, "_state", None), None
        if state:
            self._library.opus_encoder_destroy(state)


class Decoder:
    """Turns Opus packets into 16-bit samples. Not for two threads at once; libopus runs without the GIL."""

    def __init__(self, *, channels: int = CHANNELS, rate_hz: int = RATE_HZ) -> None:
        """Prepare a decoder.

        Args:
            channels: 1 or 2; libopus mixes.
            rate_hz: 8,000, 12,000, 16,000, 24,000 or 48,000; libopus leaves out what does not fit, at no cost.

        Raises:
            AudioError: libopus is missing, or refuses the rate.
        """
        self._library = _library()
        self._decode = self._library.opus_decode
        error = ctypes.c_int()
        self._state: int | None = self._library.opus_decoder_create(rate_hz, channels, ctypes.byref(error))
        _check(error.value)
        self.channels = channels
        self._divisor = RATE_HZ // rate_hz

    def reset(self) -> None:
        """Forget everything heard so far."""
        _check(self._library.opus_decoder_ctl(self._state, _RESET_STATE))

    def decode(self, payload: bytes) -> NDArray[np.int16]:
        """The samples of a packet, shape (n, channels).

        Raises:
            AudioError: The packet is no Opus.
        """
        out = self._empty((packet_samples(payload) or MAX_PACKET_SAMPLES) // self._divisor)
        return out[: self.decode_into(payload, out)]

    def conceal(self, samples: int = FRAME_SAMPLES) -> NDArray[np.int16]:
        """What may have been in a lost packet, guessed from what came before; `samples` (at 48 kHz) is a multiple of 120."""
        out = self._empty(samples // self._divisor)
        return out[: self.conceal_into(out)]

    def recover(self, following: bytes, samples: int = FRAME_SAMPLES) -> NDArray[np.int16]:
        """The lost packet before `following`, from the coarse copy in it, or else a guess; decode `following` next."""
        out = self._empty(samples // self._divisor)
        return out[: self.recover_into(following, out)]

    def decode_into(self, payload: bytes, out: NDArray[np.int16]) -> int:
        """Decode into `out`, contiguous and of shape (n, channels); returns the samples written.

        Raises:
            AudioError: The packet is no Opus, or longer than `out`.
        """
        return _check(self._decode(self._state, payload, len(payload), out.ctypes.data, len(out), 0))

    def conceal_into(self, out: NDArray[np.int16]) -> int:
        """`conceal` for as many samples as `out` has; returns their number."""
        return _check(self._decode(self._state, None, 0, out.ctypes.data, len(out), 0))

    def recover_into(self, following: bytes, out: NDArray[np.int16]) -> int:
        """`recover` for as many samples as `out` has; returns their number."""
        return _check(self._decode(self._state, following, len(following), out.ctypes.data, len(out), 1))

    def _empty(self, samples: int) -> NDArray[np.int16]:
        return cast("NDArray[np.int16]", np.empty((samples, self.channels), np.int16))

    def __del__(self) -> None:
        state, self._state = getattr(self, "_state", None), None
        if state:
            self._library.opus_decoder_destroy(state)

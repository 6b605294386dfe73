"""What a journal writes beside people's packets: silence, empty packets for lost ones, and marks that say where a packet belongs.

A mark is an extension in a packet's padding, which decoders pass over (RFC 6716, 3.2.5, and the IETF's extension format
for Opus); taken off again, the packet is as it came.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from core.audio.frames import FRAME_SAMPLES
from core.audio.opus import packet_samples

if TYPE_CHECKING:
    from collections.abc import Iterable

SHORTEST = 120  # samples of the shortest frame, 2.5 ms

# Celt, full band, in packets of several frames, which no client sends: six of 20 ms, and one of 20, 10, 5 and 2.5 ms.
LONG_SILENCE = b"\xfb\x06" + 6 * b"\xff\xfe"
LONG_SAMPLES = 6 * FRAME_SAMPLES
_SHORT_SILENCES = (
    (960, b"\xfb\x01\xff\xfe"),
    (480, b"\xf3\x01\xff\xfe"),
    (240, b"\xeb\x01\xff\xfe"),
    (120, b"\xe3\x01\xff\xfe"),
)
_SILENCES = frozenset((LONG_SILENCE, *(packet for _, packet in _SHORT_SILENCES)))

_CELT_BANDS = (0x80, 0xA0, 0xA0, 0xC0, 0xE0)  # TOC of narrow, medium (which Celt lacks), wide, super-wide and full band
_CELT_SIZES = (120, 240, 480, 960)
_SILK_SIZES = (480, 960, 1920, 2880)
_HYBRID_SIZES = (480, 960)
_STEREO, _CODE = 0x04, 0x03
_VBR, _PADDED, _FRAMES = 0x80, 0x40, 0x3F

_EXTENSION = struct.Struct("<B3sBi")  # id of a long extension up to the packet's end, ours, flags, shift
_ID, _NAME = 105 << 1, b"Par"
_OURS = 0x04  # flag: no packet of theirs, but filling


class Marked(NamedTuple):
    """A packet without its mark."""

    payload: bytes
    shift: int | None = None  # from granule positions to true ones, from here on; None if there was no mark
    ours: bool = False  # filling


def silence(samples: int) -> list[bytes]:
    """Packets that decode to silence, `samples` long as far as a multiple of 120 can be."""
    packets: list[bytes] = []
    for length, packet in _SHORT_SILENCES:
        count, samples = divmod(samples, length)
        packets += [packet] * count
    return packets


def is_silence(packet: bytes) -> bool:
    """Whether it is one of those that fill gaps."""
    return packet in _SILENCES


def empty_packets(toc: int, lengths: Iterable[int]) -> list[bytes]:
    """Packets of empty frames, each as long as wanted, which ask a decoder to conceal what was lost.

    Args:
        toc: First byte of the packet before, whose mode and band are kept where that can be.
        lengths: In samples, multiples of 120 up to 5,760.
    """
    return [_empty(toc, length) for length in lengths]


def is_empty(packet: bytes) -> bool:
    """Whether all frames of a packet are empty, as those of a lost packet's place."""
    return len(packet) == 2 and packet[0] & _CODE == 3 and 0 < packet[1] <= _FRAMES


def looks_ours(packet: bytes) -> bool:
    """Whether a person's packet could be taken for one that a journal adds."""
    if packet[0] & _CODE != _CODE:  # all that a journal adds has this code; few clients send it
        return False
    return is_empty(packet) or is_silence(packet) or unmark(packet).shift is not None


def mark(packet: bytes, shift: int, *, ours: bool = False) -> bytes:
    """A packet that says how far the true position is from the file's, and decodes as before."""
    code = packet[0] & _CODE
    padding, size = b"", 0
    if code < 3:
        frames = _PADDED | (0, _VBR)[code == 2] | (1 if code == 0 else 2)
        body = packet[1:]
    else:
        frames = packet[1] | _PADDED
        body = packet[2:]
        if packet[1] & _PADDED:
            begin, size = _padding(packet)
            body, padding = packet[begin : len(packet) - size], packet[len(packet) - size :]
            code |= 0x08
    extension = _EXTENSION.pack(_ID, _NAME, code | (_OURS if ours else 0), shift)
    head = bytes((packet[0] | _CODE, frames))
    return b"".join((head, _padding_length(size + len(extension)), body, padding, extension))


def unmark(packet: bytes) -> Marked:
    """A packet as it was before it was marked, and what the mark says."""
    if len(packet) < 3 + _EXTENSION.size or packet[0] & _CODE != 3 or not packet[1] & _PADDED:
        return Marked(packet)
    identity, name, flags, shift = _EXTENSION.unpack(packet[-_EXTENSION.size :])
    if identity != _ID or name != _NAME:
        return Marked(packet)
    begin, size = _padding(packet)
    size -= _EXTENSION.size
    end = len(packet) - _EXTENSION.size
    if size < 0 or begin > end - size:
        return Marked(packet)
    code = flags & _CODE
    toc = bytes((packet[0] & ~_CODE | code,))
    if code < 3:
        payload = toc + packet[begin:end]
    elif flags & 0x08:
        payload = b"".join((toc, packet[1:2], _padding_length(size), packet[begin:end]))
    else:
        payload = b"".join((toc, bytes((packet[1] & ~_PADDED,)), packet[begin:end]))
    return Marked(payload, shift, bool(flags & _OURS))


def _empty(toc: int, samples: int) -> bytes:
    config = toc >> 3
    sizes = _SILK_SIZES if config < 12 else _HYBRID_SIZES if config < 16 else _CELT_SIZES
    base = config & ~3 if config < 12 or config >= 16 else config & ~1
    own = packet_samples(bytes((toc & ~_CODE, 0)))
    for size in (own, *reversed(sizes)):
        if samples % size == 0:
            return bytes(((base + sizes.index(size)) << 3 | toc & _STEREO | 3, samples // size))
    # parts of 10 ms that only Celt knows
    band = _CELT_BANDS[config >> 2 if config < 12 else 3 + (config >> 1 & 1)]
    size = next(size for size in reversed(_CELT_SIZES) if samples % size == 0)
    return bytes((band + (_CELT_SIZES.index(size) << 3) | toc & _STEREO | 3, samples // size))


def _padding(packet: bytes) -> tuple[int, int]:
    """Where a padded packet goes on behind the length of its padding, and that length."""
    at, size = 2, 0
    while at < len(packet) and packet[at] == 255:
        size, at = size + 254, at + 1
    size += packet[at] if at < len(packet) else 0
    return at + 1, min(size, max(0, len(packet) - at - 1))


def _padding_length(size: int) -> bytes:
    whole, rest = divmod(size, 254)
    if whole and rest == 0:
        return b"\xff" * (whole - 1) + b"\xfe"
    return b"\xff" * whole + bytes((rest,))

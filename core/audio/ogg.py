"""Ogg pages with Opus in them (RFC 3533, RFC 7845): built so that a file may end anywhere, read so that damage is passed over."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from core.audio.frames import CHANNELS, RATE_HZ
from core.audio.opus import LOOKAHEAD_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PRE_SKIP = LOOKAHEAD_SAMPLES  # a player drops this much, which undoes the encoder's delay
FIRST, LAST = 0x02, 0x04  # flags of a stream's first and last page
MAX_SEGMENTS = 255
MAX_PAGE_BYTES = 27 + 255 + 255 * 255

_CAPTURE = b"OggS"
_HEADER = struct.Struct("<4sBBqIIIB")
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_BYTES = tuple(bytes((value,)) for value in range(256))
_READ_BYTES = 1 << 16


def page_checksum(page: bytes) -> bytes:
    """Ogg's CRC of a page whose checksum field is zero, as the four bytes that go there.

    Ogg's polynomial is zlib's with the bits the other way round, so zlib does the work on reversed bytes.
    """
    value = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return value.to_bytes(4, "big").translate(_REVERSED)


def build_page(packets: Sequence[bytes], granule: int, serial: int, sequence: int, flags: int = 0) -> bytes:
    """One page of whole packets, at most 255 segments of 255 bytes in all.

    Args:
        packets: What is on the page.
        granule: Position in samples at the end of the last packet.
        serial: Number of the stream.
        sequence: Number of the page in its stream.
        flags: `FIRST`, `LAST` or none.
    """
    if len(packets) == 1:  # the usual page
        lacing, body = _lacing(packets[0]), packets[0]
    else:
        lacing, body = b"".join(map(_lacing, packets)), b"".join(packets)
    page = _HEADER.pack(_CAPTURE, 0, flags, granule, serial, sequence & 0xFFFFFFFF, 0, len(lacing)) + lacing + body
    return page[:22] + page_checksum(page) + page[26:]


def _lacing(packet: bytes) -> bytes:
    """How long a packet is, as a page says it."""
    size = len(packet)
    return _BYTES[size] if size < 255 else b"\xff" * (size // 255) + _BYTES[size % 255]


def opus_head() -> bytes:
    """The first packet of a stream: stereo, 48 kHz."""
    return struct.pack("<8sBBHIhB", b"OpusHead", 1, CHANNELS, PRE_SKIP, RATE_HZ, 0, 0)


def opus_tags(vendor: str, comments: Mapping[str, str]) -> bytes:
    """The second packet of a stream: who made it and what it is."""
    entries = [f"{key}={value}".encode() for key, value in comments.items()]
    parts = [b"OpusTags", struct.pack("<I", len(vendor.encode())), vendor.encode(), struct.pack("<I", len(entries))]
    for entry in entries:
        parts += [struct.pack("<I", len(entry)), entry]
    return b"".join(parts)


def read_tags(packet: bytes) -> dict[str, str] | None:
    """The comments in a stream's second packet; None if it is another one or damaged."""
    if not packet.startswith(b"OpusTags"):
        return None
    entries: dict[str, str] = {}
    try:
        at = 12 + struct.unpack_from("<I", packet, 8)[0]
        (count,) = struct.unpack_from("<I", packet, at)
        at += 4
        for _ in range(count):
            (size,) = struct.unpack_from("<I", packet, at)
            key, _, value = packet[at + 4 : at + 4 + size].decode(errors="replace").partition("=")
            entries[key] = value
            at += 4 + size
    except struct.error:
        return None
    return entries


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it was found."""

    offset: int  # of its first byte in the file
    size: int
    granule: int
    sequence: int
    flags: int
    packets: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that are no page: cut off, or changed."""

    offset: int
    size: int
    truncated: bool  # the file ends within a page


class PageReader:
    """Reads pages one after the other, in constant memory; what is damaged is told and passed over."""

    def __init__(self, file: BinaryIO, offset: int = 0) -> None:
        """Begin at `offset`, which must be where a page begins."""
        self._file = file
        self._buffer = b""
        self._start = 0  # of the next page within the buffer
        self._base = offset  # of the buffer within the file
        file.seek(offset)

    @property
    def offset(self) -> int:
        """Where the next page begins, or is expected."""
        return self._base + self._start

    def __iter__(self) -> Iterator[Page | Damage]:
        """Every page and every stretch of damage up to the end of the file."""
        while True:
            page = self._page()
            if page is not None:
                self._start += page.size
                yield page
                continue
            if not self._fill(1):
                return
            yield self._skip()

    def _page(self) -> Page | None:
        """The page that begins here, if there is a whole and sound one."""
        if not self._fill(_HEADER.size):
            return None
        start = self._start
        capture, version, flags, granule, _, sequence, _, count = _HEADER.unpack_from(self._buffer, start)
        if capture != _CAPTURE or version != 0:
            return None
        begin = _HEADER.size + count
        if not self._fill(begin):
            return None
        start = self._start
        lacing = self._buffer[start + _HEADER.size : start + begin]
        size = begin + sum(lacing)
        if not self._fill(size):
            return None
        page = self._buffer[self._start : self._start + size]
        if page_checksum(b"".join((page[:22], b"\0\0\0\0", page[26:]))) != page[22:26]:
            return None
        return Page(self.offset, size, granule, sequence, flags, _split(page, lacing, begin))

    def _skip(self) -> Damage:
        """Go on to the next place where a sound page begins, or to the end."""
        offset = self.offset
        truncated = True
        while self._fill(len(_CAPTURE) + 1):
            found = self._buffer.find(_CAPTURE, self._start + 1)
            if found < 0:
                self._start = len(self._buffer) - len(_CAPTURE) + 1
                continue
            self._start = found
            if self._page() is not None:
                truncated = False
                break
        else:
            self._start = len(self._buffer)
        return Damage(offset, self.offset - offset, truncated)

    def _fill(self, size: int) -> bool:
        """Have `size` bytes from here on in the buffer; whether the file has that many."""
        missing = self._start + size - len(self._buffer)
        if missing <= 0:
            return True
        more = self._file.read(max(missing, _READ_BYTES))
        self._buffer = self._buffer[self._start :] + more
        self._base += self._start
        self._start = 0
        return len(self._buffer) >= size


def _split(page: bytes, lacing: bytes, begin: int) -> tuple[bytes, ...]:
    if len(lacing) <= 2 and (not lacing or lacing[-1] != 255) and lacing.count(255) == len(lacing) - 1:
        return (page[begin:],) if lacing else ()  # the usual page: one packet
    packets: list[bytes] = []
    size = 0
    for segment in lacing:
        size += segment
        if segment < 255:
            packets.append(page[begin : begin + size])
            begin += size
            size = 0
    return tuple(packets)

"""RTP packets as Discord's voice UDP carries them (RFC 3550, one-byte header extensions of RFC 8285)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loopback.voice.transport import Transport

OPUS_PAYLOAD_TYPE = 120
VIDEO_PAYLOAD_TYPE = 103
"""VP8 in Discord's usual offer."""
RTX_PAYLOAD_TYPE = 104
SILENCE = b"\xf8\xff\xfe"
"""The Opus frame of 20 ms silence; exempt from end-to-end encryption."""

_VERSION_2 = 0x80
_PADDING, _EXTENSION = 0x20, 0x10
_FIXED = struct.Struct(">BBHII")
_PREAMBLE = struct.Struct(">HH")
_ONE_BYTE_PROFILE = 0xBEDE


class RtpError(ValueError):
    """A datagram that is no well-formed RTP packet of version 2."""


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One packet after transport decryption, its extension and padding taken off."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def is_rtcp(datagram: bytes) -> bool:
    """Whether this is an RTCP report (payload types 200 to 211), which shares the port with RTP."""
    return len(datagram) > 1 and 200 <= datagram[1] <= 211


def ssrc_of(datagram: bytes) -> int:
    """The SSRC field, before anything is checked. Raises `RtpError` when there is none."""
    if len(datagram) < _FIXED.size or datagram[0] & 0xC0 != _VERSION_2:
        raise RtpError("not an RTP packet of version 2")
    return int.from_bytes(datagram[8:12], "big")


def open_packet(datagram: bytes, transport: Transport) -> RtpPacket:
    """Decrypts a datagram and takes its extension and padding off.

    Raises:
        RtpError: malformed header, extension or padding.
        TransportError: not authentic.
    """
    if len(datagram) < _FIXED.size or datagram[0] & 0xC0 != _VERSION_2:
        raise RtpError("not an RTP packet of version 2")
    flags, kind, sequence, timestamp, ssrc = _FIXED.unpack_from(datagram)
    clear = _FIXED.size + 4 * (flags & 0x0F)
    extension_size = 0
    if flags & _EXTENSION:
        if len(datagram) < clear + _PREAMBLE.size:
            raise RtpError("header extension is cut short")
        extension_size = 4 * _PREAMBLE.unpack_from(datagram, clear)[1]
        clear += _PREAMBLE.size
    body = transport.open(datagram[:clear], datagram[clear:])
    end = len(body)
    if flags & _PADDING:
        # The count sits in the last byte of the decrypted body, not of the datagram.
        padding = body[-1] if body else 0
        if not 0 < padding <= end - extension_size:
            raise RtpError("padding is longer than the packet")
        end -= padding
    if extension_size > end:
        raise RtpError("header extension is longer than the packet")
    return RtpPacket(kind & 0x7F, bool(kind & 0x80), sequence, timestamp, ssrc, body[extension_size:end])


def header_and_body(packet: RtpPacket, *, extension: bytes = b"", padding: int = 0) -> tuple[bytes, bytes]:
    """The clear part and the part to encrypt of a packet, with an extension (multiple of 4 bytes) and padding."""
    flags = _VERSION_2 | (_EXTENSION if extension else 0) | (_PADDING if padding else 0)
    kind = packet.payload_type | (0x80 if packet.marker else 0)
    header = _FIXED.pack(flags, kind, packet.sequence, packet.timestamp, packet.ssrc)
    if extension:
        header += _PREAMBLE.pack(_ONE_BYTE_PROFILE, len(extension) // 4)
    body = extension + packet.payload
    if padding:
        body += bytes(padding - 1) + bytes([padding])
    return header, body

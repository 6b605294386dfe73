"""Character cards inside PNG files: the text chunks that carry them, read with bounds and written.

Layout: a signature of 8 bytes, then chunks of length (4 bytes, big-endian), type (4), data and CRC-32 of type and data (4).
A card is base64 of UTF-8 JSON in a tEXt, zTXt or iTXt chunk with the keyword `ccv3`, or `chara` for older ones.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from typing import TYPE_CHECKING

from core.errors import PersonaError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEYWORDS = ("ccv3", "chara")  # the newer one counts
MOST_CHUNKS = 50_000
LONGEST_KEYWORD = 79
CARD_LIMIT_BYTES = 4 * 2**20  # of one card's JSON, unpacked

NOT_WHOLE = "That PNG is cut off or damaged, so no card can be read from it. Please send the original file."
WRONG_SUM = "The card inside that PNG is damaged: its checksum does not fit. Please send the original file."
NO_CARD = "There is no character card in that PNG. Cards lose it when a picture is edited or sent as a photo; send the original file."
TOO_MUCH = "The card inside that PNG is too large: at most {limit} MiB of text are read."
NO_BASE64 = "The card inside that PNG is not written in base64, as it has to be."


def is_png(data: bytes) -> bool:
    """Whether a file begins as a PNG does."""
    return data.startswith(SIGNATURE)


def card_texts(data: bytes) -> dict[str, bytes]:
    """The JSON of the cards in a PNG, still as bytes, by keyword; the first of each keyword counts.

    Raises:
        PersonaError: There is none, or it is damaged or too large.
    """
    found: dict[str, bytes] = {}
    for kind, content in _chunks(data):
        keyword, text = _text(kind, content)
        if keyword in KEYWORDS and keyword not in found:
            found[keyword] = _decoded(text)
    if not found:
        raise PersonaError(NO_CARD)
    return found


def with_cards(png: bytes, cards: Mapping[str, bytes]) -> bytes:
    """A PNG of ours with these cards in it, and with no other text.

    Raises:
        PersonaError: It is no whole PNG.
    """
    out = [SIGNATURE]
    for kind, content in _chunks(png, summed=()):
        if kind in (b"tEXt", b"zTXt", b"iTXt"):
            continue
        if kind == b"IEND":
            out += [_chunk(b"tEXt", key.encode() + b"\0" + base64.b64encode(card)) for key, card in cards.items()]
        out.append(_chunk(kind, content))
    return b"".join(out)


def _chunks(data: bytes, summed: tuple[bytes, ...] = (b"tEXt", b"zTXt", b"iTXt")) -> Iterator[tuple[bytes, bytes]]:
    """Type and data of each chunk up to the end; the checksums of those that are `summed` are compared."""
    view, at = memoryview(data), len(SIGNATURE)
    for _ in range(MOST_CHUNKS):
        if at + 12 > len(data):
            raise PersonaError(NOT_WHOLE)
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if length > 2**31 - 1 or end + 4 > len(data):
            raise PersonaError(NOT_WHOLE)
        if kind in summed and zlib.crc32(view[at + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            raise PersonaError(WRONG_SUM)
        yield kind, bytes(view[at + 8 : end])
        if kind == b"IEND":
            return
        at = end + 4
    raise PersonaError(NOT_WHOLE)


def _text(kind: bytes, content: bytes) -> tuple[str, bytes]:
    """Keyword and text of a chunk; an empty keyword for those without any of ours."""
    keyword, separator, rest = content[: LONGEST_KEYWORD + 1].partition(b"\0")
    name = keyword.decode("latin-1").lower()
    if not separator or kind not in (b"tEXt", b"zTXt", b"iTXt") or name not in KEYWORDS:
        return "", b""
    del rest
    body = content[len(keyword) + 1 :]
    if kind == b"tEXt":
        return name, body
    if kind == b"zTXt":
        return name, _unpacked(body[1:])
    packed, body = body[:1] == b"\x01", body[2:]  # a flag, and a method
    _language, _, body = body.partition(b"\0")
    _translated, _, body = body.partition(b"\0")
    return name, _unpacked(body) if packed else body


def _unpacked(packed: bytes) -> bytes:
    """What is packed, as far as it may be unpacked."""
    limit = CARD_LIMIT_BYTES * 4 // 3 + 16
    machine = zlib.decompressobj()
    try:
        text = machine.decompress(packed, limit)
    except zlib.error as error:
        raise PersonaError(NOT_WHOLE) from error
    if machine.unconsumed_tail:
        raise PersonaError(TOO_MUCH.format(limit=CARD_LIMIT_BYTES // 2**20))
    if not machine.eof:
        raise PersonaError(NOT_WHOLE)
    return text


def _decoded(text: bytes) -> bytes:
    if len(text) > CARD_LIMIT_BYTES * 4 // 3 + 16:
        raise PersonaError(TOO_MUCH.format(limit=CARD_LIMIT_BYTES // 2**20))
    squeezed = b"".join(text.split())  # some tools break the lines
    try:
        return base64.b64decode(squeezed + b"=" * (-len(squeezed) % 4), validate=True)
    except binascii.Error as error:
        raise PersonaError(NO_BASE64) from error


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

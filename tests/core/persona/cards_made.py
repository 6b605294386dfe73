"""Real character cards, made for tests: JSON, and PNG files with text chunks of every kind."""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from typing import Any

from PIL import Image


def v3(**data: Any) -> dict[str, Any]:
    return {"spec": "chara_card_v3", "spec_version": "3.0", "data": {"name": "Nyx", **data}}


def v2(**data: Any) -> dict[str, Any]:
    return {"spec": "chara_card_v2", "spec_version": "2.0", "data": {"name": "Nyx", **data}}


def picture(size: tuple[int, int] = (64, 96), colour: str = "purple") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def packed(card: Any) -> bytes:
    return base64.b64encode(json.dumps(card).encode())


def text(keyword: str, card: Any) -> bytes:
    return chunk(b"tEXt", keyword.encode() + b"\0" + packed(card))


def ztext(keyword: str, content: bytes) -> bytes:
    return chunk(b"zTXt", keyword.encode() + b"\0\0" + zlib.compress(content))


def itext(keyword: str, content: bytes, *, squeezed: bool) -> bytes:
    body = zlib.compress(content) if squeezed else content
    return chunk(b"iTXt", keyword.encode() + b"\0" + bytes([squeezed, 0]) + b"en\0" + b"Karte\0" + body)


def png_with(*chunks: bytes, size: tuple[int, int] = (64, 96)) -> bytes:
    """A real PNG with these chunks behind its header."""
    png = picture(size)
    return png[:33] + b"".join(chunks) + png[33:]

"""Pictures without a picture library: a PNG whose colours follow from a seed."""

from __future__ import annotations

import struct
import zlib

import numpy as np


def png(width: int, height: int, seed: int = 0, *, texts: dict[str, str] | None = None) -> bytes:
    """A colour gradient as an 8-bit RGB PNG; `texts` are stored beside it, as ComfyUI stores its workflow."""
    red, green, blue = (seed * factor % 256 for factor in (37, 101, 197))
    across, down = np.linspace(0, 255, width).astype(int), np.linspace(0, 255, height).astype(int)[:, None]
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = (red + across) % 256
    pixels[..., 1] = (green + down) % 256
    pixels[..., 2] = (blue + (across ^ down)) % 256
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)  # 0: no filter
    chunks = [_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))]
    chunks += [_chunk(b"tEXt", f"{key}\0{value}".encode("latin-1", "replace")) for key, value in (texts or {}).items()]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

"""Recognises a file by its first bytes: names and what the sender claims are not asked."""

from __future__ import annotations

_SIGNS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"BM", "image/bmp"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),  # Matroska: which of the two is told further in, and does not matter here
)
_STILL_BRANDS = (b"avif", b"avis")
_HEIC_BRANDS = (b"heic", b"heix", b"heif", b"mif1", b"msf1")  # needs a decoder that the wheels do not carry


def sniff(data: bytes) -> str | None:
    """The media type of a picture or video, or None for anything else."""
    for offset, sign, media_type in _SIGNS:
        if data[offset : offset + len(sign)] == sign:
            return media_type
    if data[4:8] == b"ftyp":  # ISO base media: a brand tells pictures, sound and video apart
        brand = data[8:12]
        if brand in _STILL_BRANDS:
            return "image/avif"
        if brand in _HEIC_BRANDS or brand.startswith(b"M4A"):
            return None
        return "video/mp4"
    return None

"""Makes pictures fit for a model or for Discord: small, upright, of a kind everybody reads.

Everything here computes for a while on bytes that strangers sent: it runs in a worker process.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import StudioError
from core.studio.media_type import sniff

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

QUALITY = 85
MIB = 2**20

NO_PICTURE = "That file is no picture or video that I can read."
DAMAGED = "That picture is damaged, so I cannot look at it."
TOO_MANY_PIXELS = "That picture is too large for me: {megapixels:.0f} megapixels, and I look at {limit} at most."
TOO_LARGE = "That file is too large for me: {size:.0f} MiB, and I look at {limit} MiB at most."
WILL_NOT_FIT = "The picture is too large to upload here, even when it is made smaller."


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture for a model that sees."""

    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What is looked at, and how small it is made."""

    max_pictures: int = 4
    max_file_mb: int = 25
    max_megapixels: int = 50
    max_side_px: int = 1024
    max_video_s: float = 60.0


def look_at(data: bytes, limits: Limits) -> list[Picture]:
    """The pictures in a file: one of a still picture, several frames of an animation or video, all JPEG.

    Raises:
        StudioError: It is no picture or video, is damaged, or is too large.
    """
    if len(data) > limits.max_file_mb * MIB:
        raise StudioError(TOO_LARGE.format(size=len(data) / MIB, limit=limits.max_file_mb))
    media_type = sniff(data)
    if media_type is None:
        raise StudioError(NO_PICTURE)
    if media_type.startswith("video/"):
        from core.studio.video import frames_of

        frames = frames_of(data, limits)
    else:
        frames = _frames_of(data, limits)
    return [Picture(_jpeg(frame, limits.max_side_px), "image/jpeg") for frame in frames]


def fit(data: bytes, limit_bytes: int) -> tuple[bytes, str]:
    """A picture that is at most `limit_bytes` long, and its media type; unchanged if it is already.

    Raises:
        StudioError: It is no picture, or cannot be made small enough.
    """
    media_type = sniff(data)
    if media_type is None or not media_type.startswith("image/"):
        raise StudioError(NO_PICTURE)
    if len(data) <= limit_bytes:
        return data, media_type
    [picture] = _frames_of(data, Limits(max_pictures=1))
    side = max(picture.size)
    for quality, share in ((92, 1.0), (80, 1.0), (80, 0.7), (70, 0.5), (60, 0.25)):
        smaller = _jpeg(picture, int(side * share), quality)
        if len(smaller) <= limit_bytes:
            return smaller, "image/jpeg"
    raise StudioError(WILL_NOT_FIT)


def require_pixels(width: int, height: int, limits: Limits) -> None:
    """Refuse a picture by the size in its header, before anything is unpacked.

    Raises:
        StudioError: It has too many pixels.
    """
    if width * height > limits.max_megapixels * 1_000_000:
        raise StudioError(TOO_MANY_PIXELS.format(megapixels=width * height / 1e6, limit=limits.max_megapixels))


def spread(count: int, wanted: int) -> Sequence[int]:
    """Indexes of `wanted` of `count` things: the first, and the others evenly after it."""
    if count <= wanted:
        return range(count)
    return [index * count // wanted for index in range(wanted)]


def _frames_of(data: bytes, limits: Limits) -> list[Image.Image]:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as picture:
            require_pixels(*picture.size, limits)
            frames: list[Image.Image] = []
            for index in spread(getattr(picture, "n_frames", 1), limits.max_pictures):
                picture.seek(index)
                frame = ImageOps.exif_transpose(picture)
                frame.thumbnail((max(picture.size), max(picture.size)))  # unpacks it while the file is open
                frames.append(frame.copy())
            return frames
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise StudioError(TOO_MANY_PIXELS.format(megapixels=179, limit=limits.max_megapixels)) from error
    except (
        UnidentifiedImageError,
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        IndexError,
    ) as error:  # as Pillow's plugins
        raise StudioError(DAMAGED) from error


def _jpeg(picture: Image.Image, side_px: int, quality: int = QUALITY) -> bytes:
    """A picture as JPEG, no side longer than this; what shines through becomes white."""
    from PIL import Image

    smaller = picture.copy()
    smaller.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    if smaller.mode not in ("RGB", "L"):
        opaque = Image.new("RGB", smaller.size, "white")
        layer = smaller.convert("RGBA")
        opaque.paste(layer, mask=layer.getchannel("A"))
        smaller = opaque
    out = io.BytesIO()
    smaller.save(out, "JPEG", quality=quality)
    return out.getvalue()

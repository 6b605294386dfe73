"""Makes pictures fit for a model or for Discord: small, upright, of a kind everybody reads.

Everything here computes for a while on bytes that strangers sent: it runs in a worker process.
"""

from __future__ import annotations

import io
import re
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import StudioError
from core.studio.gif_frames import count_frames
from core.studio.limits import MEGA, NO_PICTURE, TOO_MANY_PIXELS, Budget, Limits, require_pixels
from core.studio.media_type import sniff

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from PIL import Image

QUALITY = 85
MIB = 2**20
MOST_FRAMES = 1000  # of an animation; more are not looked for
_ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")  # further pictures of a JPEG are previews and maps of brightness
_SMOOTH = ("RGB", "L", "RGBA", "LA", "CMYK")  # modes of Pillow's that can be made smaller as they are
_MIXED = ("P", "PA", "1")  # and those that first must have colours

DAMAGED = "That picture is damaged, so I cannot look at it."
TOO_LARGE = "That file is too large for me: {size:.0f} MiB, and I look at {limit} MiB at most."
WILL_NOT_FIT = "The picture is too large to upload here, even when it is made smaller."


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture for a model that sees."""

    data: bytes
    media_type: str


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
        frames = _frames_of(data, limits, side_px=limits.max_side_px)
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
    [picture] = _frames_of(data, Limits(max_pictures=1), side_px=None)
    side = max(picture.size)
    for quality, share in ((92, 1.0), (80, 1.0), (80, 0.7), (70, 0.5), (60, 0.25)):
        smaller = _jpeg(picture, int(side * share), quality)
        if len(smaller) <= limit_bytes:
            return smaller, "image/jpeg"
    raise StudioError(WILL_NOT_FIT)


def spread(count: int, wanted: int) -> Sequence[int]:
    """Indexes of `wanted` of `count` things: the first, and the others evenly after it."""
    if count <= wanted:
        return range(count)
    return [index * count // wanted for index in range(wanted)]


def _frames_of(data: bytes, limits: Limits, *, side_px: int | None) -> list[Image.Image]:
    """The first frame and others evenly after it, upright, no side longer than `side_px`."""
    from PIL import Image, UnidentifiedImageError

    kind = (sniff(data) or "").partition("/")[2].upper()
    try:
        with _at_most(limits.max_megapixels * MEGA), Image.open(io.BytesIO(data), formats=[kind]) as picture:
            require_pixels(*picture.size, limits)
            if side_px is not None:
                picture.draft(None, (side_px, side_px))  # a JPEG is unpacked no larger than is needed
            budget = Budget(limits)
            known = count_frames(data, MOST_FRAMES) if kind == "GIF" else getattr(picture, "n_frames", 1)
            count = min(known, MOST_FRAMES, budget.frames(*picture.size)) if kind in _ANIMATED else 1
            return _chosen(picture, set(spread(count, limits.max_pictures)), budget, side_px)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise StudioError(_too_many(error, limits)) from error
    except (
        UnidentifiedImageError,
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        IndexError,
    ) as error:  # as Pillow's plugins
        raise StudioError(DAMAGED) from error


def _chosen(picture: Image.Image, wanted: set[int], budget: Budget, side_px: int | None) -> list[Image.Image]:
    """The wanted frames. Every frame before them is unpacked too: each is made of the one before."""
    frames: list[Image.Image] = []
    for index in range(max(wanted) + 1):
        try:
            picture.seek(index)
            if index in wanted:
                picture.load()
        except (EOFError, OSError, SyntaxError, ValueError):
            if not frames:
                raise
            break  # cut off, or fewer than it claims: what there is is looked at
        if index in wanted:
            frames.append(_small(picture, side_px))
        if not budget.spend(*picture.size):
            break
    return frames


def _small(picture: Image.Image, side_px: int | None) -> Image.Image:
    """A frame as a picture of its own, upright."""
    from PIL import Image, ImageOps

    if side_px is None or max(picture.size) <= side_px:
        return ImageOps.exif_transpose(picture.copy())
    scale = side_px / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    if picture.mode in _SMOOTH:
        return ImageOps.exif_transpose(picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0))
    if picture.mode in _MIXED:
        layer = picture.convert("RGBA")
        layer.info = picture.info  # how it is turned
        return ImageOps.exif_transpose(layer.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0))
    return ImageOps.exif_transpose(picture.resize(size, Image.Resampling.NEAREST))


@contextmanager
def _at_most(pixels: int) -> Generator[None]:
    """Have Pillow itself refuse every frame of more pixels before it makes room for it."""
    from PIL import Image

    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = pixels // 2  # it warns above this, and refuses above twice as much
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _too_many(error: Exception | Warning, limits: Limits) -> str:
    told = re.search(r"\((\d+) pixels\)", str(error))
    megapixels = int(told[1]) / MEGA if told else limits.max_megapixels + 1
    return TOO_MANY_PIXELS.format(megapixels=megapixels, limit=limits.max_megapixels)


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

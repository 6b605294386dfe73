"""Makes a picture of a character fit to be shown: square, small, upright, without anything else that was in the file.

It computes for a while on what strangers sent: it belongs into a worker.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import PersonaError
from core.persona.card_png import is_png, with_cards

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL import Image

MIB, MEGA = 2**20, 10**6
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
SMALLEST_PX = 16

TOO_LARGE = "That picture is too large: {size:.1f} MiB, and at most {limit} MiB are read."
TOO_MANY = "That picture is too large: {megapixels:.0f} megapixels, and at most {limit} are unpacked."
TOO_SMALL = "That picture is too small: {width} by {height} pixels, and {least} by {least} are the least."
NO_PICTURE = "That is no picture I can show: PNG, JPEG, WebP and GIF are read."
DAMAGED = "That picture is damaged."


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """What of a picture is read, in MiB and megapixels, and how large it becomes."""

    max_mb: int
    max_megapixels: int
    side_px: int


def portrait(data: bytes, limits: PictureLimits) -> bytes:
    """The middle of a picture as a square PNG, no side longer than the limits say; of an animation the first frame.

    Raises:
        PersonaError: It is no picture, is damaged, or is too large.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if len(data) > limits.max_mb * MIB:
        raise PersonaError(TOO_LARGE.format(size=len(data) / MIB, limit=limits.max_mb))
    if is_png(data):
        data = with_cards(data, {})  # Pillow unpacks texts first, and refuses long ones
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                _require_size(picture, limits.max_megapixels)
                picture.draft(None, (limits.side_px, limits.side_px))  # a JPEG is unpacked no larger than is needed
                picture.load()
                upright = ImageOps.exif_transpose(picture.convert("RGBA"))
                side = min(limits.side_px, *upright.size)
                square = ImageOps.fit(upright, (side, side), Image.Resampling.LANCZOS)
    except UnidentifiedImageError as error:
        raise PersonaError(NO_PICTURE) from error
    except Image.DecompressionBombError as error:
        raise PersonaError(
            TOO_MANY.format(megapixels=limits.max_megapixels + 1, limit=limits.max_megapixels)
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError) as error:  # as Pillow's plugins raise
        raise PersonaError(DAMAGED) from error
    out = io.BytesIO()
    square.save(out, "PNG", optimize=True)
    return out.getvalue()


def plain_portrait(side_px: int = 256) -> bytes:
    """A picture for a character that has none, so that a card can be carried in it."""
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (side_px, side_px), (88, 101, 242)).save(out, "PNG", optimize=True)
    return out.getvalue()


def _require_size(picture: Image.Image, max_megapixels: int) -> None:
    width, height = picture.size
    if width * height > max_megapixels * MEGA:
        raise PersonaError(TOO_MANY.format(megapixels=width * height / MEGA, limit=max_megapixels))
    if min(width, height) < SMALLEST_PX:
        raise PersonaError(TOO_SMALL.format(width=width, height=height, least=SMALLEST_PX))


def carded(picture: bytes | None, cards: Mapping[str, bytes], limits: PictureLimits) -> bytes:
    """A picture with character cards in it; a plain one where there is none, or where it cannot be used.

    Raises:
        PersonaError: The cards are none.
    """
    try:
        shown = portrait(picture, limits) if picture is not None else plain_portrait()
    except PersonaError:
        shown = plain_portrait()
    return with_cards(shown, cards)

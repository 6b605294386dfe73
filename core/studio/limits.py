"""Limits how much of a picture or video is looked at: what strangers send may cost so much and no more."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import StudioError

MEGA = 1_000_000

NO_PICTURE = "That file is no picture or video that I can read."
TOO_MANY_PIXELS = "That picture is too large for me: {megapixels:.0f} megapixels, and I look at {limit} at most."


@dataclass(frozen=True, slots=True)
class Limits:
    """What is looked at, and how small it is made."""

    max_pictures: int = 4
    max_file_mb: int = 25
    max_megapixels: int = 50
    max_side_px: int = 1024
    max_video_s: float = 60.0
    max_total_megapixels: int = 250


class Budget:
    """Pixels that may be unpacked for one file, frames that are only passed included."""

    def __init__(self, limits: Limits, *, times: int = 1) -> None:
        self.left_px = limits.max_total_megapixels * MEGA * times

    def frames(self, width: int, height: int) -> int:
        """How many frames of a size it is good for; one at least, whose size has a limit of its own."""
        return max(1, self.left_px // max(1, width * height))

    def spend(self, width: int, height: int) -> bool:
        """Take a frame from it; whether there is room for another."""
        self.left_px -= width * height
        return self.left_px >= width * height


def require_pixels(width: int, height: int, limits: Limits) -> None:
    """Refuse a picture by the size in its header, before anything is unpacked.

    Raises:
        StudioError: It has too many pixels.
    """
    if width * height > limits.max_megapixels * MEGA:
        raise StudioError(TOO_MANY_PIXELS.format(megapixels=width * height / MEGA, limit=limits.max_megapixels))

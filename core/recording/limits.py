"""When a recording ends by itself."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

DISK_LOW = "The disk is nearly full, so I stopped in time. What was recorded until then is safe."
LONGEST = "The recording reached the longest time I am set to record."
LARGEST = "The recording reached the largest size I am set to record."


@dataclass(frozen=True, slots=True)
class RecordingLimits:
    """When a recording ends by itself; 0 is never."""

    length_s: float = 0
    bytes: int = 0
    free_bytes: int = 0

    def reached(self, folder: Path, length_s: float, size: int) -> str | None:
        """Which limit a recording in `folder` has reached, as a sentence. Asks the disk."""
        if self.length_s and length_s >= self.length_s:
            return LONGEST
        if self.bytes and size >= self.bytes:
            return LARGEST
        if self.free_bytes and shutil.disk_usage(folder).free < self.free_bytes:
            return DISK_LOW
        return None

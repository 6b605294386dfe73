"""Places in a track as people write them: 1:30, 90, +10, -0:30."""

from __future__ import annotations

import re

from core.errors import AudioError

NO_PLACE = "That is no place in a track. Write 1:30, or 90 for seconds, or +10 and -10 to go from where it is."
_PLACE = re.compile(r"([+-]?)(?:(?:(\d{1,3}):)?(\d{1,4}):)?(\d{1,6}(?:\.\d{1,3})?)s?", re.ASCII)


def read_place(text: str, now_s: float) -> float:
    """Seconds into the track, at least 0.

    Args:
        text: As somebody wrote it.
        now_s: Where it is, for what begins with + or -.

    Raises:
        AudioError: It is no place.
    """
    found = _PLACE.fullmatch(text.strip())
    if found is None:
        raise AudioError(NO_PLACE)
    sign, hours, minutes, seconds = found.groups()
    at_s = int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)
    return max(0.0, {"": at_s, "+": now_s + at_s, "-": now_s - at_s}[sign])

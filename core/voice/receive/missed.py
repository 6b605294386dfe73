"""When frames of a person came that could not be had, and why: stretches of time, for reports."""

from __future__ import annotations

from dataclasses import dataclass

JOINED_S = 1.0  # failures of one cause closer together than this are one stretch
STRETCHES = 200  # of one person; what comes then lengthens the last one of its cause


@dataclass(frozen=True, slots=True)
class Missed:
    """A stretch of one person's frames, all refused for one cause. Times are `time.monotonic` of their arrival."""

    cause: str
    start_s: float
    end_s: float
    frames: int


@dataclass(slots=True, eq=False)
class MissedSpan:
    """One that may still grow, or shrink when a late key opens what was counted."""

    cause: str
    start_s: float
    end_s: float
    frames: int = 1


class MissedFrames:
    """Everything of one person that could not be had. Written by the reading thread, read by any."""

    __slots__ = ("_last", "_stretches")

    def __init__(self) -> None:
        self._stretches: list[MissedSpan] = []
        self._last: dict[str, MissedSpan] = {}

    def note(self, cause: str, at_s: float) -> MissedSpan:
        """Count a frame that arrived then; gives where, for `undo`."""
        last = self._last.get(cause)
        if last is not None and (at_s - last.end_s <= JOINED_S or len(self._stretches) >= STRETCHES):
            last.end_s = max(last.end_s, at_s)
            last.frames += 1
            return last
        self._last[cause] = stretch = MissedSpan(cause, at_s, at_s)
        self._stretches.append(stretch)
        return stretch

    def undo(self, stretch: MissedSpan) -> None:
        """A frame that was counted there could be had after all."""
        stretch.frames -= 1

    def take_over(self, other: MissedFrames) -> None:
        """Count what was counted elsewhere before it was known whose it is."""
        self._stretches.extend(other._stretches)
        self._last.update(other._last)

    def since(self, at_s: float) -> list[Missed]:
        """The stretches that end after `at_s`, in order of their begin."""
        found = [
            Missed(each.cause, each.start_s, each.end_s, each.frames)
            for each in list(self._stretches)
            if each.frames and each.end_s >= at_s
        ]
        return sorted(found, key=lambda each: each.start_s)

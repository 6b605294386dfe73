"""The stretches of a recording in which nobody could be heard: pauses, and times without a connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.recording.metadata import Gap

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.recording.metadata import Named

BREATH_S = 0.2  # people who are heard while the connection counts as away leave no gap as short as this


@dataclass(slots=True)
class _OpenGap:
    start_s: float
    reason: str
    pause: bool
    by: Named | None = None
    heard: bool = False  # somebody, after its start


class Gaps:
    """Gaps that are open. Times are in seconds since the recording's start; used on the recorder's thread alone."""

    def __init__(self, close: Callable[[Gap], None]) -> None:
        """Tell `close` of each gap once it has ended."""
        self._close = close
        self._open: list[_OpenGap] = []

    def __bool__(self) -> bool:
        return bool(self._open)

    def begin(self, at_s: float, reason: str, *, pause: bool, by: Named | None = None) -> None:
        """Nobody is heard from now on; `pause` if that is asked for, and by whom."""
        self._open.append(_OpenGap(at_s, reason, pause, by))

    def forget(self, user_id: int, clean: Callable[[str], str]) -> None:
        """Take somebody out of the gaps that are open."""
        for gap in self._open:
            gap.reason = clean(gap.reason)
            if gap.by is not None and gap.by.id == str(user_id):
                gap.by = None

    def end(self, at_s: float, *, pause: bool) -> None:
        """The pauses, or else the absences, are over."""
        for gap in [gap for gap in self._open if gap.pause == pause]:
            self._open.remove(gap)
            self._tell(gap, at_s)

    def end_all(self, at_s: float) -> None:
        """The recording is over."""
        while self._open:
            self._tell(self._open.pop(), at_s)

    def heard(self, at_s: float) -> None:
        """Somebody is heard while the connection counts as away: media goes another way than what tells of it."""
        for gap in self._open:
            if not gap.pause and at_s > gap.start_s:
                gap.heard = True
                self._tell(gap, at_s)
                gap.start_s = at_s

    def _tell(self, gap: _OpenGap, end_s: float) -> None:
        if gap.heard and end_s - gap.start_s < BREATH_S:
            return
        duration_s = max(0.0, end_s - gap.start_s)
        self._close(
            Gap(
                start_s=round(gap.start_s, 3),
                duration_s=round(duration_s, 3),
                reason=gap.reason,
                pause=gap.pause,
                by=gap.by,
            )
        )

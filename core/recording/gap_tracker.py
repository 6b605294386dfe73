"""The stretches of a recording in which somebody could not be heard: pauses, lost connections, and what a server forbids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from core.recording.metadata import Gap

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.recording.metadata import Named

BREATH_S = 0.2  # people who are heard while the connection counts as away leave no gap as short as this

DEAFENED = "A moderator deafened me: I heard nobody."
SILENCED = "I was not allowed to speak: what I had to say was heard by nobody."
UNENCRYPTED = "From here on the channel was not encrypted end to end."
ENCRYPTED = "From here on the channel was encrypted end to end again."

# Asked for; without a connection; nobody is heard; the bot alone is not heard.
Kind = Literal["pause", "away", "deafened", "silenced"]


@dataclass(slots=True)
class _OpenGap:
    start_s: float
    reason: str
    kind: Kind
    user_id: str | None = None
    by: Named | None = None
    heard: bool = False  # somebody, after its start

    def until(self, end_s: float) -> Gap:
        return Gap(
            start_s=round(self.start_s, 3),
            duration_s=round(max(0.0, end_s - self.start_s), 3),
            reason=self.reason,
            pause=self.kind == "pause",
            user_id=self.user_id,
            by=self.by,
        )


class GapTracker:
    """Gaps that are open. Times are in seconds since the recording's start; used on the recorder's thread alone."""

    def __init__(self, close: Callable[[Gap], None]) -> None:
        """Tell `close` of each gap once it has ended."""
        self._close = close
        self._open: list[_OpenGap] = []

    def __bool__(self) -> bool:
        return bool(self._open)

    def begin(
        self, at_s: float, reason: str, kind: Kind, *, user_id: int | None = None, by: Named | None = None
    ) -> None:
        """Nobody is heard from now on, or one person is not; a pause has somebody who asked for it."""
        if not any(gap.kind == kind for gap in self._open):
            self._open.append(_OpenGap(at_s, reason, kind, None if user_id is None else str(user_id), by))

    def forget(self, user_id: int, clean: Callable[[str], str]) -> None:
        """Take somebody out of the gaps that are open."""
        for gap in self._open:
            gap.reason = clean(gap.reason)
            if gap.by is not None and gap.by.id == str(user_id):
                gap.by = None

    def end(self, at_s: float, kind: Kind) -> None:
        """It is over."""
        for gap in [gap for gap in self._open if gap.kind == kind]:
            self._open.remove(gap)
            self._tell(gap, at_s)

    def end_all(self, at_s: float) -> None:
        """The recording is over."""
        while self._open:
            self._tell(self._open.pop(), at_s)

    def so_far(self, at_s: float) -> list[Gap]:
        """Those that are open, as if they ended now."""
        return [gap.until(at_s) for gap in self._open if not gap.heard or at_s - gap.start_s >= BREATH_S]

    def heard(self, at_s: float) -> None:
        """Somebody is heard while the connection counts as away: media goes another way than what tells of it."""
        for gap in self._open:
            if gap.kind in ("away", "deafened") and at_s > gap.start_s:
                gap.heard = True
                self._tell(gap, at_s)
                gap.start_s = at_s

    def _tell(self, gap: _OpenGap, end_s: float) -> None:
        if not gap.heard or end_s - gap.start_s >= BREATH_S:
            self._close(gap.until(end_s))

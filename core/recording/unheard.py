"""What came from people and could not be decrypted: how much, and when, without what is to be forgotten."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

from core.audio.frames import FRAME_S
from core.recording.metadata import Gap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

REASON = "Packets of one person could not be decrypted ({cause})."


class UnheardSpan(Protocol):
    """A stretch of one person's packets that could not be had, all for one cause; times on the clock of arrival."""

    @property
    def cause(self) -> str:
        """Why."""
        ...

    @property
    def start_s(self) -> float:
        """When the first one came."""
        ...

    @property
    def end_s(self) -> float:
        """When the last one came."""
        ...


class Unheard:
    """Counts and stretches of one recording, as the receiver has them, less what was forgotten."""

    def __init__(
        self,
        counts: Callable[[], Mapping[int, Mapping[str, int]]],
        missed: Callable[[], Mapping[int, Sequence[UnheardSpan]]],
    ) -> None:
        """Ask `counts` for packets by user id and cause, `missed` for stretches by user id."""
        self._counts, self._missed = counts, missed
        self._forgotten: dict[int, tuple[Counter[str], float]] = {}  # as it was then, and when

    def forget(self, user_id: int, now_s: float) -> None:
        """Do not tell any more what was counted of somebody until now."""
        self._forgotten[user_id] = (Counter(self._counts().get(user_id, {})), now_s)

    def causes(self) -> dict[int, Counter[str]]:
        """Whose packets could not be decrypted, how many by cause."""
        found = {user_id: Counter(causes) for user_id, causes in self._counts().items()}
        for user_id, (before, _) in self._forgotten.items():
            if user_id in found:
                found[user_id] -= before
        return {user_id: causes for user_id, causes in found.items() if causes}

    def gaps(self, started_s: float) -> list[Gap]:
        """When somebody could not be heard, each stretch as a gap of theirs."""
        found: list[Gap] = []
        for user_id, stretches in self._missed().items():
            since_s = max(started_s, self._forgotten.get(user_id, (None, started_s))[1])
            for stretch in stretches:
                if stretch.end_s < since_s:
                    continue
                begin_s = max(stretch.start_s, since_s)
                found.append(
                    Gap(
                        start_s=round(begin_s - started_s, 3),
                        duration_s=round(stretch.end_s - begin_s + FRAME_S, 3),
                        reason=REASON.format(cause=stretch.cause),
                        user_id=str(user_id),
                    )
                )
        return found

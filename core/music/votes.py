"""Votes of those who listen, to skip what they have no right to skip."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True, slots=True)
class Tally:
    """How a vote stands."""

    votes: int
    needed: int

    @property
    def carried(self) -> bool:
        """Whether enough are for it."""
        return self.votes >= self.needed


class SkipVotes:
    """Who is for skipping the track that plays. Who no longer listens no longer counts."""

    def __init__(self, share: float) -> None:
        """Begin without votes; `share` of the listeners is needed, at least one."""
        self._share = share
        self._track_id = ""
        self._voters: set[int] = set()

    def vote(self, user_id: int, track_id: str, listeners: Collection[int]) -> Tally:
        """Count somebody's vote, once, and say how it stands."""
        if track_id != self._track_id:
            self._track_id, self._voters = track_id, set()
        self._voters.add(user_id)
        here = self._voters & set(listeners)
        return Tally(len(here), max(1, math.ceil(self._share * len(listeners) - 1e-9)))

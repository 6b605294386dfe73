"""Decides how reading aloud catches up when people write faster than anybody can speak, and says so once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.conversation.turn import Turn
    from core.speech.engine import Voice

MOST_READ = 100  # messages that wait to be read, in any case
A_MESSAGE_FASTER, FASTEST = 0.1, 2.0

BEHIND = {
    "all": "You write faster than I can speak: {count} messages wait to be read aloud. `/voice stop` skips them.",
    "newest": "You write faster than I can speak, so I skip to the newest messages.",
    "faster": "You write faster than I can speak: {count} messages wait to be read aloud, so I speak faster for a while.",
}


class Backlog:
    """Decides what happens to messages that wait to be read.

    Args:
        how: `all` reads each of them, `newest` skips the oldest beyond `limit`, `faster` reads all of them faster.
        limit: Messages that may wait before anything is done about it.
    """

    def __init__(self, how: str, limit: int) -> None:
        self._how = how
        self._limit = limit
        self._told: set[int] = set()  # queues that were told, until nothing waits there

    def grew(self, key: int, turns: Sequence[Turn]) -> str | None:
        """Skip what is to be skipped now that another message waits; returns what to say about it, once until all is read."""
        waiting = [turn for turn in turns[1:] if turn.aloud]
        if len(waiting) <= self._limit:
            return None
        if self._how == "newest":
            for turn in waiting[: -self._limit]:
                turn.stop()
        if key in self._told:
            return None
        self._told.add(key)
        return BEHIND[self._how].format(count=len(waiting))

    def shrank(self, key: int, turns: Sequence[Turn]) -> None:
        """Note that a turn is over."""
        if len(turns) <= 1:
            self._told.discard(key)

    def hurried(self, voice: Voice, turn: Turn, waiting: int) -> Voice:
        """Returns the voice for a turn behind which so many wait."""
        if self._how != "faster" or not turn.aloud or not waiting:
            return voice
        return replace(voice, rate=voice.rate * min(FASTEST, 1 + A_MESSAGE_FASTER * waiting))

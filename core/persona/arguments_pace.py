"""How long somebody takes to read a line and to type an answer."""

from __future__ import annotations

from dataclasses import dataclass

READING = 4.0  # people read so much faster than they type
SHORTEST_S = 0.8  # nobody answers sooner


@dataclass(frozen=True, slots=True)
class TypingPace:
    """How fast the two type. `characters_per_s` 0 is without pauses."""

    characters_per_s: float
    longest_s: float

    def pause_s(self, heard: str, answer: str, spent_s: float = 0.0) -> float:
        """How long the answer is still to be typed when thinking about it took `spent_s` already."""
        if self.characters_per_s <= 0:
            return 0.0
        typing_s = (len(answer) + len(heard) / READING) / self.characters_per_s
        return max(0.0, min(self.longest_s, max(SHORTEST_S, typing_s)) - spent_s)

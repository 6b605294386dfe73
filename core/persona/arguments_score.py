"""How heated a talk is: what each side says provokes a little, and calms down with time."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

READ_CHARACTERS = 1000  # of a text; a longer one provokes no more than its beginning
MOST = 2.0  # that one text can add
CALM = 0.05  # a heat below this is none
MOST_SIDES = 20  # told apart in one channel

# Words of contradiction, and how much each provokes; English and German, as far as they are unmistakable.
_WORDS: Mapping[str, float] = {
    **dict.fromkeys(
        (
            "nonsense", "rubbish", "ridiculous", "liar", "lying", "idiot", "stupid", "dumb", "bullshit", "garbage", "shut",
            "unsinn", "quatsch", "lügner", "blödsinn", "idiotisch", "dumm", "lächerlich",
        ),
        1.0,
    ),
    **dict.fromkeys(
        (
            "wrong", "disagree", "false", "untrue", "prove", "absurd", "terrible", "worst", "hate", "boring", "overrated",
            "falsch", "stimmt nicht", "beweise", "schrecklich", "langweilig", "überbewertet",
        ),
        0.6,
    ),
    **dict.fromkeys(("never", "always", "actually", "really", "obviously", "niemals", "immer", "offensichtlich"), 0.2),
}  # fmt: skip
_WORD = re.compile(r"[^\W\d_]{3,40}")


def provocation(text: str) -> float:
    """How much a text provokes, 0 to `MOST`. The same words said ten times provoke once."""
    read = text[:READ_CHARACTERS]
    words = set(_WORD.findall(read.casefold()))
    score = sum(_WORDS.get(word, 0.0) for word in words)
    score += 0.5 if "stimmt nicht" in read.casefold() else 0.0
    score += 0.3 * min(2, read.count("!"))
    letters = [character for character in read if character.isalpha()]
    if len(letters) >= 8 and sum(character.isupper() for character in letters) > 0.7 * len(letters):
        score += 0.6
    return min(MOST, score)


@dataclass(frozen=True, slots=True)
class Heat:
    """How heated a channel was at a moment, and who heated it: user ids, or the ids of characters. Changes by `after` alone."""

    score: float = 0.0
    at_s: float = 0.0
    shares: Mapping[str, float] = field(default_factory=dict[str, float])

    def at(self, now_s: float, half_life_s: float) -> float:
        """How heated it is by now."""
        score = self.score * 0.5 ** (max(0.0, now_s - self.at_s) / half_life_s)
        return score if score >= CALM else 0.0

    def after(self, who: str, text: str, now_s: float, half_life_s: float) -> Heat:
        """The heat when somebody has said something."""
        left = self.at(now_s, half_life_s)
        cooled = left / self.score if self.score else 0.0
        shares = {each: share * cooled for each, share in self.shares.items() if share * cooled >= CALM}
        added = provocation(text)
        if added and (who in shares or len(shares) < MOST_SIDES):
            shares[who] = shares.get(who, 0.0) + added
        return replace(self, score=left + added, at_s=now_s, shares=shares)

    def without(self, who: str) -> Heat:
        """The heat without what somebody added."""
        share = self.shares.get(who, 0.0)
        left = {each: other for each, other in self.shares.items() if each != who}
        return replace(self, score=max(0.0, self.score - share), shares=left)

    @property
    def provoker(self) -> str | None:
        """Who provoked most; None if nobody did."""
        return max(self.shares, key=lambda who: self.shares[who], default=None)

"""Estimates which text belongs to which sound, where a server does not tell: by how fast it has been speaking."""

from __future__ import annotations

USUAL = 14.0  # characters a second of English speech
_SLOWEST, _FASTEST = 4.0, 40.0
_NEW_SHARE = 0.5  # how much the last turn counts against all before it
_LEAST_S = 1.0  # a shorter turn tells little


class TextAlignment:
    """Characters a second, learned from the turns so far."""

    def __init__(self) -> None:
        self.characters_per_s = USUAL

    def learn(self, characters: int, duration_s: float) -> None:
        """A turn of so many characters sounded so long."""
        if duration_s >= _LEAST_S and characters:
            heard = min(_FASTEST, max(_SLOWEST, characters / duration_s))
            self.characters_per_s += _NEW_SHARE * (heard - self.characters_per_s)

    def expected_s(self, characters: int) -> float:
        """How long a text of so many characters will sound."""
        return characters / self.characters_per_s


class Spread:
    """One turn's text, spread over its sound word by word as the pace has it."""

    def __init__(self, pace: TextAlignment) -> None:
        self._pace = pace
        self._text = ""
        self._given = 0
        self.sounded_s = 0.0

    @property
    def characters(self) -> int:
        """Length of the text so far."""
        return len(self._text)

    @property
    def expected_s(self) -> float:
        """How long the whole text will sound."""
        return self._pace.expected_s(len(self._text))

    def add(self, text: str) -> None:
        """Text that the server has been given."""
        self._text += text

    def sound(self, duration_s: float) -> str:
        """The text that begins within the next `duration_s` of sound."""
        self.sounded_s += duration_s
        end = min(len(self._text), round(self.sounded_s * self._pace.characters_per_s))
        if end < len(self._text):
            end = self._text.rfind(" ", 0, end) + 1
        if not self._given:
            end = max(end, self._text.find(" ") + 1)  # the first sound is that of the first word
        start, self._given = self._given, max(end, self._given)
        return self._text[start : self._given]

    def told(self, text: str, duration_s: float) -> None:
        """The server said which text the next `duration_s` of sound are."""
        self.sounded_s += duration_s
        self._given = min(len(self._text), self._given + len(text))

    def rest(self) -> str:
        """The text that no sound was left for; the turn is over."""
        text, self._given = self._text[self._given :], len(self._text)
        return text

    def learn(self) -> None:
        """The turn was complete: its pace counts for the next ones."""
        self._pace.learn(len(self._text), self.sounded_s)

"""Text as it comes, cut into pieces for an engine: the first early, then longer ones, at the ends of sentences.

The pieces joined are the text. After LiveKit's and RealtimeTTS's rules: a first clause at once, then sentences, no piece
much longer than the one before it, because the gap a listener hears is the time it takes to make a piece less the sound
of the piece before.
"""

from __future__ import annotations

import re
from enum import IntEnum

_ENDS = ".!?…。！？｡؟۔।॥"
_WIDE_ENDS = "。！？｡।॥"  # of scripts that put no blank after a sentence
_PAUSES = ",;:–—、，；：،؛"
_WIDE_PAUSES = "、，；："
_STOPS = tuple(_ENDS + _PAUSES)
_CLOSERS = "\"')]}»”’」』）】"
_SENTENCE_END = re.compile(
    rf"[{re.escape(_ENDS)}]+[{re.escape(_CLOSERS)}]*(?=\s)|[{re.escape(_WIDE_ENDS)}]+[{re.escape(_CLOSERS)}]*|\n"
)
_CLAUSE_END = re.compile(rf"[{re.escape(_PAUSES)}][{re.escape(_CLOSERS)}]*(?=\s)|[{re.escape(_WIDE_PAUSES)}]")
_LAST_WORD = re.compile(r"\S+$")
_LIST_NUMBER = re.compile(r"(?:^|\n)\s*\d{1,3}\.$")
_BLANKS = re.compile(r"\s*")
_WORDS = re.compile(r"\S+\s")
_GROWTH = 2.5  # a piece may be so many times as long as the one before
_SMALLEST_LIMIT = 60  # characters; growth starts here even after a very short first clause

_SHORTENED = (
    "adj approx apt art aug ave bspw bzw ca capt cf col corp dec dept dr e.g ed eg est et al etc excl feb fig gen geb ggf "
    "gov hon hr i.d.r i.e ie inc incl inkl jan jr lt ltd max mr mrs ms min mio mlle mme mon mr mrd mt nov no nr oct "
    "ph.d phd prof resp rev sen sep sept sgt sog sr st str tel u.a u.s usw v vgl vol vs z.b "
)
_ABBREVIATIONS = frozenset(_SHORTENED.split())
_OFTEN_LAST = frozenset(("etc", "usw", "u.s", "inc", "ltd", "jr", "sr", "no", "max", "al"))  # may also end a sentence


class Cut(IntEnum):
    """How small a piece is wanted: whole sentences, clauses, or whatever words there are."""

    SENTENCE = 0
    CLAUSE = 1
    WORD = 2


class Chunker:
    """Collects text and gives it back in pieces.

    `push` text, then `take` pieces until there is none; `finish` when no more text will come, and take the rest.
    """

    def __init__(self, *, first_chars: int = 10, first_words: int = 12, longest: int = 300) -> None:
        self._first_chars = first_chars
        self._first_words = first_words
        self._longest = longest
        self._text = ""
        self._limit = longest
        self._first = True
        self._finished = False

    @property
    def waiting(self) -> int:
        """Characters that were pushed and not yet taken."""
        return len(self._text)

    @property
    def done(self) -> bool:
        """Whether nothing is left and nothing will come."""
        return self._finished and not self._text.strip()

    def push(self, text: str) -> None:
        """More text."""
        self._text += text

    def finish(self) -> None:
        """No more text will come."""
        self._finished = True

    def take(self, cut: Cut = Cut.SENTENCE) -> str | None:
        """The next piece, with the white space after it, or None if there is none yet."""
        if not self._text.strip():
            return None
        end = self._first_end(cut) if self._first else self._later_end(cut)
        if not end:
            return None
        end = _BLANKS.match(self._text, end).end()  # pyright: ignore[reportOptionalMemberAccess] - always matches
        piece, self._text = self._text[:end], self._text[end:]
        self._first = False
        self._limit = min(self._longest, max(_SMALLEST_LIMIT, int(_GROWTH * len(piece))))
        return piece

    def _first_end(self, cut: Cut) -> int:
        """As soon as a clause of some length, or a number of words, is there."""
        lead = len(self._text) - len(self._text.lstrip())
        least, most = lead + self._first_chars, lead + self._longest
        ends = [end for end in self._ends(Cut.CLAUSE, most) if end >= least]
        if ends:
            return ends[0]
        words = list(_WORDS.finditer(self._text, lead))
        if len(words) >= self._first_words:
            return min(most, words[self._first_words - 1].end())
        return self._rest_or_words(cut, most)

    def _later_end(self, cut: Cut) -> int:
        """As many whole sentences as the limit allows; less only when asked, or when one sentence is too long."""
        sentences = self._ends(Cut.SENTENCE, self._limit)
        if sentences:
            return sentences[-1] if not self._finished or len(self._text) > self._limit else len(self._text)
        too_long = len(self._text) > self._limit
        if too_long or cut >= Cut.CLAUSE:
            clauses = [end for end in self._ends(Cut.CLAUSE, self._limit) if end >= self._first_chars]
            if clauses:
                return clauses[-1]
        return self._rest_or_words(cut, self._limit)

    def _rest_or_words(self, cut: Cut, limit: int) -> int:
        """Everything if it is the end; else whole words if asked for or if the limit is reached."""
        if len(self._text) <= limit and self._finished:
            return len(self._text)
        if len(self._text) <= limit and cut < Cut.WORD:
            return 0
        if len(self._text) <= limit and self._text.rstrip().endswith(_STOPS):
            return len(self._text)
        words = [match.end() for match in _WORDS.finditer(self._text, 0, limit)]
        if words:
            return words[-1]
        return limit if len(self._text) > limit else 0  # one endless word

    def _ends(self, cut: Cut, limit: int) -> list[int]:
        """Where pieces may end within the limit."""
        text = self._text
        ends = [match.end() for match in _SENTENCE_END.finditer(text, 0, min(len(text), limit + 1))]
        lead = len(text) - len(text.lstrip())
        ends = [end for end in ends if lead < end <= limit and self._ends_sentence(end, cut)]
        if cut >= Cut.CLAUSE:
            found = _CLAUSE_END.finditer(text, 0, min(len(text), limit + 1))
            ends = sorted([*ends, *(match.end() for match in found if match.end() <= limit)])
        return ends

    def _ends_sentence(self, end: int, cut: Cut) -> bool:
        """Whether the full stop before `end` is one, and not that of an abbreviation, a number or a pause in thought."""
        before = self._text[:end].rstrip(_CLOSERS)
        if not before.endswith((".", "…")):
            return True
        after = _BLANKS.match(self._text, end).end()  # pyright: ignore[reportOptionalMemberAccess] - always matches
        following = self._text[after : after + 1]
        if cut == Cut.SENTENCE and not following and not self._finished:
            return False  # the next word tells
        if before.endswith(("..", "…")):
            return cut >= Cut.CLAUSE or not following.islower()
        if _LIST_NUMBER.search(before):
            return False
        word = _LAST_WORD.search(before[:-1])
        last = word[0].lstrip("([{\"'“„«").casefold() if word else ""
        if last in _ABBREVIATIONS:
            return last in _OFTEN_LAST and following.isupper()
        if len(last) == 1 and last.isalpha() and last != "i":
            return False  # an initial
        return cut >= Cut.CLAUSE or not following.islower()

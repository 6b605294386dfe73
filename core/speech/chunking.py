"""Cuts text as it comes into pieces for an engine: the first early, then longer ones, at the ends of sentences.

The pieces joined are the text. After LiveKit's and RealtimeTTS's rules: a first clause at once, then sentences, no piece
much longer than the one before it, because the gap a listener hears is the time it takes to make a piece less the sound
of the piece before.
"""

from __future__ import annotations

import re
import unicodedata
from enum import IntEnum

_ENDS = ".!?…。！？｡؟۔।॥"
_WIDE_ENDS = "。！？｡।॥"  # of scripts that put no blank after a sentence
_PAUSES = ",;:–—、，；：،؛"
_WIDE_PAUSES = "、，；："
_STOPS = tuple(_ENDS + _PAUSES)
_CLOSERS = "\"')]}»”’」』）】"
_SENTENCE_END = re.compile(
    rf"(?<![{re.escape(_ENDS)}])[{re.escape(_ENDS)}]++[{re.escape(_CLOSERS)}]*+(?=\s)"
    rf"|[{re.escape(_WIDE_ENDS)}]++[{re.escape(_CLOSERS)}]*+|\n"
)
_CLAUSE_END = re.compile(rf"[{re.escape(_PAUSES)}][{re.escape(_CLOSERS)}]*+(?=\s)|[{re.escape(_WIDE_PAUSES)}]")
_LIST_NUMBER = re.compile(r"(?:\A|\n)[ \t]*+\d{1,3}\.\Z")
_BLANKS = re.compile(r"\s*+")
_WORDS = re.compile(r"(?<!\S)\S++\s")
# The end of a text that may be half of a number: "$3.", "12:", "v1.", "1 000", "-5" and, with the word, "in 3".
_HALF_NUMBER = re.compile(
    r"(?<!\S)(?:(?:[^\s\d]{0,4}\d{1,3}(?:[ \u00a0\u202f]\d{3}){0,6}|\S{0,30}\d)[.,:/'’–-]?|[$€£¥₽₹₩₿±−+#§≈-]{1,2})\s?\Z"
)
_LONGEST_NUMBER = 60
_GLUED = "\u200d\ufe0e\ufe0f\u20e3"
_MOST_GLUED = 40
_MOST_TRIED = 16  # full stops in one piece that are looked at: a row of initials or abbreviations has hundreds
_LOOK_BACK = 40  # characters before a full stop that tell what it is
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
    """How small a piece is wanted: whole sentences, clauses, whatever words there are, or also half a number."""

    SENTENCE = 0
    CLAUSE = 1
    WORD = 2
    REST = 3


class Chunker:
    """Collects text and returns it in pieces.

    `push` text, then `take` pieces until there is none; `finish` when no more text will come, and take the rest.
    """

    def __init__(self, *, first_chars: int = 10, first_words: int = 12, longest: int = 300) -> None:
        self._first_chars = first_chars
        self._first_words = first_words
        self._longest = longest
        self._text = ""
        self._at = 0  # up to where it was taken
        self._blank_to = 0  # up to where it is known that nothing but blanks follow
        self._limit = longest
        self._first = True
        self._finished = False

    @property
    def waiting(self) -> bool:
        """Whether there is text that was not taken yet."""
        return self._lead() < len(self._text)

    @property
    def done(self) -> bool:
        """Whether nothing is left and nothing will come."""
        return self._finished and not self.waiting

    def push(self, text: str) -> None:
        """More text."""
        self._blank_to = max(0, self._blank_to - self._at)
        self._text = self._text[self._at :] + text
        self._at = 0

    def finish(self) -> None:
        """No more text will come."""
        self._finished = True

    def take(self, cut: Cut = Cut.SENTENCE) -> str | None:
        """The next piece, with the white space after it, or None if there is none yet."""
        if not self.waiting:
            return None
        end = self._first_end(cut) if self._first else self._later_end(cut)
        if end <= self._at:
            return None
        end = self._after_blanks(end)
        piece = self._text[self._at : end]
        self._at = end
        self._first = False
        self._limit = min(self._longest, max(_SMALLEST_LIMIT, int(_GROWTH * len(piece))))
        return piece

    def _first_end(self, cut: Cut) -> int:
        """As soon as a clause of some length, or a number of words, is there."""
        lead = self._lead()
        least, most = lead + self._first_chars, lead + self._longest
        ends = [end for end in self._ends(Cut.CLAUSE, most) if end >= least]
        if ends:
            return ends[0]
        words = self._words(lead, most, cut)
        if len(words) >= self._first_words:
            return min(most, words[self._first_words - 1])
        return self._rest_or_words(cut, most)

    def _later_end(self, cut: Cut) -> int:
        """As many whole sentences as the limit allows; less only when asked, or when one sentence is too long."""
        limit = self._at + self._limit
        sentence = self._last_sentence_end(limit)
        if sentence is not None:
            return sentence if not self._finished or len(self._text) > limit else len(self._text)
        too_long = len(self._text) > limit
        if too_long or cut >= Cut.CLAUSE:
            clause = self._last_clause_end(self._at + self._first_chars, limit)
            if clause is not None:
                return clause
        return self._rest_or_words(cut, limit)

    def _rest_or_words(self, cut: Cut, limit: int) -> int:
        """Everything if it is the end; else whole words if asked for or if the limit is reached."""
        here = len(self._text) <= limit
        if here and self._finished:
            return len(self._text)
        if here and cut < Cut.WORD:
            return self._at
        if here and cut >= Cut.REST and unfinished(self._text, self._at) < len(self._text):
            return len(self._text)
        if here and self._ends_in_stop() and (cut >= Cut.REST or unfinished(self._text, self._at) == len(self._text)):
            return len(self._text)
        words = self._words(self._at, limit, cut)
        if words:
            return words[-1]
        return self._at if here else self._between_characters(limit)  # one endless word

    def _words(self, start: int, limit: int, cut: Cut) -> list[int]:
        """Where words end within the limit, but not inside of a number that is written in groups."""
        text = self._text
        last = len(text) if self._finished or cut >= Cut.REST else unfinished(text, start)
        found = _WORDS.finditer(text, start, min(len(text), limit))
        ends = [match.end() for match in found]
        return [end for end in ends if end <= last and not (text[end - 2].isdigit() and text[end : end + 1].isdigit())]

    def _between_characters(self, limit: int) -> int:
        """The limit, or a little before, so that an accent, a joined emoji or half a character stays with its letter."""
        text, end = self._text, limit
        while end > max(self._at + 1, limit - _MOST_GLUED) and (_glued(text[end]) or text[end - 1] in "\u200c\u200d"):
            end -= 1
        return end if end > max(self._at + 1, limit - _MOST_GLUED) else limit

    def _last_sentence_end(self, limit: int) -> int | None:
        """The last end of a sentence within the limit."""
        last, lead = min(len(self._text), limit + 1), self._lead()
        return self._last_of(lead + 1, limit, last, Cut.SENTENCE)

    def _last_clause_end(self, least: int, limit: int) -> int | None:
        """The last end of a sentence or clause from `least` to the limit."""
        last = min(len(self._text), limit + 1)
        found = [match.end() for match in _CLAUSE_END.finditer(self._text, self._at, last)]
        pause = next((end for end in reversed(found) if end <= limit), -1)
        stop = self._last_of(max(least, self._lead() + 1, pause), limit, last, Cut.CLAUSE)
        return stop if stop is not None else pause if pause >= least else None

    def _last_of(self, least: int, limit: int, last: int, cut: Cut) -> int | None:
        """The last end of a sentence from `least` to the limit, among the last few full stops."""
        ends = [match.end() for match in _SENTENCE_END.finditer(self._text, self._at, last)]
        for end in ends[: -_MOST_TRIED - 1 : -1]:
            if end < least:
                return None
            if end <= limit and self._ends_sentence(end, cut):
                return end
        return None

    def _ends(self, cut: Cut, limit: int) -> list[int]:
        """Where pieces may end within the limit."""
        text, last = self._text, min(len(self._text), limit + 1)
        ends = [match.end() for match in _SENTENCE_END.finditer(text, self._at, last)]
        lead = self._lead()
        ends = [end for end in ends if lead < end <= limit and self._ends_sentence(end, cut)]
        if cut >= Cut.CLAUSE:
            found = _CLAUSE_END.finditer(text, self._at, last)
            ends = sorted([*ends, *(match.end() for match in found if match.end() <= limit)])
        return ends

    def _ends_sentence(self, end: int, cut: Cut) -> bool:
        """Whether the full stop before `end` is one, and not that of an abbreviation, a number or a pause in thought."""
        text = self._text
        before = text[max(self._at, end - _LOOK_BACK) : end].rstrip(_CLOSERS)
        if not before.endswith((".", "…")):
            return True
        after = self._after_blanks(end)
        following = text[after : after + 1]
        if cut == Cut.SENTENCE and not following and not self._finished:
            return False  # the next word tells
        if before.endswith(("..", "…")):
            return cut >= Cut.CLAUSE or not following.islower()
        if _LIST_NUMBER.search(before):
            return False
        last = _last_word(before[:-1])
        if last in _ABBREVIATIONS:
            return last in _OFTEN_LAST and following.isupper()
        if len(last) == 1 and last.isalpha() and last != "i":
            return False  # an initial
        return cut >= Cut.CLAUSE or not following.islower()

    def _ends_in_stop(self) -> bool:
        tail = self._text[max(self._at, len(self._text) - _LOOK_BACK) :].rstrip()
        return tail.endswith(_STOPS)

    def _lead(self) -> int:
        """Where what was not taken begins, blanks aside."""
        self._blank_to = self._after_blanks(max(self._at, self._blank_to))
        return self._blank_to

    def _after_blanks(self, start: int) -> int:
        return _BLANKS.match(self._text, start).end()  # pyright: ignore[reportOptionalMemberAccess] - always matches


def unfinished(text: str, start: int = 0) -> int:
    """Where, behind `start`, the end of a text begins that may be half a number or an abbreviation; else its length."""
    found = _HALF_NUMBER.search(text, max(start, len(text) - _LONGEST_NUMBER))
    if found is not None:
        return found.start()
    tail = text[max(start, len(text) - _LOOK_BACK) :].rstrip()
    if tail.endswith(".") and _last_word(tail[:-1]) in _ABBREVIATIONS:
        return len(text) - len(text[max(start, len(text) - _LOOK_BACK) :]) + len(tail) - len(tail.split()[-1])
    return len(text)


def _last_word(text: str) -> str:
    words = text[-_LOOK_BACK:].split()
    return words[-1].lstrip("([{\"'“„«").casefold() if words and not text[-1].isspace() else ""


def _glued(character: str) -> bool:
    """Whether a character belongs to the one before it."""
    return (
        character in _GLUED
        or "\udc00" <= character <= "\udfff"
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or unicodedata.category(character) in ("Mn", "Mc", "Me")
    )

"""Leaves out what a reasoning model thinks aloud before it answers."""

from __future__ import annotations

import re

from core.llm import thoughts
from core.llm.cleaning import begun
from core.llm.special_tokens import FOREIGN, TOKEN, token_begun

MOST_IN_DOUBT = 600  # characters held back behind a thought in which another began, until its own end comes
TAGS = (*thoughts.SPOKEN_OPENINGS, *thoughts.SPOKEN_CLOSINGS)
_TAG = re.compile("|".join(map(re.escape, TAGS)), re.IGNORECASE)
# Before the first word: empty thoughts, and torn headers of gpt-oss.
_UNSAID_WORDS = (
    "assistant<|channel|>final",
    "final<|message|>",
    "<think/>",
    "<think />",
    "<thinking/>",
    "<thinking />",
)
_UNSAID = re.compile("|".join(map(re.escape, _UNSAID_WORDS)), re.IGNORECASE)
_BLANK = re.compile(r"\s*")


class ReasoningFilter:
    """Drops thoughts that begin before the first word of the answer, also when their marks come in pieces.

    A thought that is never closed is dropped to the end. Marks behind the first word are spoken of, and stay; only the
    end of a thought that stands there without a beginning is dropped, and `stray` tells of it: the beginning was in the
    prompt, and the thought has been passed on already. `starts_inside` is for such models: all is thought up to the first
    end of one. With `unless_unended` all is the answer after all if that end never comes, and `unended` tells of it.
    """

    def __init__(self, *, starts_inside: bool = False, unless_unended: bool = False) -> None:
        self._closing: re.Pattern[str] | None = (
            thoughts.ANY_CLOSING if starts_inside else None
        )  # of the thought we are in
        self._assumed = starts_inside
        self._kept: list[str] | None = [] if unless_unended else None  # of a thought that may be the answer
        self._inner = 0  # beginnings of thoughts inside of the one we are in
        self._held: str = ""
        self._begun = False  # a word of the answer has passed
        self._spoken_of = False
        self._last: str = ""
        self.thought = False
        self.stray = False
        self.unended = False

    def apart(self) -> None:
        """The server sends thoughts in a field of their own, so that the answer does not begin inside one."""
        if self._assumed:
            self._closing, self._assumed, self._kept = None, False, None

    def feed(self, text: str) -> str:
        """The text outside of thoughts."""
        text, self._held = self._held + text, ""
        place = 0
        while not self._begun:
            if self._closing is not None:
                after = self._end(text, place)
            elif self._inner:
                after = self._last_end(text, place)
            else:
                place = _BLANK.match(text, place).end()  # pyright: ignore[reportOptionalMemberAccess] - matches anything
                after = self._opened(text, place)
                if after is None and _may_open(text, place):
                    self._held = text[place:]  # empty, or what may become a mark
                elif after is None:
                    self._begun = True
                    break
            if after is None:
                return ""
            place = after
        return self._answer(text[place:])

    def flush(self) -> str:
        """What looked like the beginning of a mark and was none, or like a thought and had no end."""
        held, self._held = self._held, ""
        if self._closing is not None:
            self.unended = self._assumed
            self.thought = self.thought or bool(held.strip())
            return "" if self._kept is None else "".join(self._kept) + held
        return self._answer(held) + self._held if self._inner else held

    def _opened(self, text: str, place: int) -> int | None:
        """Behind the mark at a place before the first word; None if there is none."""
        unsaid = _UNSAID.match(text, place) or thoughts.ANY_CLOSING.match(text, place)
        if unsaid is not None:
            return unsaid.end()
        found = thoughts.opening(text, place)
        if found is not None:
            family, end = found
            self._closing, self._inner = family.closing, 0
            self._kept = None if family.sure else [text[place:end]]
            return end
        token = TOKEN.match(text, place)
        return token.end() if token is not None and token[0].lower() not in FOREIGN else None

    def _end(self, text: str, place: int) -> int | None:
        """Where the thought we are in ends; None if its end has not come."""
        closing = self._closing or thoughts.ANY_CLOSING
        keep, start = thoughts.LONGEST_END, place
        while (found := closing.search(text, start)) is not None:
            if thoughts.QUOTED.search(text, max(place, found.start() - 2), found.start()) is None:
                break
            if found.end() == len(text):  # the next character tells whether it is spoken of
                keep = len(text) - found.start() + 2
                found = None
                break
            if text[found.end()] not in thoughts.QUOTES:
                break
            start = found.end()
        if found is None:
            cut = max(start, len(text) - keep)
            tag = text.rfind("<", max(start, cut - keep), cut)
            self._think(text[place : tag if tag >= 0 else cut])
            self._held = text[tag if tag >= 0 else cut :]
            return None
        self._think(text[place : found.start()])
        self._closing, self._assumed, self._kept = None, False, None
        return found.end()

    def _think(self, text: str) -> None:
        """Take what is surely inside of a thought."""
        for found in thoughts.INNER_OPENING.finditer(text):
            self._inner += self.thought or bool(text[: found.start()].strip())
        self.thought = self.thought or bool(text.strip())
        if self._kept is not None:
            self._kept.append(text)

    def _last_end(self, text: str, place: int) -> int | None:
        """Behind the end of a thought in which others began, or where the answer begins if no other end is near."""
        found = thoughts.ANY_CLOSING.search(text, place, place + MOST_IN_DOUBT)
        if found is not None:
            self._inner -= 1
            return found.end()
        if len(text) - place < MOST_IN_DOUBT:
            self._held = text[place:]
            return None
        self._inner = 0
        return place

    def _answer(self, text: str) -> str:
        """The answer itself, without a stray end of a thought."""
        passed: list[str] = []
        start = 0
        for found in _TAG.finditer(text):
            self._pass(text[start : found.start()], passed)
            start = found.end()
            if found[0].lower() in thoughts.SPOKEN_OPENINGS:
                self._spoken_of = True
            elif not self._spoken_of and (self._last.isalnum() or self._last in "\n.!?…"):
                self.stray = True
                continue
            self._pass(found[0], passed)
        keep = begun(text[start:], TAGS)
        self._held = text[len(text) - keep :]
        self._pass(text[start : len(text) - keep], passed)
        return "".join(passed)

    def _pass(self, text: str, passed: list[str]) -> None:
        if text:
            passed.append(text)
            self._last = text[-1]


def _may_open(text: str, place: int) -> bool:
    """Whether all that follows, before the first word, may be the beginning of a mark."""
    rest = len(text) - place
    if rest > thoughts.LONGEST_OPENING:
        return False
    head = text[place:]
    return not rest or token_begun(head) == rest or begun(head, _UNSAID_WORDS) == rest or thoughts.opening_begun(head)

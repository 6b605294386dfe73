"""Filters between a model's raw text and what may be spoken, chained."""

from __future__ import annotations

from functools import cache
from typing import Protocol

from core.surrogates import ends_in_half, mended


class TextFilter(Protocol):
    """Takes text piece by piece and returns what may pass so far; holds back what it cannot judge yet."""

    def feed(self, text: str) -> str:
        """What may pass now, with what was held back before."""
        ...

    def flush(self) -> str:
        """What is left to pass at the end of the text."""
        ...


class Chain:
    """Several filters, each fed what the one before lets pass; a filter itself."""

    def __init__(self, *filters: TextFilter) -> None:
        self._filters = filters

    def feed(self, text: str) -> str:
        """What passes all filters."""
        for each in self._filters:
            if not text:
                return ""
            text = each.feed(text)
        return text

    def flush(self) -> str:
        """What is left in all filters, in order."""
        text = ""
        for each in self._filters:
            text = each.feed(text) + each.flush()
        return text


class Pairs:
    """Joins surrogate pairs that were cut in two, and replaces halves that stay alone."""

    def __init__(self) -> None:
        self._held: str = ""

    def feed(self, text: str) -> str:
        """The text, but for a first half at its end, whose second half may follow."""
        text, self._held = self._held + text, ""
        if ends_in_half(text):
            text, self._held = text[:-1], text[-1]
        return mended(text)

    def flush(self) -> str:
        """A half that stayed alone, replaced."""
        held, self._held = self._held, ""
        return mended(held)


def begun(text: str, marks: tuple[str, ...]) -> int:
    """How many characters at the end of the text may be the beginning of one of the (lower-case) marks."""
    longest, firsts = _measures(marks)
    tail = text[-longest:].lower()
    for place, character in enumerate(tail):
        if character in firsts:
            end = tail[place:]
            if any(len(mark) > len(end) and mark.startswith(end) for mark in marks):
                return len(end)
    return 0


@cache
def _measures(marks: tuple[str, ...]) -> tuple[int, frozenset[str]]:
    """How long the longest of the marks is, and with what they begin."""
    return max(map(len, marks)), frozenset(mark[0] for mark in marks)

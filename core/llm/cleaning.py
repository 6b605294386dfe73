"""Filters between a model's raw text and what may be spoken, chained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable


class TextFilter(Protocol):
    """Takes text piece by piece and gives what may pass so far; holds back what it cannot judge yet."""

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


def begun(text: str, marks: Iterable[str]) -> int:
    """How many characters at the end of the text may be the beginning of one of the (lower-case) marks."""
    lowered = text.lower()
    longest = 0
    for mark in marks:
        for length in range(min(len(mark) - 1, len(text)), longest, -1):
            if lowered.endswith(mark[:length]):
                longest = length
                break
    return longest

"""Removes from the beginning of an answer what is not the answer: blanks, and the name of who speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ROLES = ("assistant", "ai", "bot")
TITLES = ("response", "answer")  # only as a heading: "### Response:"
COLONS = ":\uff1a"  # the second one is the full-width colon of East Asian text
HEADERS = ("assistant", "model")  # also alone on a line, where a server leaves out the tokens around them
MARKUP = "*_[]#"
MOST_MARKUP = 16  # characters of markup and blanks around a name
MOST_PREFIXES = 8


class RolePrefixFilter:
    """Drops leading blanks and prefixes as "Assistant:", "Parley:" or "**Parley:**", also several of them."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = {" ".join(name.casefold().split()) for name in (*ROLES, *names) if name.strip()}
        self._held: str = ""
        self._unclosed = 0  # marks that opened a dropped prefix; their counterparts right behind the colon go too
        self._longest = max(map(len, self._names)) + MOST_MARKUP
        self._dropped = 0
        self._open = True

    def feed(self, text: str) -> str:
        """The answer itself; nothing while its beginning may still become a prefix."""
        if not self._open:
            return text
        text = self._held + text
        self._held = ""
        while text := self._close(text).lstrip():
            end = self._prefix(text) if self._dropped < MOST_PREFIXES else None
            if end is None:
                self._open = False
                return text
            if end == 0:
                self._held = text
                return ""
            marks = len(text) - len(text.lstrip(MARKUP))
            self._unclosed = max(0, 2 * marks - sum(text[:end].count(mark) for mark in MARKUP))
            text = text[end:]
            self._dropped += 1
        return ""

    def flush(self) -> str:
        """What looked like the beginning of a prefix and was none."""
        held, self._held = self._held, ""
        return held

    def _close(self, text: str) -> str:
        """The text without the marks that close a dropped prefix."""
        while self._unclosed and text:
            if text[0] not in MARKUP:
                self._unclosed = 0
                return text
            self._unclosed -= 1
            text = text[1:]
        return text

    def _prefix(self, text: str) -> int | None:
        """Where a prefix ends; 0 if the text is too short to tell; None if it has none."""
        for place, character in enumerate(text[: self._longest]):
            if character in COLONS:
                plain = _plain(text[:place])
                known = plain in self._names or (text[0] == "#" and plain in TITLES)
                return place + 1 if known else None
            if character == "\n":
                return place + 1 if _plain(text[:place]) in HEADERS else None
        if len(text) >= self._longest:
            return None
        plain = _plain(text)
        possible = (*self._names, *HEADERS, *(TITLES if text[0] == "#" else ()))
        return 0 if any(name.startswith(plain) for name in possible) else None


def _plain(text: str) -> str:
    """The name in a prefix, without case, markup and doubled blanks."""
    return " ".join("".join(each for each in text if each not in MARKUP).casefold().split())

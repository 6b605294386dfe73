"""Leaves out what a reasoning model thinks aloud between tags."""

from __future__ import annotations

import re

from core.llm.cleaning import begun

NAMES = ("think", "thinking", "thought", "reasoning")
CLOSING = re.compile(rf"</(?:{'|'.join(NAMES)})>", re.IGNORECASE)
EITHER = re.compile(rf"<(/?)(?:{'|'.join(NAMES)})>", re.IGNORECASE)
MARKS = tuple(f"<{slash}{name}>" for name in NAMES for slash in ("", "/"))


class Thinking:
    """Drops `<think>...</think>` and its relatives, also when the tags come in pieces.

    A thought that is never closed is dropped to the end. A closing tag without an opening one (some chat templates put
    the opening tag into the prompt) is dropped by itself: what came before it has been passed on already.
    """

    def __init__(self) -> None:
        self._held: str = ""
        self._inside = False

    def feed(self, text: str) -> str:
        """The text outside of thoughts."""
        text = self._held + text
        passed: list[str] = []
        while found := (CLOSING if self._inside else EITHER).search(text):
            if not self._inside:
                passed.append(text[: found.start()])
            self._inside = not self._inside and not found[1]
            text = text[found.end() :]
        keep = begun(text, MARKS)
        self._held = text[len(text) - keep :]
        if not self._inside:
            passed.append(text[: len(text) - keep])
        return "".join(passed)

    def flush(self) -> str:
        """What looked like the beginning of a tag and was none."""
        held, self._held = self._held, ""
        return "" if self._inside else held

"""Leaves out what a reasoning model thinks aloud before it answers."""

from __future__ import annotations

import re

from core.llm.cleaning import begun
from core.llm.special_tokens import IGNORED

_TAGS = tuple(
    f"{prefix}{name}"
    for prefix in ("", "seed:")
    for name in ("think", "thinking", "thought", "thoughts", "reasoning", "reflection")
)
# How families of models mark a thought: its beginnings, its ends. gpt-oss names the channel of each message; only what is
# on "final" is for people.
FAMILIES: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (tuple(f"<{tag}>" for tag in _TAGS), tuple(f"</{tag}>" for tag in _TAGS)),
    (("[think]",), ("[/think]",)),  # Mistral
    (("<|channel|>analysis", "<|channel|>commentary"), ("<|channel|>final", "<|end|>", "<|return|>")),  # gpt-oss
    (("<|begin_of_thought|>",), ("<|end_of_thought|>",)),
    (("<|start_thinking|>",), ("<|end_thinking|>",)),  # Command
    (("◁think▷",), ("◁/think▷",)),  # Kimi
    (("<unused94>",), ("<unused95>",)),  # MedGemma
    (("<|channel>thought",), ("<channel|>",)),  # Gemma
)
OPENINGS = {mark: closings for openings, closings in FAMILIES for mark in openings}
CLOSINGS = tuple(mark for _, closings in FAMILIES for mark in closings)
UNSEEN = tuple(dict.fromkeys((*OPENINGS, *CLOSINGS, *IGNORED)))  # none of these is a word of the answer
TAGS = (*FAMILIES[0][0], *FAMILIES[0][1], *FAMILIES[1][0], *FAMILIES[1][1])


def _any_of(marks: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, marks)), re.IGNORECASE)


_UNSEEN = _any_of(UNSEEN)
_TAG = _any_of(TAGS)
_ENDS = {closings: _any_of(closings) for closings in (*(closings for _, closings in FAMILIES), CLOSINGS)}
_BLANK = re.compile(r"\s*")


class ReasoningFilter:
    """Drops thoughts that begin before the first word of the answer, also when their marks come in pieces.

    A thought that is never closed is dropped to the end. Marks behind the first word are spoken of, and stay; only the
    end of a thought that stands there without a beginning is dropped, and `stray` tells of it: the beginning was in the
    prompt, and the thought has been passed on already. `starts_inside` is for such models: all is thought up to the first
    end of one.
    """

    def __init__(self, *, starts_inside: bool = False) -> None:
        self._closings: tuple[str, ...] | None = CLOSINGS if starts_inside else None  # of the thought we are in
        self._assumed = starts_inside
        self._held: str = ""
        self._begun = False  # a word of the answer has passed
        self._spoken_of = False
        self._last: str = ""
        self.thought = False
        self.stray = False

    def apart(self) -> None:
        """The server sends thoughts in a field of their own, so that the answer does not begin inside one."""
        if self._assumed:
            self._closings, self._assumed = None, False

    def feed(self, text: str) -> str:
        """The text outside of thoughts."""
        text, self._held = self._held + text, ""
        place = 0
        while not self._begun:
            if self._closings is not None:
                end = self._end(text, place)
                if end is None:
                    return ""
                place = end
                continue
            place = _BLANK.match(text, place).end()  # pyright: ignore[reportOptionalMemberAccess] - matches anything
            mark = _UNSEEN.match(text, place)
            if mark is not None:
                self._closings = OPENINGS.get(mark[0].lower())
                place = mark.end()
            elif begun(text[place : place + _LONGEST], UNSEEN) == len(text) - place:
                self._held = text[place:]  # empty, or what may become a mark
                return ""
            else:
                self._begun = True
        return self._answer(text[place:])

    def flush(self) -> str:
        """What looked like the beginning of a mark and was none."""
        held, self._held = self._held, ""
        return "" if self._closings is not None else held

    def _end(self, text: str, place: int) -> int | None:
        """Where the thought we are in ends; None if its end has not come."""
        closings = self._closings or ()
        found = _ENDS[closings].search(text, place)
        self.thought = self.thought or bool(text[place : found.start() if found else len(text)].strip())
        if found is None:
            self._held = text[len(text) - begun(text[place:], closings) :]
            return None
        self._closings, self._assumed = None, False
        return found.end()

    def _answer(self, text: str) -> str:
        """The answer itself, without a stray end of a thought."""
        passed: list[str] = []
        start = 0
        for found in _TAG.finditer(text):
            self._pass(text[start : found.start()], passed)
            start = found.end()
            if found[0][1] != "/":
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


_LONGEST = max(map(len, UNSEEN))

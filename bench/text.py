"""Text that was made to be slow, and text at random: does the time grow with the text and no faster, is nothing lost or doubled?

Every path of text is given 100,000 characters of each adversarial kind, and four times as many. `worst_ms` is the longest time of
one path for one text; `growth` the largest ratio between both lengths (4 is linear). Then random messages and streams go through
speech and through the cutting of messages: chunks of a stream must be said like the whole text.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from typing import TYPE_CHECKING

from core.conversation.pages import split
from core.llm.cleaner import Cleaner
from core.llm.reasoning_filter import ReasoningFilter
from core.llm.special_tokens import SpecialTokens
from core.names import sayable, shown, shown_text
from core.recording.names import safe_name
from core.speech.chunking import Chunker
from core.speech.marks import without_line_marks
from core.speech.plain import PlainText
from core.speech.speakable import Speakable, is_sayable

if TYPE_CHECKING:
    from collections.abc import Callable

LENGTH = 100_000
GOAL_MS, GOAL_GROWTH = 50.0, 8.0
LEAST_MS = 20.0  # growth from less than this is noise
ROUNDS = 3

UNITS = {
    "bullets": "- ", "link tails": "https://x)]", "tails": ")]", "word": "a", "brackets": "[", "labels": "[a](", "label": "[a](b)",
    "stars": "*a", "ticks": "`a``b", "spoilers": "|| a ", "bars": "|a", "rows": "|\n", "angles": "<a", "mentions": "<@12>",
    "slashes": "\\(", "dollars": "$a", "entities": "&a", "colons": "a:", "domains": "a.com/ ", "powers": "a^b", "lines": "\n",
    "blanks": " ", "quotes": "> ", "rule": "=", "digits": "1,", "emoji": "😀", "accents": "\u0301", "fences": "```a",
    "commands": "\\frac{", "breaks": "<br>", "schemes": "http", "tasks": "- [ ] ", "prose": "This is a plain sentence, of words. ",
    "stops": "a. ", "marks": "!?", "cjk": "日本。", "think": "<think>", "halves": "\ud83d",
    "short lines": "a\n", "items": "- a\n", "quoted": "> a\n", "headings": "# a\n", "cells": "|a|\n", "numbered": "1. a\n", "bold lines": "**a**\n",
    "titles": "Dr. ", "ellipses": "... ", "clauses": "a, ", "tags": "<b>a</b>", "masked": "[a](https://b.c) ", "users": "<@123> ", "www": "www.a ",
}  # fmt: skip


def _chunked(text: str) -> None:
    chunker = Chunker()
    chunker.push(text)
    chunker.finish()
    while chunker.take() is not None:
        pass


def _said(text: str) -> str:
    speakable = Speakable()
    return speakable.push(text) + speakable.finish()


PATHS: dict[str, Callable[[str], object]] = {
    "speakable": _said,
    "is_sayable": is_sayable,
    "plain": lambda text: PlainText().clean(text),
    "line marks": without_line_marks,
    "chunking": _chunked,
    "pages": split,
    "growing pages": lambda text: split(text, growing=True),
    "model's answer": lambda text: Cleaner(("Parley",), ("User:", "\n\n\n")).feed(text),
    "thoughts": lambda text: ReasoningFilter().feed(text),
    "tokens": lambda text: SpecialTokens().feed(text),
    "shown": shown,
    "shown text": shown_text,
    "sayable": sayable,
    "file names": safe_name,
}
PARTS = [
    *"*_`|\n~\\@h1()[]! aé$^&:/<>.#w-", "<@1", "<@1>", "```", "||", "[a](http://b)", "http://x.y", "- ", "# ", "> ", "😀", "<:e:1>",
    "<t:1:R>", "ש", "word", ". ", "steam://", "discord.gg/a", "a.com/b", "$x^2$", "\\frac{1}{2}", "<br>", "&amp;", "2**10", "- [ ] ",
    "|a|b|", "1️⃣", "\r\n", "\ud83d", "\ude00", "https:", "`a`", "```py\n", "3.50", "日本。", "e\u0301",
]  # fmt: skip


def main(argv: list[str]) -> int:
    """Measure, and print a line for the times and one for the random texts."""
    parser = argparse.ArgumentParser(prog="python -m bench text", description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    return max(_times(), _random(options.messages, options.seed))


def milliseconds(path: Callable[[str], object], text: str) -> float:
    """The least of several times that a path takes for a text, in milliseconds of this process."""
    best = float("inf")
    for _ in range(ROUNDS):
        began_s = time.process_time()
        path(text)
        best = min(best, time.process_time() - began_s)
    return best * 1000


def _times() -> int:
    worst: dict[str, tuple[float, str]] = {}
    growth, grown = 1.0, ""
    for path_name, path in PATHS.items():
        for unit_name, unit in UNITS.items():
            text = unit * (LENGTH // len(unit)) + "x"
            short_ms = milliseconds(path, text)
            worst[path_name] = max(worst.get(path_name, (0.0, "")), (round(short_ms, 1), unit_name))
            if short_ms >= LEAST_MS and (ratio := milliseconds(path, text[:-1] * 4 + "x") / short_ms) > growth:
                growth, grown = ratio, f"{path_name}: {unit_name}"
    worst_ms = max(ms for ms, _ in worst.values())
    met = worst_ms <= GOAL_MS and growth <= GOAL_GROWTH
    line = {
        "bench": "text",
        "characters": LENGTH,
        "worst_ms": worst_ms,
        "paths": worst,
        "growth": round(growth, 1),
        "grown": grown,
        "goal": f"worst_ms <= {GOAL_MS:.0f}, growth <= {GOAL_GROWTH:.0f} for four times the text",
        "met": met,
    }
    print(json.dumps(line), flush=True)
    return 0 if met else 1


def _random(messages: int, seed: int) -> int:
    random_ = random.Random(seed)
    torn = lost = 0
    for _ in range(messages):
        text = "".join(random_.choices(PARTS, k=random_.randrange(1, 40)))
        torn += _streamed(text, random_) != _said(text)
        pages = split(text, 80)
        lost += any(sum(page.count(sign) for page in pages) != text.count(sign) for sign in "日ש")
    line = {
        "bench": "text",
        "messages": messages,
        "said_otherwise_in_pieces": torn,
        "lost_or_doubled": lost,
        "goal": "none said otherwise, none lost or doubled",
        "met": not torn and not lost,
    }
    print(json.dumps(line), flush=True)
    return 1 if torn or lost else 0


def _streamed(text: str, random_: random.Random) -> str:
    speakable, said = Speakable(), ""
    while text:
        length = random_.randrange(1, 9)
        said, text = said + speakable.push(text[:length]), text[length:]
    return said + speakable.finish()

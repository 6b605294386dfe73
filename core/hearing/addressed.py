"""Whether something that was said is for the bot: by its name, by who is there, and not by a mere sound of assent."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Answering = Literal["addressed", "alone", "always", "never"]

_WORD = re.compile(r"\w+(?:['’\-]\w+)*")
_GREETINGS = frozenset(
    ["hey", "hi", "hello", "ok", "okay", "oh", "so", "and", "please", "well", "hallo", "he", "salut", "hola", "yo"]
)
# What people say or do while they listen on, in the spellings of recognisers; also laughter and coughs.
_FILLERS = frozenset(
    [
        "mhm",
        "mm",
        "mmm",
        "mmhm",
        "hm",
        "hmm",
        "hmmm",
        "mm-hmm",
        "mmm-hmm",
        "uh-huh",
        "uhuh",
        "uh",
        "huh",
        "um",
        "umm",
        "er",
        "erm",
        "ah",
        "aha",
        "oh",
        "ooh",
        "ow",
        "yeah",
        "yea",
        "yep",
        "yup",
        "yes",
        "ok",
        "okay",
        "right",
        "sure",
        "wow",
        "nice",
        "cool",
        "ha",
        "haha",
        "hahaha",
        "heh",
        "hehe",
        "hihi",
        "lol",
        "cough",
        "coughs",
        "coughing",
        "laughs",
        "laughter",
        "laughing",
        "sigh",
        "sighs",
        "sneezes",
        "clears",
        "throat",
        "ja",
        "jo",
        "genau",
        "ach",
        "oui",
        "ouais",
        "sí",
        "si",
    ]
)
_MOST_FILLERS = 4  # words; more of them are a sentence of some kind


class SpokenText(Protocol):
    """What one person said."""

    @property
    def text(self) -> str:
        """Their words."""
        ...


def is_filler(text: str) -> bool:
    """Whether a text has no more in it than “mhm”, “yeah”, laughter or a cough; a text without words has not even that."""
    words = _folded(text)
    return len(words) <= _MOST_FILLERS and all(word in _FILLERS for word in words)


def after_name(text: str, names: Iterable[str]) -> str | None:
    """What follows the bot's name at the beginning of a text, maybe behind a greeting; None if it does not begin so."""
    found = list(_WORD.finditer(text))
    words = [_fold(match.group()) for match in found]
    begin = next((number for number, word in enumerate(words) if word not in _GREETINGS), len(words))
    for start in range(min(begin, 2), -1, -1):
        for name in names:
            called = _folded(name)
            if called and words[start : start + len(called)] == called:
                return text[found[start + len(called) - 1].end() :].lstrip(" ,.!?;:-–—")
    return None


def names_it(text: str, names: Iterable[str]) -> bool:
    """Whether one of the bot's names is in a text, wherever."""
    words = f" {' '.join(_folded(text))} "
    return any(called and f" {' '.join(called)} " in words for called in map(_folded, names))


def is_for_bot(lines: Iterable[SpokenText], answering: Answering, names: Sequence[str], *, alone: bool) -> bool:
    """Whether the bot answers what was said.

    Args:
        lines: What was said.
        answering: `[hearing] answer`.
        names: What it is called.
        alone: Whether one person is alone with it.
    """
    match answering:
        case "never":
            return False
        case "always":
            return True
        case "alone":
            return alone
        case "addressed":
            return alone or any(names_it(line.text, names) for line in lines)


def _fold(word: str) -> str:
    return unicodedata.normalize("NFKC", word).casefold().replace("’", "'")


def _folded(text: str) -> list[str]:
    return [_fold(word) for word in _WORD.findall(text)]

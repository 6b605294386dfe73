"""Whether something that was said is for the bot: by its name, by who is there, and not by a mere sound of assent."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Answering = Literal["addressed", "alone", "always", "never"]

_STOPS = tuple(",.!?;:")
_BETWEEN = " ,.!?;:-–—"
_WORD = re.compile(r"\w+(?:['’\-]\w+)*")


def _set(*words: str) -> frozenset[str]:
    return frozenset(word for some in words for word in some.split())


_GREETINGS = _set("hey hi hello ok okay oh so and please well hallo he salut hola yo")
# What people say or do while they listen on, in the spellings of recognisers; also laughter and coughs.
_FILLERS = _set(
    "mhm mm mmm mmhm hm hmm hmmm mm-hmm mmm-hmm uh-huh uhuh uh huh um umm er erm ah aha oh ooh ow yeah yea yep yup",
    "yes ok okay right sure wow nice cool ha haha hahaha heh hehe hihi lol cough coughs coughing laughs laughter laughing",
    "sigh sighs sneezes clears throat ja jo genau ach oui ouais sí si",
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
                return text[found[start + len(called) - 1].end() :].lstrip(_BETWEEN)
    return None


def called_aside(hinted: str, names: Iterable[str]) -> str | None:
    """What follows the bot's name at the beginning, if people set it off: “Parley, …”; None if they did not.

    Of a text that was understood by who listened for the name, no other name counts.
    """
    rest = after_name(hinted, names)
    if rest is None:
        return None
    name = hinted[: len(hinted) - len(rest)].rstrip(" -–—")
    return rest if name.endswith(_STOPS) else None


def without_first_word(text: str) -> str:
    """What follows the first word that is no greeting: the bot's name, if it was misheard."""
    first = next((match for match in _WORD.finditer(text) if _fold(match.group()) not in _GREETINGS), None)
    return text[first.end() :].lstrip(_BETWEEN) if first is not None else ""


def names_it(text: str, names: Iterable[str]) -> bool:
    """Whether one of the bot's names is in a text, wherever."""
    words = f" {' '.join(_folded(text))} "
    return any(called and f" {' '.join(called)} " in words for called in map(_folded, names))


def with_name(text: str, hinted: str, names: Sequence[str]) -> str:
    """A text with the bot's name where it was called so, also if the name was misheard or not heard.

    A hint bends other words to the name (“partly because” becomes “Parley becomes”), so a hinted text says that it was called
    only where people set the name off: “Parley, what …”, “…, Parley?”.

    Args:
        text: As it was understood without a hint.
        hinted: As it was understood by who listened for the name.
        names: What the bot is called.
    """
    if names_it(text, names):
        return text
    found = list(_WORD.finditer(hinted))
    words = [_fold(match.group()) for match in found]
    begin = next((number for number, word in enumerate(words) if word not in _GREETINGS), len(words))
    for name, called in ((name, _folded(name)) for name in names):
        count = len(called)
        for start in range(min(begin, 2) + 1) if count else ():
            if words[start : start + count] == called and hinted[found[start + count - 1].end() :][:1] in _STOPS:
                return _named_at_start(text, name)
        at_end = count and len(words) > count and words[-count:] == called
        if at_end and hinted[: found[-count].start()].rstrip()[-1:] in _STOPS:
            return f"{text.rstrip(' .,!?;:')}, {name}{text[-1:] if text[-1:] in _STOPS else ''}"
    return text


def _named_at_start(text: str, name: str) -> str:
    """A text whose first word, behind a greeting, is the name instead of what was heard."""
    rest = without_first_word(text)
    return f"{name}, {rest}" if rest else text


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

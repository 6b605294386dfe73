"""Commands that are spoken: the bot's name at the beginning, and behind it one of a few phrases and nothing else.

A recogniser that listens for the name hears it, and bends other words to it; one that does not, hears the words. So the name
is looked for in both, and the phrase is what either of them understood. `python -m bench commands` measures both ways.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.hearing.addressed import after_name, called_aside, without_first_word
from core.hearing.sounds_like import folded_words, sounds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from core.config.hearing import CommandName

PHRASES: dict[CommandName, tuple[str, ...]] = {
    "leave": ("leave", "leave us", "leave the channel", "leave the call", "go away"),
    "stop": ("stop", "stop talking", "stop it", "stop that", "shut up", "be quiet"),
    "skip": ("skip", "skip it", "skip this", "skip that", "skip this one", "next", "next one"),
    "louder": ("louder", "speak louder", "speak up", "turn it up", "volume up"),
    "quieter": ("quieter", "speak quieter", "softer", "turn it down", "volume down"),
    "record": ("record", "record us", "record this", "start recording", "start the recording"),
    "stop_recording": ("stop recording", "stop the recording", "end the recording"),
    "who": ("who is here", "who's here", "who is there", "who is in the channel", "who is in here"),
    "missed": ("what did i miss", "what have i missed", "what i missed", "did i miss anything", "catch me up"),
}
_BEFORE = (("can", "you", "please"), ("could", "you", "please"), ("can", "you"), ("could", "you"), ("please",))
_BEHIND = (("please",), ("now",), ("now", "please"))
_LIKE = 0.75  # of letters, of a phrase that has the same consonants
_LONG = 4  # words of a phrase of which one in its middle may be another


@dataclass(frozen=True, slots=True)
class _Phrase:
    command: CommandName
    words: tuple[str, ...]
    sound: str


class CommandGrammar:
    """What may be said to the bot as a command.

    Args:
        others: More phrases, as of other languages, by command.
    """

    def __init__(self, others: Mapping[CommandName, Iterable[str]] | None = None) -> None:
        self._phrases: list[_Phrase] = []
        for command, phrases in PHRASES.items():
            for phrase in (*phrases, *(others or {}).get(command, ())):
                words = folded_words(phrase)
                if words:
                    self._phrases.append(_Phrase(command, tuple(words), _sound(words)))

    def find(self, text: str, hinted: str, names: Sequence[str]) -> CommandName | None:
        """The command that was spoken; None for whatever else begins with the name, or only has such words in it.

        Args:
            text: As it was understood without a hint.
            hinted: As it was understood by who listened for the name.
            names: What the bot is called.
        """
        plain, aside = after_name(text, names), called_aside(hinted, names)
        if plain is None and aside is None:
            return None
        rests = [plain if plain is not None else without_first_word(text), aside or ""]
        spoken = [words for rest in rests if (words := _bare(folded_words(rest)))]
        for fits in (_exactly, _alike):
            for words in spoken:
                for phrase in self._phrases:
                    if fits(words, phrase):
                        return phrase.command
        return None


def _bare(words: list[str]) -> list[str]:
    """Without what makes it polite."""
    for polite in _BEFORE:
        if tuple(words[: len(polite)]) == polite and len(words) > len(polite):
            words = words[len(polite) :]
            break
    for polite in _BEHIND:
        if tuple(words[-len(polite) :]) == polite and len(words) > len(polite):
            return words[: -len(polite)]
    return words


def _exactly(words: list[str], phrase: _Phrase) -> bool:
    return tuple(words) == phrase.words


def _alike(words: list[str], phrase: _Phrase) -> bool:
    """Whether it is the phrase misheard: it sounds like it, or one word in the middle of a long one is another."""
    if len(words) != len(phrase.words):
        return False
    if _sound(words) == phrase.sound:
        return difflib.SequenceMatcher(None, "".join(words), "".join(phrase.words), autojunk=False).ratio() >= _LIKE
    differ = [n for n, (word, wanted) in enumerate(zip(words, phrase.words, strict=True)) if word != wanted]
    return len(words) >= _LONG and len(differ) == 1 and 0 < differ[0] < len(words) - 1


def _sound(words: Iterable[str]) -> str:
    return sounds("".join(words))

"""Text made fit for searching, the same on every database: words without accents, and scripts without blanks cut up.

What people type is never a database's query syntax: it becomes words and phrases here.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

MOST_TERMS, MOST_CHARACTERS = 16, 200
_QUOTES = dict.fromkeys('"“”„«»「」『』', '"')
_TABLE = str.maketrans(_QUOTES)
# Scripts whose words are not set apart by blanks: each character is a word, and what is searched a phrase of them.
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Japanese kana
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x323AF),
)


@dataclass(frozen=True, slots=True)
class Term:
    """Words that must stand one behind the other; of the last one perhaps only the beginning is known."""

    words: tuple[str, ...]
    prefix: bool = False


def words_of(text: str) -> list[str]:
    """The words of a text as they are searched: small, without accents, letters and digits of any script alone."""
    found: list[str] = []
    current: list[str] = []

    def end() -> None:
        if current:
            found.append("".join(current))
            current.clear()

    alone = False  # the last word is one character of a script without blanks
    for character in _folded(text):
        kind = unicodedata.category(character)[0]
        if kind == "M" and alone:
            found[-1] += character  # a vowel or tone belongs to the letter before it
        elif kind in "LN" and _unspaced(character):
            end()
            found.append(character)
            alone = True
        elif kind in "LN" or (kind == "M" and current):
            current.append(character)
            alone = False
        else:
            end()
            alone = False
    end()
    return found


def indexed(text: str) -> str:
    """A text as it goes into a database's index."""
    return " ".join(words_of(text))


def parse(asked: str) -> tuple[Term, ...]:
    """What somebody wants to find: all of it must be there; “a phrase” in quotes, and begin* for a beginning.

    Whatever else they type is taken for words, or for nothing; nothing at all gives no terms.
    """
    terms: list[Term] = []
    for number, part in enumerate(asked[:MOST_CHARACTERS].translate(_TABLE).split('"')):
        if number % 2:  # between two quotes
            terms.append(Term(tuple(words_of(part))))
            continue
        terms += [Term(tuple(words_of(piece)), prefix=piece.endswith("*")) for piece in part.split()]
    return tuple(dict.fromkeys(term for term in terms if term.words))[:MOST_TERMS]


def excerpt(text: str, terms: tuple[Term, ...], length: int = 200) -> str:
    """The part of a text around the first word that was searched, whole words, not longer than `length` by much."""
    if len(text) <= length:
        return text
    wanted = {term.words[0] for term in terms}
    place = 0
    for start, word in _places(text):
        if any(found.startswith(each) for found in words_of(word) for each in wanted):
            place = start
            break
    start = max(0, min(place - length // 3, len(text) - length))
    end = min(len(text), start + length)
    if start and (blank := text.find(" ", start, start + 30)) >= 0:
        start = blank + 1
    if end < len(text) and (blank := text.rfind(" ", end - 30, end)) >= 0:
        end = blank
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"


def _places(text: str) -> list[tuple[int, str]]:
    """The words of a text with where they begin; single characters where there are no blanks."""
    found: list[tuple[int, str]] = []
    start = 0
    for piece in text.split(" "):
        if any(_unspaced(character) for character in piece):
            found += [(start + at, character) for at, character in enumerate(piece)]
        else:
            found.append((start, piece))
        start += len(piece) + 1
    return found


def _folded(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.casefold())
    # Accents and points go; vowels, doublings and voicing of other scripts are part of the word.
    kept = (
        each for each in apart if not (unicodedata.combining(each) >= 200 or 10 <= unicodedata.combining(each) <= 35)
    )
    return unicodedata.normalize("NFC", "".join(kept)).casefold()


def _unspaced(character: str) -> bool:
    code = ord(character)
    return code >= 0x0E00 and any(low <= code <= high for low, high in _UNSPACED)

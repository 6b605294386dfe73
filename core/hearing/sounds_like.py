"""Words by how they sound: what a recogniser writes for another is spelled differently, and sounds the same."""

from __future__ import annotations

import re
import unicodedata

WORD = re.compile(r"\w+(?:['’]\w+)*")
_SOUNDS = {
    letter: digit
    for letters, digit in (("bfpv", "1"), ("cgjkqsxz", "2"), ("dt", "3"), ("l", "4"), ("mn", "5"), ("r", "6"))
    for letter in letters
}


def sounds(word: str) -> str:
    """The consonants of a word by how they sound; a word without any, or of another script, is itself."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", word) if not unicodedata.combining(sign))
    digits = [_SOUNDS.get(letter, "") for letter in plain]
    single = [digit for n, digit in enumerate(digits) if digit and (n == 0 or digits[n - 1] != digit)]
    return "".join(single) if single and plain.isascii() else word


def folded(word: str) -> str:
    """A word without regard to capitals and width."""
    return unicodedata.normalize("NFKC", word).casefold().replace("’", "'")


def folded_words(text: str) -> list[str]:
    """The words of a text, likewise."""
    return [folded(word) for word in WORD.findall(text)]

"""Removes characters that cannot be said: emoji, invisible marks, endless repetition; new lines end a sentence."""

from __future__ import annotations

import re
import unicodedata

MOST_REPEATS = 3
_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u2300-\u23ff\u2190-\u21ff\u25a0-\u25ff\u20e3\ufe00-\ufe0f\U000e0000-\U000e01ef\u3030\u303d\u3297\u3299]"
)
_INVISIBLE = re.compile(
    "[\u00ad\u115f\u1160\u2800\u3164\uffa0\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffd\U00013430-\U0001345f]"
)
_JOINERS = "\u200c\u200d"  # they shape letters in Persian and Indic scripts, and glue emoji elsewhere
_FIRST_JOINED_SCRIPT = "\u0590"
_DIGITS = frozenset("0123456789")
_CLOSERS = "\"')]}»”’"
_NEW_LINES = "\n\r\v\f\x85\u2028\u2029"
_OPENERS = "\"'([{«“‘"
_KNOWN_CHARACTERS = 4096  # looked up once; a text of more different ones only costs time
# Most text: words and marks of ASCII with one blank between them. Runs are looked for, not counted letter by letter.
_EASY = re.compile(r"[!-~](?:[!-~]| (?=[!-~]))*+")
_RUN = re.compile(r"([!-/:-~])\1{3}", re.IGNORECASE)


class PlainText:
    """Cleans text character by character, wherever the pieces are split."""

    def __init__(self) -> None:
        self._last = ""  # last character that was kept, blanks aside
        self._run = ""  # the character that repeats
        self._count = 0
        self._blank = False  # a blank was passed and nothing since
        self._new_line = False  # a new line waits for what follows it

    def clean(self, text: str) -> str:
        """What of `text` may be said. Runs of white space become one blank or one new line."""
        kept: list[str] = []
        position = 0
        for easy in _EASY.finditer(text):
            start, end = easy.span()
            if end - start < 16 or _RUN.search(text, start, end):
                continue
            # Its first and last letters go the careful way: they may belong to runs that began, or will end, outside.
            self._carefully(text[position : start + 4], kept)
            kept.append(text[start + 4 : end - 4])
            self._run = ""  # what is left begins runs of its own
            self._last = text[start + 4]
            self._blank = False
            position = end - 4
        self._carefully(text[position:], kept)
        return "".join(kept)

    def _carefully(self, text: str, kept: list[str]) -> None:
        for character in text:
            known = _KINDS.get(character) or _kind(character)
            if known is _SPACE:
                self._run = ""
                if self._last and character in _NEW_LINES:
                    self._new_line = True
                elif self._last and not self._blank and not self._new_line:
                    self._blank = True
                    kept.append(" ")
                continue
            letter, folded = known
            if not letter or (letter in _JOINERS and self._last < _FIRST_JOINED_SCRIPT):
                continue
            if folded == self._run:
                self._count += 1
                if self._count > MOST_REPEATS and letter not in _DIGITS:
                    continue
            else:
                self._run, self._count = folded, 1
            if self._new_line:
                kept.append(self._line_end(letter))
            kept.append(letter)
            self._last = letter
            self._blank = self._new_line = False

    def _line_end(self, following: str) -> str:
        """The end of a line; one without punctuation gets a full stop, so that it does not run into the next."""
        ends_open = self._last.isalnum() or self._last in _CLOSERS
        return ".\n" if ends_open and (following.isalnum() or following in _OPENERS) else "\n"


_SPACE = ("", "space")
_UNSAID = ("", "")
_KINDS: dict[str, tuple[str, str]] = {}


def _kind(character: str) -> tuple[str, str]:
    """A character as it is said, and what it counts as when it repeats; `_SPACE` and `_UNSAID` have no sound."""
    if len(_KINDS) >= _KNOWN_CHARACTERS:
        _KINDS.clear()
    known = _KINDS[character] = _SPACE if character.isspace() else _sayable(_plain_letter(character))
    return known


def _sayable(character: str) -> tuple[str, str]:
    if _EMOJI.match(character) or _INVISIBLE.match(character):
        return _UNSAID
    kind = unicodedata.category(character)
    if character not in _JOINERS and kind in ("Cc", "Cs", "Co", "Cn"):
        return _UNSAID
    return character, "mark" if kind in ("Mn", "Me") else character.casefold()


def _plain_letter(character: str) -> str:
    """Letters that are only dressed up (mathematical script, full width) as the letters they are."""
    if "\U0001d400" <= character <= "\U0001d7ff" or ("\uff10" <= character <= "\uff5a" and character.isalnum()):
        return unicodedata.normalize("NFKC", character)
    return character

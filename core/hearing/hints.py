"""Names that a recogniser is told to listen for: they help it, and bend other words to themselves.

"Partly because" became "Parley becomes". So what is stored is what an unhinted pass understood, with a name in the place of
words that sound like it, and nowhere else.
"""

from __future__ import annotations

import difflib
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING

from core.hearing.addressed import without_first_word
from core.hearing.sounds_like import WORD, folded, folded_words, sounds

if TYPE_CHECKING:
    from core.hearing.text import Segment, Transcription, Word
    from core.hearing.transcriber import Bias

_MOST_NAMES, _MOST_LETTERS = 24, 40  # a long prompt makes a recogniser slow, and a name may be anything
_LEAST_LIKENESS = 0.5


def prompt_names(bias: Bias) -> tuple[str, ...]:
    """The names as they may stand in a prompt: words alone, each once, the one the bot is called by last."""
    found: dict[str, None] = {}
    for name in (*bias.names[:_MOST_NAMES], bias.wake):
        plain = " ".join(WORD.findall(unicodedata.normalize("NFKC", name)))[:_MOST_LETTERS].strip()
        if plain:
            found.pop(plain, None)
            found[plain] = None
    return tuple(found)


def prompt(bias: Bias) -> str:
    """A line of names, as somebody might have said before."""
    names = prompt_names(bias)
    return f"{', '.join(names)}." if names else ""


def mentions(text: str, bias: Bias) -> bool:
    """Whether a text has a word of the names in it."""
    hinted = {word for name in prompt_names(bias) for word in folded_words(name)}
    return any(word in hinted for word in folded_words(text))


def needs_plain(hinted: Transcription, bias: Bias) -> bool:
    """Whether an unhinted pass must say what is true in a hinted one: names are in it, or nothing is."""
    return not hinted.text or mentions(hinted.text, bias)


def merged(plain: Transcription, hinted: Transcription, bias: Bias) -> Transcription:
    """The plain pass with the names that the hinted one heard in words that sound like them."""
    text = hinted.text if plain.text else ""  # nothing was said: only the hint itself was printed
    found = [name for name in prompt_names(bias) if set(folded_words(name)) & set(folded_words(text))]
    if not found:
        return replace(plain, hinted=text)
    allowed = {word: WORD.search(part) for name in found for part in name.split() for word in folded_words(part)}
    names = {word: match.group() for word, match in allowed.items() if match is not None}
    heard = folded_words(text)
    segments = tuple(_named(segment, heard, names) for segment in plain.segments)
    return replace(plain, segments=segments, hinted=text)


def with_rest(hint: str, plain: str, bias: Bias) -> str:
    """A hinted text that has nothing in it but the name, with what follows the name in the plain one: “Parley, leave”."""
    words = folded_words(hint)
    if not words or set(words) != set(folded_words(bias.wake)):
        return hint
    rest = without_first_word(plain)
    return f"{bias.wake}, {rest}" if rest else hint


def _named(segment: Segment, heard: list[str], names: dict[str, str]) -> Segment:
    """A segment whose words that sound like a heard name are that name."""
    matches = list(WORD.finditer(segment.text))
    words = [folded(match.group()) for match in matches]
    changes: list[tuple[int, int, str]] = []
    for kind, i, j, k, m in difflib.SequenceMatcher(None, words, heard, autojunk=False).get_opcodes():
        if kind == "replace" and m - k == 1 and heard[k] in names and _alike("".join(words[i:j]), heard[k]):
            changes.append((i, j, names[heard[k]]))
        elif kind == "replace" and m - k == j - i:
            pairs = zip(range(i, j), heard[k:m], strict=True)
            changes += [(n, n + 1, names[h]) for n, h in pairs if h in names and _alike(words[n], h)]
    for i, j, name in reversed(changes):
        text = segment.text[: matches[i].start()] + name + segment.text[matches[j - 1].end() :]
        segment = replace(segment, text=text, words=_renamed(segment.words, len(matches), i, j, name))
    return segment


def _renamed(words: tuple[Word, ...], count: int, i: int, j: int, name: str) -> tuple[Word, ...]:
    """Timed words with some of them become one name; none if they cannot be matched to those of the text."""
    if len(words) != count:
        return tuple(words)
    old = words[i:j]
    tail = old[-1].text[len(old[-1].text.rstrip(".,!?;:…")) :]
    confidence = min(word.confidence for word in old)
    new = replace(old[0], text=name + tail, end_s=old[-1].end_s, confidence=confidence)
    return (*words[:i], new, *words[j:])


def _alike(word: str, name: str) -> bool:
    """Whether a word may be a name misheard."""
    likeness = difflib.SequenceMatcher(None, word, name, autojunk=False).ratio()
    return sounds(word) == sounds(name) and likeness >= _LEAST_LIKENESS

"""Whether somebody's words are the bot's own, out of a loudspeaker and into a microphone."""

from __future__ import annotations

import difflib
import re
import unicodedata

LEAST_SHARE = 0.6  # of the words heard, in the order in which the bot said them: recognisers mishear a third
LEAST_WORDS = 3  # fewer may be said by anybody
_WORD = re.compile(r"\w+(?:['’]\w+)*")
_MOST_WORDS = 400  # of what the bot said last


def is_own(heard: str, said: str) -> bool:
    """Whether what was heard is what the bot said, or a part of it.

    Args:
        heard: A recogniser's text.
        said: What the bot said last.
    """
    words = _words(heard)
    own = _words(said)[-_MOST_WORDS:]
    if not words or not own:
        return False
    if len(words) < LEAST_WORDS:
        return f" {' '.join(words)} " in f" {' '.join(own[-2 * LEAST_WORDS :])} "
    matcher = difflib.SequenceMatcher(None, own, words, autojunk=False)
    blocks = [block for block in matcher.get_matching_blocks() if block.size]
    if not blocks:
        return False
    spread = blocks[-1].a + blocks[-1].size - blocks[0].a
    return sum(block.size for block in blocks) >= LEAST_SHARE * len(words) and spread <= 2 * len(words) + 4


def _words(text: str) -> list[str]:
    return [unicodedata.normalize("NFKC", word).casefold().replace("’", "'") for word in _WORD.findall(text)]

"""How long to wait after somebody fell silent: whoever breaks off in the middle of a sentence wants to go on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def _words(*languages: str) -> frozenset[str]:
    return frozenset(word for language in languages for word in language.split())


# In some languages; a word that is missing here costs no more than a shorter wait. Recognisers put a full stop behind
# anything, so words that no sentence ends with count in spite of it, and words that some do end with only without.
_OPEN_WORDS = _words(
    "a an the and or but because if when while although whose my your our their um uh er",
    "und oder aber weil dass wenn als ob ein eine einen dem den äh ähm",
    "et ou mais parce quand le la les un une des du euh",
    "y o pero porque cuando el los las una del eh",
)
_MAYBE_OPEN_WORDS = _words(
    "so that which who of to from for with without about into i we they his is are was were am be like",
    "der die das mit ohne von zu für auf ich wir",
    "de que si avec sans pour dans je nous",
    "con sin para en yo",
)
_LAST_WORD = re.compile(r"([^\W\d_]+)[^\w]*$")
_OPEN_ENDS = (",", ";", ":", "-", "–", "—", "...", "…")


class TurnDetector(Protocol):
    """Decides when a turn is over; a model may take its place."""

    async def wait_s(self, partial_text: str, samples: NDArray[np.float32]) -> float:
        """The silence that ends a turn of which this is the text, and this the sound (mono, 16 kHz, shape (n,))."""
        ...


class SentenceTurnDetector:
    """Waits a little after a finished sentence, and longer after one that cannot be finished.

    Args:
        end_of_turn_s: After what may be finished.
        max_wait_s: After what is not.
    """

    def __init__(self, end_of_turn_s: float, max_wait_s: float) -> None:
        self._end_of_turn_s = end_of_turn_s
        self._max_wait_s = max(max_wait_s, end_of_turn_s)

    async def wait_s(self, partial_text: str, samples: NDArray[np.float32]) -> float:
        """See `TurnDetector.wait_s`; the sound says nothing here."""
        return self._max_wait_s if unfinished(partial_text) else self._end_of_turn_s


def unfinished(text: str) -> bool:
    """Whether a sentence breaks off: on a comma or a dash, or on a word that none ends with."""
    text = text.rstrip()
    if text.endswith(_OPEN_ENDS):
        return True
    if text.endswith(("!", "?")):
        return False
    last = _LAST_WORD.search(text)
    if last is None:
        return False
    word = last[1].casefold()
    return word in _OPEN_WORDS or (word in _MAYBE_OPEN_WORDS and not text.endswith("."))

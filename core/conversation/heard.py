"""How much of a spoken reply was heard: samples that were sent, mapped back to the text they carried."""

from __future__ import annotations

from bisect import bisect_right


class HeardText:
    """The text of a line of audio by the sample at which each piece of it begins."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._pieces: list[str] = []
        self._samples = 0

    def add(self, text: str, samples: int) -> None:
        """Note `samples` more samples; `text` begins with them, or is empty where they continue the text before."""
        if text:
            self._starts.append(self._samples)
            self._pieces.append(text)
        self._samples += samples

    @property
    def samples(self) -> int:
        """Samples noted so far."""
        return self._samples

    def upto(self, heard_samples: int) -> str:
        """The text heard when `heard_samples` samples were sent: whole words, the last piece in proportion."""
        if heard_samples >= self._samples:
            return _join(self._pieces)
        index = bisect_right(self._starts, heard_samples) - 1
        if index < 0:
            return ""
        start = self._starts[index]
        end = self._starts[index + 1] if index + 1 < len(self._starts) else self._samples
        part = (heard_samples - start) / (end - start) if end > start else 0.0
        return _join([*self._pieces[:index], _whole_words(self._pieces[index], part)])


def _whole_words(text: str, part: float) -> str:
    """The words that lie wholly in the first `part` (0 to 1) of the text."""
    if part >= 1:
        return text
    cut = int(len(text) * part)
    if cut < len(text) and not text[cut].isspace():
        cut = max(text.rfind(" ", 0, cut), 0)
    return text[:cut]


def _join(pieces: list[str]) -> str:
    return " ".join(stripped for piece in pieces if (stripped := piece.strip()))

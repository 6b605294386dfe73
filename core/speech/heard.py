"""Tells how much of a turn's text was heard: the text whose sound was really played, to the word."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.speech.engine import SpeechChunk


class HeardText:
    """Remembers which text began at which sample of a turn.

    Tell it every chunk that was written to the player, in order; ask it with the number of samples the player has sent.
    Within a text that was heard in part, words count in proportion.
    """

    def __init__(self) -> None:
        self._starts: list[tuple[int, str]] = []
        self._written = 0

    def wrote(self, chunk: SpeechChunk) -> None:
        """A chunk was handed to the player, all of its samples."""
        if chunk.text:
            self._starts.append((self._written, chunk.text))
        self._written += len(chunk.samples)

    @property
    def whole(self) -> str:
        """All text that was handed to the player."""
        return "".join(text for _, text in self._starts).strip()

    def upto(self, samples: int) -> str:
        """The text heard when so many samples were played; whole words only."""
        heard: list[str] = []
        ends = [*(start for start, _ in self._starts[1:]), self._written]
        for (start, text), end in zip(self._starts, ends, strict=False):
            if samples >= end:
                heard.append(text)
                continue
            share = (samples - start) / (end - start) if samples > start else 0.0
            heard.append(_whole_words(text, int(share * len(text))))
            break
        return "".join(heard).strip()


def _whole_words(text: str, end: int) -> str:
    """The words of `text` that are complete before `end`."""
    while 0 < end < len(text) and not text[end].isspace():
        end -= 1
    return text[:end]

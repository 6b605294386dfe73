"""What was understood: words in segments, with times from the first sample that was handed in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Word:
    """A word and when it was said."""

    text: str
    start_s: float
    end_s: float
    confidence: float  # 0 to 1


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of text; what a recogniser does not tell is None."""

    text: str
    start_s: float
    end_s: float
    words: tuple[Word, ...] = ()
    no_speech: float | None = None  # how likely it is no speech at all, 0 to 1
    log_probability: float | None = None  # mean of its tokens
    compression: float | None = None  # how well the text packs: loops pack well


@dataclass(frozen=True, slots=True)
class Transcription:
    """What one piece of sound says; no segments if nobody said anything.

    `hinted` is what the recogniser understood when it was told names to listen for. Such a hint bends other words to
    those names: look there for the wake name and commands, and store `text` alone.
    """

    segments: tuple[Segment, ...]
    language: str  # ISO 639-1; empty if the engine does not tell
    engine: str
    model: str
    hinted: str = ""

    @property
    def text(self) -> str:
        """The whole text in one line."""
        return " ".join(stripped for segment in self.segments if (stripped := segment.text.strip()))

    @property
    def words(self) -> tuple[Word, ...]:
        """All words of all segments; empty unless words were asked for and the engine tells them."""
        return tuple(word for segment in self.segments for word in segment.words)

    def moved(self, by_s: float) -> Transcription:
        """The same, later."""
        return replace(self, segments=tuple(_moved(segment, by_s) for segment in self.segments)) if by_s else self

    @classmethod
    def joined(cls, parts: Sequence[Transcription], engine: str, model: str, language: str = "") -> Transcription:
        """Parts of one sound, in order; its language is that of most of them."""
        found = [part.language for part in parts if part.segments] or [part.language for part in parts]
        segments = tuple(segment for part in parts for segment in part.segments)
        hinted = " ".join(part.hinted for part in parts if part.hinted)
        return cls(segments, max(found, key=found.count, default=language), engine, model, hinted)


def _moved(segment: Segment, by_s: float) -> Segment:
    words = tuple(replace(word, start_s=word.start_s + by_s, end_s=word.end_s + by_s) for word in segment.words)
    return replace(segment, start_s=segment.start_s + by_s, end_s=segment.end_s + by_s, words=words)

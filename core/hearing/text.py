"""What was understood: words in segments, with times from the first sample that was handed in."""

from __future__ import annotations

from dataclasses import dataclass


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

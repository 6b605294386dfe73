"""Finds who spoke when: utterances, by the loudness of a track."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class SpeechSpan:
    """A stretch in which somebody spoke, in samples since the recording's start."""

    start: int
    end: int


@dataclass(slots=True)
class Segmenter:
    """Cuts a track where it was silent for long enough.

    Its whole state is these few numbers, so it can be carried from one stretch of rendering to the next.
    """

    silence_samples: int  # that end an utterance
    threshold: int  # peak below which a frame is silent, of 32767
    start: int = -1  # of the utterance under way
    end: int = -1

    def add(self, starts: NDArray[np.int64], samples: int, peaks: NDArray[np.int32]) -> Iterator[SpeechSpan]:
        """Take frames into account; returns utterances that are over.

        Args:
            starts: Position of each frame.
            samples: Length of a frame.
            peaks: Largest value in each frame.
        """
        for start in starts[peaks > self.threshold].tolist():
            if self.start >= 0 and start - self.end > self.silence_samples:
                yield SpeechSpan(self.start, self.end)
                self.start = start
            elif self.start < 0:
                self.start = start
            self.end = start + samples

    def close(self) -> Iterator[SpeechSpan]:
        """Return the utterance under way: the track is over."""
        if self.start >= 0:
            yield SpeechSpan(self.start, self.end)
            self.start = self.end = -1

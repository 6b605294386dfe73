"""A long sound cut where nobody speaks, block by block: memory stays what it is however long the sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.hearing.vad import LEAST_SPEECH_S, RATE_HZ, SILENCE, SPEECH, WINDOW, WINDOW_S, VadStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

SILENCE_S = 0.5  # ends speech
PAD_S = 0.3  # before and after it: first syllables are soft
MOST_S = 28.0  # Whisper looks at 30 s at once
_EMPTY = np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """A piece of sound in which somebody speaks."""

    start: int  # its first sample's number, from the first that was handed in
    samples: NDArray[np.float32]  # shape (n,), mono, 16 kHz
    spans: tuple[tuple[float, float], ...]  # where in it is speech, in seconds from its first sample

    @property
    def start_s(self) -> float:
        """Where it begins."""
        return self.start / RATE_HZ

    @property
    def speech_s(self) -> float:
        """Seconds of it that are speech."""
        return sum(end_s - start_s for start_s, end_s in self.spans)


class StretchFinder:
    """Finds the stretches of one stream. Less than 250 ms of speech is none.

    Args:
        join_s: Pauses up to this long stay inside of a stretch.
        most_s: Longer ones are cut, where it is quietest.
    """

    def __init__(self, *, join_s: float = SILENCE_S, most_s: float = MOST_S) -> None:
        self._vad = VadStream()
        self._join = max(1, round(join_s / WINDOW_S))
        self._most = max(2, int(most_s / WINDOW_S))
        self._pad = round(PAD_S / WINDOW_S)
        self._rest = _EMPTY  # less than a window
        self._kept: list[NDArray[np.float32]] = []  # windows from number `_first` on
        self._chances: list[float] = []
        self._first = 0
        self._begun = -1  # the window in which speech began, or -1
        self._voiced = -1  # the last one of it that is speech
        self._speaking = False
        self._continued = False  # it began with a cut: however little is left belongs to what was said
        self._length = 0

    def feed(self, samples: NDArray[np.float32]) -> list[Stretch]:
        """Take more sound; gives what is complete of speech."""
        self._length += len(samples)
        sound = np.concatenate([self._rest, samples]) if len(self._rest) else samples
        whole = len(sound) // WINDOW * WINDOW
        self._rest = sound[whole:].copy()
        windows = sound[:whole].reshape(-1, WINDOW)
        found: list[Stretch] = []
        for window, chance in zip(windows, self._vad.probabilities(sound[:whole]).tolist(), strict=True):
            self._take(window, chance, found)
        return found

    def finish(self) -> list[Stretch]:
        """What is left at the end of the sound."""
        length = self._length
        found = self.feed(np.zeros(-len(self._rest) % WINDOW, np.float32)) if len(self._rest) else []
        if self._begun >= 0:
            self._give(self._first + len(self._kept), found)
        return [_shortened(stretch, length) for stretch in found]

    def _take(self, window: NDArray[np.float32], chance: float, found: list[Stretch]) -> None:
        number = self._first + len(self._kept)
        self._kept.append(window)
        self._chances.append(chance)
        self._speaking = chance >= (SILENCE if self._speaking else SPEECH)
        if self._speaking:
            self._voiced = number
            if self._begun < 0:
                self._begun = number
        if self._begun < 0:
            self._drop(number + 1 - self._pad)
        elif number - self._voiced >= self._join:
            self._give(self._voiced + 1 + self._pad, found)
        elif len(self._kept) >= self._most:
            self._give(self._quietest(), found, goes_on=True)

    def _quietest(self) -> int:
        """Where to cut what is too long: the quietest window of its last third."""
        from_ = len(self._chances) * 2 // 3
        return self._first + from_ + int(np.argmin(self._chances[from_:]))

    def _give(self, end: int, found: list[Stretch], *, goes_on: bool = False) -> None:
        count = min(end - self._first, len(self._kept))
        spans = _spans(self._chances[:count])
        least_s = WINDOW_S if self._continued else LEAST_SPEECH_S
        self._continued = goes_on
        if sum(end_s - start_s for start_s, end_s in spans) >= least_s:
            # What is kept are views of larger blocks: the sound of a stretch is its own.
            found.append(Stretch(self._first * WINDOW, np.concatenate(self._kept[:count]), spans))
        # The end of a stretch is not the beginning of the next: what was given is not heard twice.
        self._drop(self._first + count)
        self._begun = self._first if goes_on else -1
        if not goes_on:
            self._drop(self._first + len(self._kept) - self._pad)

    def _drop(self, before: int) -> None:
        count = before - self._first
        if count > 0:
            del self._kept[:count], self._chances[:count]
            self._first = before


def stretches(
    blocks: Iterable[NDArray[np.float32]], *, join_s: float = SILENCE_S, most_s: float = MOST_S
) -> Iterator[Stretch]:
    """The speech of a whole track, while its blocks (mono, 16 kHz, of any size) come."""
    finder = StretchFinder(join_s=join_s, most_s=most_s)
    for block in blocks:
        yield from finder.feed(block)
    yield from finder.finish()


def _spans(chances: list[float]) -> tuple[tuple[float, float], ...]:
    """Where windows are speech, in seconds."""
    spans: list[tuple[float, float]] = []
    begun, speaking = 0, False
    for number, chance in enumerate([*chances, 0.0]):
        now = chance >= (SILENCE if speaking else SPEECH)
        if now and not speaking:
            begun = number
        elif speaking and not now:
            spans.append((begun * WINDOW_S, number * WINDOW_S))
        speaking = now
    return tuple(spans)


def _shortened(stretch: Stretch, length: int) -> Stretch:
    """Without the silence that filled the last window."""
    left = length - stretch.start
    return stretch if left >= len(stretch.samples) else Stretch(stretch.start, stretch.samples[:left], stretch.spans)

"""Where one person's utterances begin and end: in sound as it comes, and by the clock where none comes."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.hearing.utterance import RATE_HZ, Utterance
from core.hearing.vad import SILENCE, SPEECH, WINDOW, WINDOW_S, VadStream

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from numpy.typing import NDArray

BEGINS_S = 0.25  # voiced sound that is taken for speech; less is a click, a breath, a cough
FORGOTTEN_S = 0.3  # silence that makes less than that nothing
LOOK_S = 0.2  # silence after which somebody may be finished
PREROLL_S = 0.3  # before the first voiced sound: without it the first syllable is lost
BEHIND_S = 0.3  # behind the last
MOST_S = 25.0  # of one piece: recognisers look at half a minute at once
LATE_S = 0.1  # packets that come no later than this leave no silence
_BRIDGED_S = 1.0  # a gap that is filled with silence; behind a longer one everything begins anew

_PREROLL, _BEHIND = round(PREROLL_S / WINDOW_S), round(BEHIND_S / WINDOW_S)
_MOST = int(MOST_S / WINDOW_S)
_EMPTY = np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True)
class Began:
    """Somebody speaks, since `at_s`; told when there was enough of it to be no cough."""

    utterance_id: str
    user_id: int
    at_s: float  # time.monotonic


@dataclass(frozen=True, slots=True)
class Look:
    """What there is of an utterance; `silent` if its person has fallen silent and may be finished."""

    utterance: Utterance
    silent: bool


@dataclass(frozen=True, slots=True)
class WentOn:
    """Somebody who had fallen silent speaks on in the same utterance: a silent look is worth nothing any more."""

    utterance_id: str
    user_id: int


@dataclass(frozen=True, slots=True)
class Ended:
    """An utterance, or a piece of a long one, is complete."""

    utterance: Utterance


@dataclass(frozen=True, slots=True)
class Dropped:
    """Its person may not be heard any more: an utterance that was under way is to be forgotten."""

    utterance_id: str
    user_id: int


Finding = Began | Look | WentOn | Ended | Dropped


@dataclass(frozen=True, slots=True)
class Place:
    """Whose sound it is, and where."""

    guild_id: int
    channel_id: Callable[[], int]
    user_id: int
    wall: Callable[[float], datetime]  # UTC of a time.monotonic


class UtteranceFinder:
    """Finds one person's utterances.

    `add` takes sound where it belongs in time, `look` is called every few hundredths of a second, and sees the silence in
    which nothing comes. Memory is bounded: a third of a second while nobody speaks, half a minute at most.

    Args:
        place: For the utterances.
        end_s: Silence that ends an utterance.
    """

    def __init__(self, place: Place, *, end_s: float) -> None:
        self._place = place
        self._end_s = end_s
        self.look_every_s: float | None = None  # how often what is being said is shown; None: not before a silence
        self._vad: VadStream | None = None
        self._rest = _EMPTY  # less than a window
        self._windows: list[NDArray[np.float32]] = []
        self._chances: list[float] = []
        self._edge_s: float | None = None  # time.monotonic of the end of what is known; None before the first sound
        self._forget()

    @property
    def speaking(self) -> bool:
        """Whether an utterance is open."""
        return self._id != ""

    def add(self, at_s: float, samples: NDArray[np.float32]) -> list[Finding]:
        """Take sound: shape (n,), mono, float32 at 16 kHz, whose first sample was said at `at_s` (time.monotonic)."""
        found: list[Finding] = []
        gap_s = 0.0 if self._edge_s is None else at_s - self._edge_s
        if self._edge_s is None or gap_s > _BRIDGED_S:
            self._end(found)
            self._begin_anew(at_s)
        elif gap_s > 1 / RATE_HZ:
            self._take(np.zeros(round(gap_s * RATE_HZ), np.float32), found)
        self._take(samples, found)
        return found

    def look(self, now_s: float) -> list[Finding]:
        """See how long it has been silent by `now_s`."""
        found: list[Finding] = []
        if self._first_voiced_s is None or self._edge_s is None:
            return found
        by_s = self._edge_s if now_s - self._edge_s <= LATE_S else now_s
        silence_s = by_s - self._last_voiced_s
        if not self._id:
            if silence_s >= FORGOTTEN_S:
                self._forget_speech()
        elif silence_s >= self._end_s:
            self._end(found)
        elif silence_s >= LOOK_S:
            if not self._silent:
                self._silent = True
                found.append(Look(self._utterance(len(self._windows), final=False), silent=True))
        elif self.look_every_s is not None and self._edge_s - self._looked_s >= self.look_every_s:
            self._looked_s = self._edge_s
            found.append(Look(self._utterance(len(self._windows), final=False), silent=False))
        return found

    def close(self) -> list[Finding]:
        """Its person is gone: the words so far count."""
        found: list[Finding] = []
        self._end(found)
        return found

    def drop(self) -> list[Finding]:
        """Forget everything: nobody may hear this person any more."""
        found: list[Finding] = [Dropped(self._id, self._place.user_id)] if self._id else []
        self._begin_anew(self._edge_s or 0.0)
        return found

    # Sound ------------------------------------------------------------------------------------------------------------

    def _take(self, samples: NDArray[np.float32], found: list[Finding]) -> None:
        assert self._edge_s is not None and self._vad is not None  # noqa: S101 - `add` has begun
        sound = np.concatenate([self._rest, samples]) if len(self._rest) else samples
        whole = len(sound) // WINDOW * WINDOW
        edge_s = self._edge_s - len(self._rest) / RATE_HZ
        self._rest = sound[whole:].copy()
        for number, chance in enumerate(self._vad.probabilities(sound[:whole])):
            edge_s += WINDOW_S
            self._edge_s = edge_s
            self._window(sound[number * WINDOW : (number + 1) * WINDOW].copy(), float(chance), found)
        self._edge_s = edge_s + len(self._rest) / RATE_HZ

    def _window(self, window: NDArray[np.float32], chance: float, found: list[Finding]) -> None:
        """Take 32 ms of sound that end at `_edge_s`, and the probability that they are speech."""
        assert self._edge_s is not None  # noqa: S101 - `add` has begun
        self._windows.append(window)
        self._chances.append(chance)
        self._voiced = chance >= (SILENCE if self._voiced else SPEECH)
        if self._voiced:
            self._voice(self._edge_s, found)
        if self._first_voiced_s is None:
            self._keep(_PREROLL)
        elif len(self._windows) >= _MOST:
            self._cut(found)

    def _voice(self, edge_s: float, found: list[Finding]) -> None:
        if self._first_voiced_s is None:
            self._first_voiced_s = edge_s - WINDOW_S
            self._keep(_PREROLL + 1)
            self._start_s = edge_s - len(self._windows) * WINDOW_S
            self._looked_s = edge_s
        self._last_voiced_s = edge_s
        self._last_voiced = len(self._windows)
        self._speech_s += WINDOW_S
        if not self._id and self._speech_s >= BEGINS_S:
            self._id = secrets.token_hex(6)
            found.append(Began(self._id, self._place.user_id, self._first_voiced_s))
        elif self._silent:
            self._silent = False
            found.append(WentOn(self._id, self._place.user_id))

    def _cut(self, found: list[Finding]) -> None:
        """Give a piece of somebody who speaks on and on, up to the quietest place of its last third."""
        from_ = len(self._chances) * 2 // 3
        levels = [float(np.abs(window).mean()) for window in self._windows[from_:]]
        at = from_ + min(range(len(levels)), key=lambda n: (round(self._chances[from_ + n], 1), levels[n])) + 1
        if not self._id:  # however long it took, there was never enough speech
            self._forget_speech()
            return
        found.append(Ended(self._utterance(at, final=True, goes_on=True)))
        self._keep(len(self._windows) - at)
        self._piece += 1
        self._silent = False
        self._start_s += at * WINDOW_S
        self._last_voiced = max(0, self._last_voiced - at)

    # Utterances -------------------------------------------------------------------------------------------------------

    def _end(self, found: list[Finding]) -> None:
        if self._id:
            found.append(Ended(self._utterance(len(self._windows), final=True)))
        self._forget_speech()

    def _utterance(self, count: int, *, final: bool, goes_on: bool = False) -> Utterance:
        """What there is up to window number `count`, and no more silence behind it than does good."""
        count = count if goes_on else min(count, self._last_voiced + _BEHIND)
        place = self._place
        speech = sum(chance >= SPEECH for chance in self._chances[:count]) * WINDOW_S
        return Utterance(
            self._id,
            place.guild_id,
            place.channel_id(),
            place.user_id,
            self._start_s,
            place.wall(self._start_s),
            np.concatenate(self._windows[:count]),
            speech,
            final,
            self._piece,
            goes_on,
            self._last_voiced_s,
        )

    def _keep(self, count: int) -> None:
        """Drop all windows but the last so many."""
        gone = len(self._windows) - count
        if gone > 0:
            del self._windows[:gone], self._chances[:gone]

    def _forget(self) -> None:
        self._id = ""
        self._piece = 0
        self._voiced = self._silent = False
        self._speech_s = self._looked_s = self._start_s = self._last_voiced_s = 0.0
        self._last_voiced = 0  # windows up to the last voiced one
        self._first_voiced_s: float | None = None

    def _forget_speech(self) -> None:
        self._forget()
        self._keep(_PREROLL)

    def _begin_anew(self, at_s: float) -> None:
        if self._vad is None:
            self._vad = VadStream()
        self._vad.reset()
        self._rest = _EMPTY
        self._keep(0)
        self._edge_s = at_s
        self._forget()

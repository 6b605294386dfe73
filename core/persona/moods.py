"""Moods as a small vector: what pushed a character, fading by half-lives. A pure function of state, time and event.

Each mood has a level: its weight (how much it is the character's nature), plus a slow drift by itself, plus what pushed it.
The highest level is the mood of the moment.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from core.persona.sheet import Feeling, MoodTable

MOST = 5.0  # of a push, either way: nobody can anger a character for days by shouting for an hour
LEAST = 0.005  # weaker ones are forgotten
DRIFT_S = 1200.0  # in about this time a drift goes from one of its values to the next
MARGIN = 1.0  # by which a mood that somebody chose stands above the others at first


@dataclass(frozen=True, slots=True)
class MoodState:
    """What pushed a character, by mood, as strong as it was at a time."""

    at: datetime
    pushes: Mapping[str, float] = field(default_factory=dict[str, float])


def levels(state: MoodState, moods: Sequence[MoodTable], now: datetime, seed: str) -> dict[str, float]:
    """How high each mood stands at a time; `seed` makes drifts differ from server to server."""
    pushes = _faded(state, moods, now)
    return {
        mood.name: mood.weight + mood.drift * _drift(f"{seed}/{mood.name}", now) + pushes.get(mood.name, 0.0)
        for mood in moods
    }


def current(state: MoodState, moods: Sequence[MoodTable], now: datetime, seed: str) -> MoodTable | None:
    """The mood of the moment; of several that are as high, the first. None without moods."""
    if not moods:
        return None
    high = levels(state, moods, now, seed)
    return max(moods, key=lambda mood: high[mood.name])


def moved(state: MoodState, moods: Sequence[MoodTable], now: datetime, felt: Mapping[Feeling, float]) -> MoodState:
    """The state after something was said; `felt` is how much of each feeling is in it, 0 to 1."""
    pushes = _faded(state, moods, now)
    for mood in moods:
        push = sum(mood.moved_by.get(feeling, 0.0) * strength for feeling, strength in felt.items())
        before = pushes.get(mood.name, 0.0)
        room = 1 - abs(before) / MOST if push * before > 0 else 1.0  # the same again moves less and less
        pushes[mood.name] = max(-MOST, min(MOST, before + push * room))
    return MoodState(now, _kept(pushes))


def chosen(moods: Sequence[MoodTable], now: datetime, name: str | None) -> MoodState:
    """The state after somebody chose a mood, which fades like any other push; None: nothing pushes."""
    mood = next((mood for mood in moods if mood.name == name), None)
    if mood is None:
        return MoodState(now)
    others = [other.weight + other.drift for other in moods if other is not mood]
    above = max(others, default=0.0) - (mood.weight - mood.drift)
    return MoodState(now, {mood.name: max(0.0, above) + MARGIN})


def _faded(state: MoodState, moods: Sequence[MoodTable], now: datetime) -> dict[str, float]:
    """The pushes by now. A clock that was set back lets nothing grow."""
    elapsed_s = max(0.0, (now - state.at).total_seconds())
    halves = {mood.name: mood.half_life_s for mood in moods}
    faded = {
        name: push * 0.5 ** min(elapsed_s / halves[name], 1000.0)
        for name, push in state.pushes.items()
        if name in halves
    }
    return _kept(faded)


def _kept(pushes: Mapping[str, float]) -> dict[str, float]:
    return {name: push for name, push in pushes.items() if abs(push) >= LEAST}


def _drift(seed: str, now: datetime) -> float:
    """A value from -1 to 1 that goes up and down slowly and smoothly, the same for the same seed and time."""
    step, part = divmod(now.timestamp() / DRIFT_S, 1.0)
    smooth = part * part * (3 - 2 * part)
    return _chance(seed, int(step)) * (1 - smooth) + _chance(seed, int(step) + 1) * smooth


def _chance(seed: str, step: int) -> float:
    digest = hashlib.blake2s(f"{seed}/{step}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / (2**31) - 1

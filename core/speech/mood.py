"""A mood changes how a voice sounds, higher and quicker when glad, lower and slower when sad, and what a model is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.speech.engine import Voice

MIN_RATE, MAX_RATE = 0.5, 2.0
MAX_PITCH = 12.0


@dataclass(frozen=True, slots=True)
class Mood:
    """What a mood adds to a voice: semitones, and a factor on the speed. `told` is what the model hears of it."""

    pitch_semitones: float = 0.0
    rate: float = 1.0
    told: str = ""

    def colour(self, voice: Voice) -> Voice:
        """The voice in this mood, kept within an octave either way and half to double speed."""
        return replace(
            voice,
            rate=min(MAX_RATE, max(MIN_RATE, voice.rate * self.rate)),
            pitch=min(MAX_PITCH, max(-MAX_PITCH, voice.pitch + self.pitch_semitones)),
        )

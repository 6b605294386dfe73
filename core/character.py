"""Who speaks: a character has a name, a standing instruction, a voice, a mood, and maybe a model of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

MIN_RATE, MAX_RATE = 0.5, 2.0
MAX_PITCH = 12.0


@dataclass(frozen=True, slots=True)
class Voice:
    """Who speaks and how.

    `name` is one of the engine's own names; empty takes the configured voice. `rate` is a factor on the engine's own
    speed, `pitch` is in semitones.
    """

    name: str = ""
    rate: float = 1.0
    pitch: float = 0.0


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


@dataclass(frozen=True, slots=True)
class Character:
    """One of those as whom the bot answers; it travels on a turn.

    The bot itself is the character with the empty id. What a character leaves out is as the bot has it.

    Args:
        id: Tells characters apart in what is remembered; never shown.
        name: What it is called by people and models.
        instruction: Its standing instruction; empty takes the server's, or the configured one.
        voice: Its voice; None takes the voice that whoever asks has chosen.
        mood: Colours its voice, and is told to the model.
        route: The model route that answers for it; None takes the current one, as does a session that chose a route.
    """

    id: str
    name: str
    instruction: str = ""
    voice: Voice | None = None
    mood: Mood | None = None
    route: str | None = None

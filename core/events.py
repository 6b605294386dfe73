"""What happened: frozen facts that travel through the hub."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Event:
    """Anything that can be published."""


@dataclass(frozen=True, slots=True)
class GuildEvent(Event):
    """Something that happened in one guild."""

    guild_id: int


# Voice sessions -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SessionStarted(GuildEvent):
    """The bot is connected and may speak."""

    session_id: str
    channel_id: int
    prompt_channel_id: int | None
    started_by: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class SessionMoved(GuildEvent):
    """The session goes on in another voice channel."""

    session_id: str
    from_channel_id: int
    channel_id: int


@dataclass(frozen=True, slots=True)
class SessionInterrupted(GuildEvent):
    """The voice connection was lost; the session tries to come back."""

    session_id: str
    channel_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class SessionResumed(GuildEvent):
    """The voice connection is back after an interruption."""

    session_id: str
    channel_id: int
    gap_s: float


@dataclass(frozen=True, slots=True)
class SessionImpaired(GuildEvent):
    """What the server keeps the bot from has changed: hearing people, or being heard by them."""

    session_id: str
    channel_id: int
    deafened: bool
    silenced: bool  # muted, or in an audience, or without the right to speak


@dataclass(frozen=True, slots=True)
class SessionEnded(GuildEvent):
    """The session is over; `reason` is a sentence for people."""

    session_id: str
    channel_id: int
    prompt_channel_id: int | None
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class EncryptionChanged(GuildEvent):
    """A running session's channel changed between end-to-end encryption and none. Version 0: there is none."""

    session_id: str
    channel_id: int
    before: int  # DAVE protocol versions
    protocol_version: int
    at_s: float  # time.monotonic

    @property
    def weaker(self) -> bool:
        """Whether people are protected less than before."""
        return self.protocol_version < self.before


# Presence -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PersonJoined(GuildEvent):
    """Somebody came into a voice channel."""

    channel_id: int
    user_id: int
    name: str


@dataclass(frozen=True, slots=True)
class PersonLeft(GuildEvent):
    """Somebody left a voice channel."""

    channel_id: int
    user_id: int
    name: str


@dataclass(frozen=True, slots=True)
class SpeakingStarted(GuildEvent):
    """Somebody's audio began, as heard in packets, not as a client claims."""

    channel_id: int
    user_id: int
    at_s: float  # time.monotonic of the first packet


@dataclass(frozen=True, slots=True)
class SpeakingStopped(GuildEvent):
    """Somebody's audio ended."""

    channel_id: int
    user_id: int
    at_s: float  # time.monotonic of the last packet
    duration_s: float


# Hearing --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpeechBegan(GuildEvent):
    """Somebody speaks, as voice detection tells: no cough, no click, no noise. Only of people who may be heard."""

    utterance_id: str
    channel_id: int
    user_id: int
    at_s: float  # time.monotonic of the first voiced sound; told a quarter of a second later


@dataclass(frozen=True, slots=True)
class UtteranceEnded(GuildEvent):
    """Somebody fell silent, or a piece of a long utterance is complete."""

    utterance_id: str
    channel_id: int
    user_id: int
    started_at: datetime
    duration_s: float


@dataclass(frozen=True, slots=True)
class WordsHeard(GuildEvent):
    """What somebody said, as text that others wrote: the recogniser's. `final` is False for what may still change."""

    utterance_id: str
    channel_id: int
    user_id: int
    text: str
    final: bool
    started_at: datetime
    language: str  # ISO 639-1, or empty


# Conversation ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TurnStarted(GuildEvent):
    """A prompt was taken up."""

    turn_id: str
    channel_id: int
    user_id: int
    voiced: bool
    character_id: str = ""  # who answers; the bot itself has none


@dataclass(frozen=True, slots=True)
class TurnEnded(GuildEvent):
    """A reply is over: said in full, stopped, or failed."""

    turn_id: str
    channel_id: int
    outcome: str  # "spoken", "text", "stopped", "failed", "silent"
    reply_text: str  # both empty if whoever asked was deleted meanwhile
    heard_text: str
    character_id: str = ""


# Recording ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RecordingStarted(GuildEvent):
    """A recording runs."""

    recording_id: str
    channel_id: int
    folder: str
    started_by: int | None


@dataclass(frozen=True, slots=True)
class RecordingStopped(GuildEvent):
    """A recording is closed; its files are being rendered."""

    recording_id: str
    channel_id: int
    folder: str
    reason: str


@dataclass(frozen=True, slots=True)
class RecordingRendered(GuildEvent):
    """A recording's finished files are there."""

    recording_id: str
    channel_id: int
    folder: str


@dataclass(frozen=True, slots=True)
class RecordingTranscribed(GuildEvent):
    """A recording's transcript is there, or was made anew."""

    recording_id: str
    channel_id: int
    folder: str


# Lockdown -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FeatureLocked(Event):
    """A feature gives way."""

    feature: str
    holder: str
    reason: str


@dataclass(frozen=True, slots=True)
class FeatureReleased(Event):
    """A feature is back."""

    feature: str
    holder: str


@dataclass(frozen=True, slots=True)
class MemoryRanLow(Event):
    """A memory is fuller than `[lockdown] memory_warning` allows; told again only after it had room in between."""

    memory: str  # for people: "System memory", the name of a GPU
    used_bytes: int
    total_bytes: int


# Characters -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CharacterChosen(GuildEvent):
    """A server, or 0 for direct messages, has another character; an empty id is the bot itself."""

    character_id: str


@dataclass(frozen=True, slots=True)
class MoodChanged(GuildEvent):
    """The character of a server, or of direct messages (0), feels otherwise; an empty mood is none."""

    character_id: str
    mood: str
    emoji: str

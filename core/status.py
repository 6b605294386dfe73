"""What `/voice status` shows, as plain titles and values."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.runtime import Runtime
    from core.voice.session import VoiceSession


@dataclass(frozen=True, slots=True)
class Field:
    """One line of the status."""

    title: str
    value: str
    inline: bool = True


def session_fields(runtime: Runtime, session: VoiceSession) -> list[Field]:
    """Everything about a session that helps a person understand what the bot does, or why it does not."""
    conversation = runtime.conversation
    prompts = f"<#{session.prompt_channel_id}>" if session.prompt_channel_id else "none"
    stats = session.player.stats
    fields = [
        Field("Channel", session.channel.mention),
        Field("Prompts", prompts),
        Field("Since", f"<t:{int(session.started_at.timestamp())}:R>"),
        Field("Here", _people(runtime, session), inline=False),
        Field("Encryption", _encryption(session)),
        Field("Voice engine", f"{session.speaker.engine.name} ({session.speaker.engine.address})"),
        Field("Model", _model(runtime)),
        Field("Latency, last turns", _latency(runtime)),
        Field(
            "Sound", f"{stats.frames_sent} frames sent, {stats.underruns} underruns, {session.player.volume:.0%} volume"
        ),
        Field("Queue", _queued(session, conversation.waiting(session))),
    ]
    if session.interruptions:
        fields.append(Field("Interruptions", str(session.interruptions)))
    if not session.connected:
        fields.insert(0, Field("Connection", "away, coming back", inline=False))
    return fields


def _people(runtime: Runtime, session: VoiceSession) -> str:
    speaking = session.speaking.speaking_users()
    shown: list[str] = []
    for person in runtime.voice.presence.people(session.channel):
        if person.user_id == session.guild.me.id:
            continue
        marks = "🔊" if person.user_id in speaking else "🔇" if person.muted else "▫️"
        shown.append(f"{marks} <@{person.user_id}>{' (deafened)' if person.deafened else ''}")
    if len(shown) > 20:
        shown = [*shown[:20], f"and {len(shown) - 20} more"]
    return "\n".join(shown) or "nobody"


def _encryption(session: VoiceSession) -> str:
    dave = session.client.dave
    if not dave.protocol_version:
        return "transport only"
    code = dave.privacy_code
    return f"end to end, epoch {dave.epoch}" + (f"\n`{code}`" if code else "")


def _model(runtime: Runtime) -> str:
    if not runtime.conversation.has_model:
        return "none: reading aloud"
    route = runtime.models.routes[runtime.models.current]
    return f"{route.name} ({route.model})"


def _latency(runtime: Runtime) -> str:
    turns = [turn.timings for turn in list(runtime.conversation.recent)[-10:]]
    first_token = [ms for timings in turns if (ms := timings.first_token_ms) is not None]
    first_audio = [ms for timings in turns if (ms := timings.first_audio_ms) is not None]
    rates = [rate for timings in turns if (rate := timings.tokens_per_s) is not None]
    parts: list[str] = []
    if first_token:
        parts.append(f"first text {median(first_token):.0f} ms")
    if first_audio:
        parts.append(f"first sound {median(first_audio):.0f} ms")
    if rates:
        parts.append(f"{median(rates):.0f} tokens/s")
    return ", ".join(parts) or "no turn yet"


def _queued(session: VoiceSession, waiting: int) -> str:
    parts = [f"{waiting} prompt(s)"] if waiting else []
    tracks = len(session.media.tracks)
    if tracks:
        parts.append(f"{tracks} file(s)")
    return ", ".join(parts) or "empty"

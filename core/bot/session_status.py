"""What `/voice status` shows, as plain titles and values."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from core.discord_limits import FIELD_LENGTH
from core.lockdown import describe
from core.names import shown, term
from core.voice.stage import in_audience

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.conversation.service import Conversation
    from core.llm.models import Models
    from core.lockdown.service import Lockdown
    from core.machine.usage import Usage
    from core.voice.presence import Present
    from core.voice.session import VoiceSession


PEOPLE = 20  # shown by name
LONG, SHORT = FIELD_LENGTH, 300  # characters of a value; all together they stay within an embed
MIB, GIB = 2**20, 2**30


@dataclass(frozen=True, slots=True)
class Field:
    """One line of the status."""

    title: str
    value: str
    inline: bool = True


def session_fields(
    session: VoiceSession,
    *,
    people: Sequence[Present],
    conversation: Conversation,
    models: Models,
    lockdown: Lockdown,
    usage: Usage,
    whole: bool = True,
    mood: str = "",
) -> list[Field]:
    """Everything about a session that helps a person understand what the bot does, or why it does not.

    `whole` shows what is of the process too: its cost, the GPUs, and where the speech engine is. `mood` is how the bot's
    character feels, if it has one.
    """
    engine = session.speaker.engine
    prompts = f"<#{session.prompt_channel_id}>" if session.prompt_channel_id else "none"
    fields = [
        Field("Channel", session.channel.mention),
        Field("Prompts", prompts),
        Field("Since", f"<t:{int(session.started_at.timestamp())}:R>"),
        Field("Here", _people(session, people), inline=False),
        Field("Encryption", _encryption(session)),
        Field("Voice engine", f"{engine.name} ({engine.address})" if whole else engine.name),
        Field("Model", _model(conversation, models)),
        Field("Latency, last turns", _latency(conversation, session)),
        Field("Sound", _sound(session)),
        Field("Queue", _queued(session, conversation.waiting(session))),
        Field("Gives way", _gives_way(lockdown, session.guild.id)),
        Field("Heard", _heard(session)),
    ]
    if mood:
        fields.append(Field("Mood", mood))
    if whole:
        fields.append(Field("This process", _cost(usage)))
        if usage.gpus:
            fields.append(Field("GPU memory", _gpus(usage)))
    troubles = _troubles(session)
    if troubles:
        fields.insert(0, Field("Trouble", troubles, inline=False))
    return [Field(field.title, _cut(field.value, SHORT if field.inline else LONG), field.inline) for field in fields]


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _people(session: VoiceSession, connected: Sequence[Present]) -> str:
    """Who speaks comes first, so that nobody is looked for among many."""
    speaking = session.speaking.speaking_users()
    people = sorted(connected, key=lambda person: person.user_id not in speaking)
    shown: list[str] = []
    for person in people[:PEOPLE]:
        marks = "🔊" if person.user_id in speaking else "🔇" if person.muted else "▫️"
        shown.append(f"{marks} <@{person.user_id}>{' (deafened)' if person.deafened else ''}")
    if len(people) > PEOPLE:
        shown.append(f"and {len(people) - PEOPLE} more")
    return "\n".join(shown) or "nobody"


def _troubles(session: VoiceSession) -> str:
    found: list[str] = []
    if not session.connected:
        found.append("The voice connection is away; I am trying to come back.")
    state = session.guild.me.voice
    if in_audience(session.channel):
        found.append("I sit in the audience of the stage: nobody hears me until a moderator invites me to speak.")
    elif state is not None and (state.mute or state.suppress):
        found.append("I am muted by the server: nobody hears me.")
    if session.interruptions:
        found.append(f"{session.interruptions} interruption(s) of the connection so far.")
    return "\n".join(found)


def _encryption(session: VoiceSession) -> str:
    dave = session.client.dave
    if not dave.protocol_version:
        return "transport only"
    if not dave.ready:
        others = len(session.channel.members) > 1
        return "end to end; the keys are being agreed on" if others else "end to end as soon as somebody else is here"
    code = dave.privacy_code
    return f"end to end, epoch {dave.epoch}" + (f"\n`{code}`" if code else "")


def _model(conversation: Conversation, models: Models) -> str:
    if not conversation.has_model:
        return "none: reading aloud"
    route = models.routes[models.current]
    return f"{term(route.name)} ({term(route.model)})"


def _latency(conversation: Conversation, session: VoiceSession) -> str:
    here = [turn for turn in conversation.recent if turn.prompt.guild_id == session.guild.id]
    turns = [turn.timings for turn in here[-10:]]
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


def _sound(session: VoiceSession) -> str:
    player = session.player
    stats = player.stats
    queued_s = sum(line.queued_s for line in player.queued())
    parts = [
        f"{stats.frames_sent - session.client.unsent_frames} frames sent",
        f"{stats.underruns} underruns",
        f"longest gap {stats.max_gap_ms:.0f} ms",
    ]
    return ", ".join([*parts, f"{queued_s:.1f} s buffered", f"volume {player.volume:.0%}"])


def _gives_way(lockdown: Lockdown, guild_id: int) -> str:
    locked = sum(lockdown.locked(feature.name, guild_id=guild_id) for feature in lockdown.features)
    return describe.short(locked, len(lockdown.faults), len(lockdown.owed))


def _heard(session: VoiceSession) -> str:
    stats = session.receiver.stats
    lost = sum(heard.lost for heard in stats.users.values())
    unreadable = sum(stats.undecryptable.values())
    return f"{stats.delivered} frames, {lost} lost, {unreadable} not decrypted"


def _cost(usage: Usage) -> str:
    cost = usage.read()
    return f"{cost.cpu:.0%} of a core, {cost.memory_bytes / MIB:.0f} MiB, {cost.threads} threads"


def _gpus(usage: Usage) -> str:
    return "\n".join(
        f"{shown(gpu.name)}: {gpu.used_bytes / GIB:.1f} of {gpu.total_bytes / GIB:.1f} GiB" for gpu in usage.gpus
    )


def _queued(session: VoiceSession, waiting: int) -> str:
    parts = [f"{waiting} prompt(s)"] if waiting else []
    tracks = len(session.media.tracks)
    if tracks:
        parts.append(f"{tracks} file(s)")
    return ", ".join(parts) or "empty"

"""Who is in which voice channel, muted or deafened, as Discord says it; events for other code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.events import PersonJoined, PersonLeft

if TYPE_CHECKING:
    import discord

    from core.hub import Hub
    from core.voice.checks import VoiceRoom


@dataclass(frozen=True, slots=True)
class Present:
    """One person in a voice channel. `muted` and `deafened` are by themselves or by the server."""

    user_id: int
    name: str
    bot: bool
    muted: bool
    deafened: bool
    camera: bool


class Presence:
    """Turns Discord's voice states into events and lists."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def people(self, channel: VoiceRoom) -> list[Present]:
        """Who is in a voice channel, the bot itself included."""
        found: list[Present] = []
        for member in channel.members:
            state = member.voice
            if state is None:
                continue
            found.append(
                Present(
                    member.id,
                    member.display_name,
                    member.bot,
                    state.mute or state.self_mute,
                    state.deaf or state.self_deaf,
                    state.self_video,
                )
            )
        return found

    def changed(self, member: discord.Member, before: discord.VoiceState, after: discord.VoiceState) -> None:
        """Publish who came and who went."""
        if before.channel == after.channel:
            return
        if before.channel is not None:
            self._hub.publish(PersonLeft(member.guild.id, before.channel.id, member.id, member.display_name))
        if after.channel is not None:
            self._hub.publish(PersonJoined(member.guild.id, after.channel.id, member.id, member.display_name))

"""Who is in which voice channel, and the rules for getting in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from loopback.world.events import Audience, Events
from loopback.world.guilds import VoiceState
from loopback.world.permissions import Permission
from loopback.world.rights import in_channel

if TYPE_CHECKING:
    from loopback.world.guilds import Channel, Guild, Member


VoiceWatcher = Callable[[VoiceState | None, VoiceState], None]


class Voice:
    """Changes voice states and publishes them. Watchers hear `(before, after)` of each change of place or session."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._watchers: list[VoiceWatcher] = []

    def watch(self, watcher: VoiceWatcher) -> None:
        """Call `watcher(before, after)` whenever a member joins, moves, leaves or joins again."""
        self._watchers.append(watcher)

    def may_join(self, member: Member, channel: Channel) -> bool:
        """Whether Discord would let the member in: VIEW_CHANNEL, CONNECT and a free place.

        MOVE_MEMBERS or MANAGE_CHANNELS (and so ADMINISTRATOR) passes a full channel.
        """
        granted = in_channel(channel, member.user)
        if channel.guild is None or not granted & Permission.VIEW_CHANNEL or not granted & Permission.CONNECT:
            return False
        others = [state for state in channel.guild.in_voice(channel) if state.member is not member]
        full = 0 < channel.user_limit <= len(others)
        return not full or bool(granted & (Permission.MOVE_MEMBERS | Permission.MANAGE_CHANNELS))

    def join(
        self, guild: Guild, member: Member, channel: Channel, session_id: str, *, mute: bool = False, deaf: bool = False
    ) -> bool:
        """Put the member into the channel as one gateway session asks; False, and nothing happens, if it may not."""
        before = guild.voice_states.get(member.user.id)
        stays = before is not None and before.channel is channel and before.session_id == session_id
        if not stays and not self.may_join(member, channel):
            return False
        suppress = _is_suppressed(member, channel)
        if before is not None and stays and channel.is_stage:
            suppress = before.suppress
        after = VoiceState(guild, member, channel, session_id, self_mute=mute, self_deaf=deaf, suppress=suppress)
        only_flags = stays and before != after
        self._set(after)
        if not only_flags:
            self._tell(before, after)
        return True

    def leave(self, guild: Guild, user_id: int) -> None:
        """Take the member out of voice: it left, was kicked, or its session ended. No effect if it is not there."""
        before = guild.voice_states.pop(user_id, None)
        if before is None:
            return
        after = replace(before, channel=None)
        self._publish(after)
        self._tell(before, after)

    def move(self, guild: Guild, user_id: int, channel: Channel) -> bool:
        """Drag the member to another channel; limits and CONNECT do not matter. False if it is not in voice."""
        before = guild.voice_states.get(user_id)
        if before is None:
            return False
        if before.channel is not channel:
            after = replace(before, channel=channel, suppress=_is_suppressed(before.member, channel))
            self._set(after)
            self._tell(before, after)
        return True

    def refresh(self, guild: Guild, user_id: int) -> None:
        """Publish the member's voice state again, after a server mute, a deafening or a change of permissions."""
        state = guild.voice_states.get(user_id)
        if state is not None and state.channel is not None:
            kept = state.suppress if state.channel.is_stage else _is_suppressed(state.member, state.channel)
            self._set(replace(state, suppress=kept))

    def on_stage(self, state: VoiceState, *, suppress: bool | None = None, asked_to_speak: str | None = None) -> None:
        """Bring somebody of a stage channel up to speak or back into the audience, or note that they ask to speak."""
        kept = state.suppress if suppress is None else suppress
        self._set(replace(state, suppress=kept, asked_to_speak=asked_to_speak))

    def _set(self, state: VoiceState) -> None:
        state.guild.voice_states[state.member.user.id] = state
        self._publish(state)

    def _publish(self, state: VoiceState) -> None:
        self._events.publish("VOICE_STATE_UPDATE", state.to_json(), Audience(guild_id=state.guild.id))

    def _tell(self, before: VoiceState | None, after: VoiceState) -> None:
        for watcher in self._watchers:
            watcher(before, after)


def _is_suppressed(member: Member, channel: Channel) -> bool:
    """Who comes to a stage sits in the audience; elsewhere it takes SPEAK to be heard."""
    if channel.is_stage:
        return True
    return not in_channel(channel, member.user) & Permission.SPEAK

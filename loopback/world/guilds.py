"""Guilds with their roles and members."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from loopback.world.events import now, timestamp

if TYPE_CHECKING:
    import datetime

    from loopback.world.channels import Channel
    from loopback.world.permissions import Permission
    from loopback.world.users import User
    from loopback.world.voice import VoiceState


@dataclass(slots=True, eq=False)
class Role:
    """A role of a guild; the role whose id is the guild's is `@everyone`."""

    id: int
    name: str
    permissions: Permission
    position: int = 0
    color: int = 0
    hoist: bool = False
    mentionable: bool = False

    @property
    def mention(self) -> str:
        """The text that mentions this role in a message."""
        return f"<@&{self.id}>"

    def to_json(self) -> dict[str, Any]:
        """Discord's role object."""
        return {
            "id": str(self.id),
            "name": self.name,
            "permissions": str(int(self.permissions)),
            "position": self.position,
            "color": self.color,
            "colors": {"primary_color": self.color, "secondary_color": None, "tertiary_color": None},
            "hoist": self.hoist,
            "managed": False,
            "mentionable": self.mentionable,
            "flags": 0,
        }


@dataclass(slots=True, eq=False)
class Member:
    """A user in a guild. `muted` and `deafened` are the server's, not the member's own."""

    user: User
    nick: str | None = None
    role_ids: list[int] = field(default_factory=list)
    joined_at: datetime.datetime = field(default_factory=now)
    muted: bool = False
    deafened: bool = False
    timed_out_until: datetime.datetime | None = None

    @property
    def display_name(self) -> str:
        """The name others see in this guild."""
        return self.nick or self.user.global_name or self.user.name

    def to_json(self) -> dict[str, Any]:
        """Discord's member object with its user; role ids, never role objects."""
        return {"user": self.user.to_json()} | self.to_partial_json()

    def to_partial_json(self) -> dict[str, Any]:
        """The member as messages carry it: without the user."""
        return {
            "nick": self.nick,
            "avatar": None,
            "roles": [str(role_id) for role_id in self.role_ids],
            "joined_at": timestamp(self.joined_at),
            "premium_since": None,
            "deaf": self.deafened,
            "mute": self.muted,
            "flags": 0,
            "pending": False,
            "communication_disabled_until": timestamp(self.timed_out_until),
        }


@dataclass(slots=True, eq=False)
class Guild:
    """A guild and everything in it."""

    id: int
    name: str
    owner_id: int
    roles: dict[int, Role] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict, repr=False)
    channels: dict[int, Channel] = field(default_factory=dict, repr=False)
    voice_states: dict[int, VoiceState] = field(default_factory=dict, repr=False)
    available: bool = True

    @property
    def everyone(self) -> Role:
        """The role every member has."""
        return self.roles[self.id]

    def in_voice(self, channel: Channel) -> list[VoiceState]:
        """The voice states of those in a voice channel."""
        return [state for state in self.voice_states.values() if state.channel is channel]

    def to_json(self) -> dict[str, Any]:
        """Discord's guild object as REST gives it."""
        return {
            "id": str(self.id),
            "name": self.name,
            "icon": None,
            "splash": None,
            "banner": None,
            "description": None,
            "owner_id": str(self.owner_id),
            "afk_channel_id": None,
            "afk_timeout": 300,
            "verification_level": 0,
            "default_message_notifications": 0,
            "explicit_content_filter": 0,
            "roles": [role.to_json() for role in self.roles.values()],
            "emojis": [],
            "stickers": [],
            "features": [],
            "mfa_level": 0,
            "system_channel_id": None,
            "system_channel_flags": 0,
            "rules_channel_id": None,
            "premium_tier": 0,
            "premium_subscription_count": 0,
            "preferred_locale": "en-US",
            "nsfw_level": 0,
            "premium_progress_bar_enabled": False,
            "approximate_member_count": len(self.members),
        }

    def to_gateway_json(self) -> dict[str, Any]:
        """The guild as GUILD_CREATE carries it: with channels, members and voice states."""
        channels = [channel.to_json() for channel in self.channels.values()]
        return self.to_json() | {
            "joined_at": timestamp(now()),
            "large": False,
            "unavailable": False,
            "member_count": len(self.members),
            "channels": [channel for channel in channels if channel["type"] != 11],
            "threads": [channel for channel in channels if channel["type"] == 11],
            "members": [member.to_json() for member in self.members.values()],
            "voice_states": [state.to_json() for state in self.voice_states.values()],
            "presences": [one.user.presence_json(self.id) for one in self.members.values() if one.user.is_online],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
        }

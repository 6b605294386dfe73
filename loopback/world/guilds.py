"""Guilds with their roles, members, channels and voice states. Each names the others, so they are one file."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from loopback.world.events import now, timestamp
from loopback.world.permissions import NONE, Permission

if TYPE_CHECKING:
    import datetime

    from loopback.world.users import User


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
    """A user in a guild. `muted` and `deafened` are the server's, not the member's own.

    `avatar` and `banner` are the hash and the bytes of this guild's own pictures; without them the account's are shown.
    """

    user: User
    nick: str | None = None
    role_ids: list[int] = field(default_factory=list)
    joined_at: datetime.datetime = field(default_factory=now)
    muted: bool = False
    deafened: bool = False
    timed_out_until: datetime.datetime | None = None
    avatar: tuple[str | None, bytes] = field(default=(None, b""), repr=False)
    banner: tuple[str | None, bytes] = field(default=(None, b""), repr=False)
    bio: str | None = None

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
            "avatar": self.avatar[0],
            "banner": self.banner[0],
            "roles": [str(role_id) for role_id in self.role_ids],
            "joined_at": timestamp(self.joined_at),
            "premium_since": None,
            "deaf": self.deafened,
            "mute": self.muted,
            "flags": 0,
            "pending": False,
            "communication_disabled_until": timestamp(self.timed_out_until),
        }


class ChannelKind(IntEnum):
    """Discord's channel types, as far as they exist here."""

    TEXT = 0
    DIRECT = 1
    VOICE = 2
    CATEGORY = 4
    THREAD = 11
    STAGE = 13
    FORUM = 15


@dataclass(frozen=True, slots=True)
class Overwrite:
    """What one role or member may do differently in one channel."""

    id: int
    is_member: bool
    allow: Permission = NONE
    deny: Permission = NONE

    def to_json(self) -> dict[str, Any]:
        """Discord's overwrite object."""
        return {
            "id": str(self.id),
            "type": int(self.is_member),
            "allow": str(int(self.allow)),
            "deny": str(int(self.deny)),
        }


@dataclass(slots=True, eq=False)
class Channel:
    """One channel. Messages are kept by id, in the order they were written. `user_limit` 0 means no limit."""

    id: int
    kind: ChannelKind
    name: str = ""
    guild: Guild | None = None
    parent: Channel | None = None
    position: int = 0
    topic: str | None = None
    nsfw: bool = False
    slowmode_s: int = 0
    bitrate: int = 64_000
    user_limit: int = 0
    rtc_region: str | None = None
    status: str | None = None
    owner_id: int | None = None
    overwrites: dict[int, Overwrite] = field(default_factory=dict)
    recipients: tuple[User, ...] = ()
    messages: dict[int, Any] = field(default_factory=dict, repr=False)  # of `Message`, which knows its channel

    @property
    def mention(self) -> str:
        """The text that links this channel in a message."""
        return f"<#{self.id}>"

    @property
    def guild_id(self) -> int | None:
        """The id of the channel's guild; None for direct messages."""
        return None if self.guild is None else self.guild.id

    @property
    def recipient_ids(self) -> frozenset[int]:
        """Who takes part in a direct message channel."""
        return frozenset(user.id for user in self.recipients)

    @property
    def is_voice(self) -> bool:
        """Whether people can talk in it."""
        return self.kind in (ChannelKind.VOICE, ChannelKind.STAGE)

    @property
    def is_stage(self) -> bool:
        """Whether only those are heard in it who were brought up to speak."""
        return self.kind is ChannelKind.STAGE

    @property
    def is_thread(self) -> bool:
        """Whether it hangs below a text channel, or is a post of a forum."""
        return self.kind is ChannelKind.THREAD

    @property
    def holds_messages(self) -> bool:
        """Whether people can write in it; in categories they cannot, and of a forum only in its posts."""
        return self.kind not in (ChannelKind.CATEGORY, ChannelKind.FORUM)

    @property
    def last_message_id(self) -> int | None:
        """The id of the newest message that was not deleted."""
        return next(reversed(self.messages), None)

    def to_json(self, viewer: User | None = None) -> dict[str, Any]:
        """Discord's channel object; a direct message channel lists the recipients other than `viewer`."""
        last = self.last_message_id
        shared = {"id": str(self.id), "type": int(self.kind), "last_message_id": None if last is None else str(last)}
        if self.guild is None:
            others = [user.to_json() for user in self.recipients if user is not viewer]
            return shared | {"recipients": others, "flags": 0}
        shared |= {
            "guild_id": str(self.guild.id),
            "name": self.name,
            "parent_id": None if self.parent is None else str(self.parent.id),
            "rate_limit_per_user": self.slowmode_s,
            "flags": 0,
        }
        if self.is_thread:
            return shared | self._thread_json()
        shared |= {
            "position": self.position,
            "permission_overwrites": [overwrite.to_json() for overwrite in self.overwrites.values()],
            "nsfw": self.nsfw,
        }
        if self.is_voice:
            return shared | {
                "bitrate": self.bitrate,
                "user_limit": self.user_limit,
                "rtc_region": self.rtc_region,
                "video_quality_mode": 1,
                "status": self.status,
            }
        shared |= {"topic": self.topic, "default_auto_archive_duration": 1440}
        if self.kind is ChannelKind.FORUM:
            shared |= {"available_tags": [], "default_sort_order": None, "default_forum_layout": 0}
            shared |= {"default_reaction_emoji": None, "default_thread_rate_limit_per_user": 0}
        return shared

    def _thread_json(self) -> dict[str, Any]:
        return {
            "owner_id": str(self.owner_id),
            "message_count": len(self.messages),
            "member_count": 1,
            "total_message_sent": len(self.messages),
            "thread_metadata": {
                "archived": False,
                "auto_archive_duration": 1440,
                "archive_timestamp": "2026-01-01T00:00:00+00:00",
                "locked": False,
                "create_timestamp": "2026-01-01T00:00:00+00:00",
            },
        }


@dataclass(frozen=True, slots=True)
class VoiceState:
    """One member's place in a guild's voice channels; `channel` None means just left.

    `session_id` is the gateway session that joined: only it is told where the voice server is.
    """

    guild: Guild
    member: Member
    channel: Channel | None
    session_id: str
    self_mute: bool = False
    self_deaf: bool = False
    suppress: bool = False
    asked_to_speak: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Discord's voice state object with its member."""
        return {
            "guild_id": str(self.guild.id),
            "channel_id": None if self.channel is None else str(self.channel.id),
            "user_id": str(self.member.user.id),
            "member": self.member.to_json(),
            "session_id": self.session_id,
            "deaf": self.member.deafened,
            "mute": self.member.muted,
            "self_deaf": self.self_deaf,
            "self_mute": self.self_mute,
            "self_video": False,
            "suppress": self.suppress,
            "request_to_speak_timestamp": self.asked_to_speak,
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
        """Discord's guild object as REST returns it."""
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

"""Channels of every kind, threads and direct messages included, and their permission overwrites."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from loopback.world.permissions import NONE, Permission

if TYPE_CHECKING:
    from loopback.world.guilds import Guild
    from loopback.world.messages import Message
    from loopback.world.users import User


class ChannelKind(IntEnum):
    """Discord's channel types, as far as they exist here."""

    TEXT = 0
    DIRECT = 1
    VOICE = 2
    CATEGORY = 4
    THREAD = 11
    STAGE = 13


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
    messages: dict[int, Message] = field(default_factory=dict, repr=False)

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
        """Whether it hangs below a text channel."""
        return self.kind is ChannelKind.THREAD

    @property
    def holds_messages(self) -> bool:
        """Whether people can write in it; only categories cannot be written in."""
        return self.kind is not ChannelKind.CATEGORY

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
        return shared | {"topic": self.topic, "default_auto_archive_duration": 1440}

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

"""Webhooks: names under which messages can be posted without an account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loopback.world.channels import Channel
    from loopback.world.users import User


@dataclass(slots=True, eq=False)
class Webhook:
    """An incoming webhook of one channel. Who knows id and token may post through it."""

    id: int
    token: str
    name: str
    channel: Channel
    creator: User
    avatar: str | None = None

    def author_json(self) -> dict[str, Any]:
        """The author of its messages: a bot user with the webhook's id."""
        return {
            "id": str(self.id),
            "username": self.name,
            "global_name": None,
            "discriminator": "0000",
            "avatar": self.avatar,
            "bot": True,
        }

    def to_json(self) -> dict[str, Any]:
        """Discord's webhook object with its token."""
        return {
            "id": str(self.id),
            "type": 1,
            "guild_id": str(self.channel.guild_id),
            "channel_id": str(self.channel.id),
            "user": self.creator.to_json(),
            "name": self.name,
            "avatar": self.avatar,
            "token": self.token,
            "application_id": None,
        }

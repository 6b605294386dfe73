"""Users and the applications behind bots."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

GATEWAY_PRESENCE = 1 << 12
GATEWAY_GUILD_MEMBERS = 1 << 14
GATEWAY_MESSAGE_CONTENT = 1 << 18


@dataclass(slots=True, eq=False)
class User:
    """An account: a person or a bot. The token opens REST and gateway for it.

    `accepts_direct_messages` False is the privacy setting that bots meet as error 50007.
    """

    id: int
    name: str
    token: str
    bot: bool = False
    global_name: str | None = None
    avatar: str | None = None
    avatar_bytes: bytes = field(default=b"", repr=False)
    application: Application | None = None
    accepts_direct_messages: bool = True
    status: str = "offline"
    activities: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_online(self) -> bool:
        """Whether others see the user as present."""
        return self.status not in ("offline", "invisible")

    @property
    def mention(self) -> str:
        """The text that mentions this user in a message."""
        return f"<@{self.id}>"

    def to_json(self) -> dict[str, Any]:
        """Discord's public user object."""
        return {
            "id": str(self.id),
            "username": self.name,
            "global_name": self.global_name,
            "discriminator": "0",
            "avatar": self.avatar,
            "bot": self.bot,
            "public_flags": 0,
        }

    def presence_json(self, guild_id: int) -> dict[str, Any]:
        """Discord's presence object for one guild; invisible looks like offline."""
        shown = self.status if self.is_online else "offline"
        return {
            "user": {"id": str(self.id)},
            "guild_id": str(guild_id),
            "status": shown,
            "activities": self.activities if self.is_online else [],
            "client_status": {"desktop": shown} if self.is_online else {},
        }

    def to_own_json(self) -> dict[str, Any]:
        """The user object its owner sees at `/users/@me`."""
        return self.to_json() | {
            "verified": True,
            "mfa_enabled": False,
            "flags": 0,
            "email": None,
            "locale": "en-US",
            "premium_type": 0,
        }


@dataclass(slots=True, eq=False)
class Application:
    """The application of a user; its id is the user's, as for every application made since 2016.

    `privileged`: which of the intents that need approval the developer portal grants ("members", "presences", "content").
    """

    id: int
    user: User
    owner: User
    team: tuple[tuple[User, str], ...] = ()  # its members with their roles ("admin", "developer", "read_only")
    privileged: frozenset[str] = frozenset({"members", "presences", "content"})

    @property
    def flags(self) -> int:
        """Discord's application flags for the approved intents."""
        bits = {"presences": GATEWAY_PRESENCE, "members": GATEWAY_GUILD_MEMBERS, "content": GATEWAY_MESSAGE_CONTENT}
        return sum(bits[name] for name in self.privileged)

    def to_json(self) -> dict[str, Any]:
        """Discord's application object."""
        return {
            "id": str(self.id),
            "name": self.user.name,
            "icon": None,
            "description": "",
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": "0" * 64,
            "owner": self.owner.to_json(),
            "team": self._team_json(),
            "flags": self.flags,
            "redirect_uris": [],
            "interactions_endpoint_url": None,
            "approximate_guild_count": 1,
            "bot": self.user.to_json(),
        }

    def _team_json(self) -> dict[str, Any] | None:
        """Discord's team object, if a team owns the application."""
        if not self.team:
            return None
        members = [
            {"membership_state": 2, "permissions": ["*"], "team_id": str(self.id), "user": user.to_json(), "role": role}
            for user, role in self.team
        ]
        name = f"The team of {self.user.name}"
        return {"id": str(self.id), "icon": None, "name": name, "owner_user_id": str(self.owner.id), "members": members}

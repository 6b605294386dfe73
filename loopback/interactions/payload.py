"""The INTERACTION_CREATE payload, with everything the real one carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from loopback.world.rights import in_channel

if TYPE_CHECKING:
    from loopback.interactions.interaction import Interaction
    from loopback.world.guilds import Channel, Member
    from loopback.world.users import User

ATTACHMENT_SIZE_LIMIT: Final = 10 * 1024 * 1024
"""Bytes a bot may upload in answer to an interaction, in a guild without boosts."""

_CONTEXT_GUILD: Final = 0
_CONTEXT_BOT_DM: Final = 1


def payload(interaction: Interaction, *, locale: str = "en-US") -> dict[str, Any]:
    """What the application gets over the gateway (developer documentation, "Interaction Object")."""
    channel, user, bot = interaction.channel, interaction.user, interaction.bot
    guild = channel.guild
    body: dict[str, Any] = {
        "id": str(interaction.id),
        "application_id": str(interaction.application_id),
        "type": int(interaction.kind),
        "token": interaction.token,
        "version": 1,
        "channel_id": str(channel.id),
        "channel": partial_channel(channel, user, viewer=bot),
        "data": interaction.data,
        "locale": locale,
        "entitlements": [],
        "app_permissions": str(int(in_channel(channel, bot))),
        "attachment_size_limit": ATTACHMENT_SIZE_LIMIT,
    }
    if interaction.source is not None:
        body["message"] = interaction.source.to_json()
    if guild is None:
        return body | {
            "user": user.to_json(),
            "context": _CONTEXT_BOT_DM,
            "authorizing_integration_owners": {"0": "0"},
        }
    return body | {
        "guild_id": str(guild.id),
        "guild": {"id": str(guild.id), "locale": "en-US", "features": []},
        "guild_locale": "en-US",
        "member": guild.members[user.id].to_json() | {"permissions": str(int(in_channel(channel, user)))},
        "context": _CONTEXT_GUILD,
        "authorizing_integration_owners": {"0": str(guild.id)},
    }


def partial_channel(channel: Channel, user: User, *, viewer: User) -> dict[str, Any]:
    """A channel with the permissions the invoking user has in it."""
    return channel.to_json(viewer) | {"permissions": str(int(in_channel(channel, user)))}


def partial_member(member: Member, channel: Channel) -> dict[str, Any]:
    """A member as `resolved` carries it: no user, no `deaf` and `mute`, but permissions."""
    fields = member.to_partial_json()
    del fields["deaf"], fields["mute"]
    return fields | {"permissions": str(int(in_channel(channel, member.user)))}

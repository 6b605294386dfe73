"""What a user may do in a guild and in a channel.

Source of the rules: Discord's developer documentation, "Permissions", section "Permission overwrites".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopback.world.permissions import ALL, NONE, Permission

if TYPE_CHECKING:
    from loopback.world.guilds import Channel, Guild
    from loopback.world.users import User


def in_guild(guild: Guild, user: User) -> Permission:
    """What the user may do in the guild before any channel's overwrites; nothing for somebody who is no member."""
    member = guild.members.get(user.id)
    if member is None:
        return NONE
    if guild.owner_id == user.id:
        return ALL
    granted = guild.everyone.permissions
    for role_id in member.role_ids:
        granted |= guild.roles[role_id].permissions
    return ALL if granted & Permission.ADMINISTRATOR else granted


def in_channel(channel: Channel, user: User) -> Permission:
    """What the user may do in the channel, overwrites applied; a thread follows its parent.

    Without VIEW_CHANNEL nothing is left, and without CONNECT nothing that needs a voice connection.
    """
    guild = channel.guild
    if guild is None:
        return ALL if user.id in channel.recipient_ids else NONE
    if channel.parent is not None and channel.is_thread:
        channel = channel.parent
    granted = in_guild(guild, user)
    if granted & Permission.ADMINISTRATOR:
        return granted
    member = guild.members.get(user.id)
    if member is None:
        return NONE
    everyone = channel.overwrites.get(guild.id)
    if everyone is not None:
        granted = (granted & ~everyone.deny) | everyone.allow
    of_roles = [channel.overwrites[role_id] for role_id in member.role_ids if role_id in channel.overwrites]
    for overwrite in of_roles:
        granted &= ~overwrite.deny
    for overwrite in of_roles:
        granted |= overwrite.allow
    own = channel.overwrites.get(user.id)
    if own is not None:
        granted = (granted & ~own.deny) | own.allow
    return granted if granted & Permission.VIEW_CHANNEL else NONE

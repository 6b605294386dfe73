"""A mark on the bot itself that everybody in the channel sees: on its nickname, or else on the channel's status."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import discord

from core.discord_limits import NICKNAME_LENGTH

if TYPE_CHECKING:
    from core.voice.checks import VoiceRoom

_log = logging.getLogger(__name__)

MARK = "🔴 "
STATUS = "🔴 Recording"


async def mark(channel: VoiceRoom, before: VoiceRoom | None = None) -> bool:
    """Show that `channel` is being recorded, and `before` no longer; whether Discord let us.

    A channel that the bot is not in gives back its status with “Manage Channels” only; else when everybody has left it.
    """
    me = channel.guild.me
    if me.display_name.startswith(MARK):
        return True
    if before is not None and before.id != channel.id:
        await _set_status(before, None)
    if len(MARK + me.display_name) <= NICKNAME_LENGTH and await _rename(me, MARK + me.display_name):
        return True
    return await _set_status(channel, STATUS)


async def unmark(guild: discord.Guild, channel: VoiceRoom | None) -> None:
    """Take the mark away from the nickname, where even a crash leaves it to be known, or else from `channel`."""
    me = guild.me
    if me.nick is not None and me.nick.startswith(MARK):
        plain = me.nick.removeprefix(MARK)
        await _rename(me, None if plain == (me.global_name or me.name) else plain)
    elif channel is not None:
        await _set_status(channel, None)


async def _rename(me: discord.Member, nick: str | None) -> bool:
    if not me.guild_permissions.change_nickname:
        return False
    try:
        await me.edit(nick=nick)
    except discord.HTTPException as error:
        _log.info("the nickname in guild %d stays: %s", me.guild.id, error)
        return False
    return True


async def _set_status(channel: VoiceRoom, status: str | None) -> bool:
    if not isinstance(channel, discord.VoiceChannel):
        return False
    try:
        await channel.edit(status=status)
    except discord.HTTPException as error:
        _log.info("the status of channel %d stays: %s", channel.id, error)
        return False
    return True

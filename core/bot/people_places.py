"""Where the bot reads along, and who may read there, as Discord's permissions are at this moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

if TYPE_CHECKING:
    from core.persona.people.channels import ObservedChannels


class ObservedPlaces:
    """Asks discord.py's cache, which hears of each change of a permission."""

    def __init__(self, bot: discord.Client, channels: ObservedChannels) -> None:
        self._bot = bot
        self._channels = channels

    def observed(self, guild_id: int) -> list[int]:
        """The channels of a server in which the bot reads along."""
        return self._channels.observed(guild_id)

    def is_open(self, guild_id: int, channel_id: int) -> bool:
        """Whether everybody on the server may read a channel; one that is not known, private or for adults is not open."""
        guild = self._bot.get_guild(guild_id)
        channel = guild.get_channel_or_thread(channel_id) if guild is not None else None
        if guild is None or channel is None or getattr(channel, "nsfw", False):
            return False
        if isinstance(channel, discord.Thread) and (channel.is_private() or channel.is_nsfw()):
            return False
        may = channel.permissions_for(guild.default_role)
        return may.view_channel and may.read_message_history

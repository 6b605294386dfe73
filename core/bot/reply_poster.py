"""Where a prompt is answered in Discord: as a reply to a message, or in a channel if there is none to reply to."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import discord

from core.bot.replies import NO_PINGS
from core.conversation.live_text import LiveText

if TYPE_CHECKING:
    from core.clock import Clock

_log = logging.getLogger(__name__)

NO_HISTORY = 160002  # Discord's code for: a reply needs the permission to read what it replies to


class ShownMessage:
    """A message of ours that is edited as the reply grows."""

    def __init__(self, message: discord.Message) -> None:
        self._message = message

    @property
    def id(self) -> int:
        """Its id."""
        return self._message.id

    async def edit(self, text: str) -> None:
        """Replace the text."""
        await self._message.edit(content=text, allowed_mentions=NO_PINGS)


class ChannelPoster:
    """Posts into a channel without pings; the first message answers another, if one is named, and later ones follow it."""

    def __init__(self, channel: discord.abc.Messageable, reply_to: discord.Message | None = None) -> None:
        self._channel = channel
        self._reply_to = reply_to

    async def post(self, text: str) -> ShownMessage:
        """Send a message.

        Raises:
            discord.HTTPException: Discord does not take it.
        """
        answered, self._reply_to = self._reply_to, None
        if answered is not None:
            return ShownMessage(await reply(answered, text))
        return ShownMessage(await self._channel.send(text, allowed_mentions=NO_PINGS, suppress_embeds=True))


class MessagePlace:
    """The `ReplyPlace` of a message that was written."""

    def __init__(self, message: discord.Message, clock: Clock, emoji: str) -> None:
        """Takes the message, time for calm edits, and the reaction that acknowledges it; empty for none."""
        self._message = message
        self._clock = clock
        self._emoji = emoji

    def sink(self) -> LiveText:
        """A reply to the message that grows in place."""
        return LiveText(ChannelPoster(self._message.channel, self._message), self._clock)

    async def tell(self, sentence: str) -> None:
        """Reply if Discord lets us."""
        await try_reply(self._message, sentence)

    async def acknowledge(self) -> None:
        """Put a reaction on the message."""
        if not self._emoji:
            return
        try:
            await self._message.add_reaction(self._emoji)
        except discord.HTTPException as error:  # no permission, or the message is gone: the reply still comes
            _log.info("a prompt could not be acknowledged: %s", error)


async def reply(message: discord.Message, text: str) -> discord.Message:
    """Answer a message without pinging anybody; if it is gone, or may not be read, write to its channel.

    Raises:
        discord.HTTPException: Discord does not take it.
    """
    reference = message.to_reference(fail_if_not_exists=False)
    try:
        return await message.channel.send(text, reference=reference, allowed_mentions=NO_PINGS, suppress_embeds=True)
    except discord.HTTPException as error:
        if error.code != NO_HISTORY:
            raise
    return await message.channel.send(text, allowed_mentions=NO_PINGS, suppress_embeds=True)


async def try_reply(message: discord.Message, text: str) -> discord.Message | None:
    """Answer a message as `reply` does; None if Discord does not let us: a bot sees many channels it may not write in."""
    try:
        return await reply(message, text)
    except discord.HTTPException as error:
        _log.info("message %d could not be answered: %s", message.id, error)
        return None

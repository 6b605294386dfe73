"""Stage channels: who comes to one sits in the audience, and is heard only once brought up to speak."""

from __future__ import annotations

import logging

import discord

from core.voice.checks import name_of

_log = logging.getLogger(__name__)

ASKED = "I sit in the audience of {channel} and have asked to speak: a moderator of the stage has to let me."
AUDIENCE = (
    "I sit in the audience of {channel}, where nobody hears me. A moderator of the stage has to invite me to speak, or my "
    "role needs “Request to Speak” or “Mute Members” there."
)
ON_STAGE = "I am on the stage now, and can be heard."
OFF_STAGE = "I was moved to the audience: nobody hears me until a moderator of the stage invites me to speak."


def in_audience(channel: discord.VoiceChannel | discord.StageChannel) -> bool:
    """Whether the bot sits in a stage's audience."""
    state = channel.guild.me.voice
    return isinstance(channel, discord.StageChannel) and state is not None and state.suppress


async def come_up(channel: discord.VoiceChannel | discord.StageChannel) -> str:
    """Come up to speak, or ask to; gives what people have to do, empty if the bot can be heard."""
    if not in_audience(channel):
        return ""
    me = channel.guild.me
    allowed = channel.permissions_for(me)
    try:
        if allowed.mute_members:  # a moderator of the stage
            await me.edit(suppress=False)
            return ""
        if allowed.request_to_speak:
            await me.request_to_speak()
            return ASKED.format(channel=name_of(channel))
    except discord.HTTPException as error:
        _log.warning("the stage %d lets us neither speak nor ask: %s", channel.id, error)
    return AUDIENCE.format(channel=name_of(channel))

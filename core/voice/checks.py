"""What is looked at before a voice channel is joined, so that a refusal says what to do."""

from __future__ import annotations

import discord

from core.errors import VoiceError

VoiceRoom = discord.VoiceChannel | discord.StageChannel

NO_VIEW = "I cannot see {channel}: my role needs “View Channel” there."
NO_CONNECT = "I may not join {channel}: my role needs “Connect” there."
NO_SPEAK = "I may join {channel} but not talk there: my role needs “Speak”."
FULL = "{channel} is full ({limit} people). Make room, raise its limit, or give my role “Move Members”."
UNSEEN = "But I cannot see {channel}, so I would not notice a prompt there: my role needs “View Channel”."
UNWRITABLE = "But I may not write in {channel}, so I can only speak: my role needs “{needed}” there."


def name_of(channel: discord.abc.GuildChannel) -> str:
    """A channel's name as it may be shown: clickable, and no markup of its own."""
    return channel.mention


def prompt_trouble(channel: object) -> str:
    """What keeps the bot from reading prompts in a channel or writing replies there, with what to do; empty if nothing."""
    if not isinstance(channel, discord.abc.GuildChannel | discord.Thread):
        return ""
    allowed = channel.permissions_for(channel.guild.me)
    if not allowed.view_channel:
        return UNSEEN.format(channel=channel.mention)
    in_thread = isinstance(channel, discord.Thread)
    if allowed.send_messages_in_threads if in_thread else allowed.send_messages:
        return ""
    needed = "Send Messages in Threads" if in_thread else "Send Messages"
    return UNWRITABLE.format(channel=channel.mention, needed=needed)


def require_access(channel: VoiceRoom) -> None:
    """Refuse a channel that the bot may not see, join or speak in, or that is full.

    Raises:
        VoiceError: With the missing permission, or the limit, and what to do about it.
    """
    me = channel.guild.me
    allowed = channel.permissions_for(me)
    for missing, sentence in ((not allowed.view_channel, NO_VIEW), (not allowed.connect, NO_CONNECT)):
        if missing:
            raise VoiceError(sentence.format(channel=name_of(channel)))
    if isinstance(channel, discord.VoiceChannel) and not allowed.speak:
        raise VoiceError(NO_SPEAK.format(channel=name_of(channel)))
    limit = channel.user_limit
    inside = me.id in channel.voice_states
    if limit and not inside and len(channel.voice_states) >= limit and not allowed.move_members:
        raise VoiceError(FULL.format(channel=name_of(channel), limit=limit))

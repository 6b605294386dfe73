"""Who may have something done at a time, and where: asked when it is added, and of Discord again whenever it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from core.bot.recording_rights import require_recording
from core.errors import RecordingError, ScheduleError
from core.schedule.firing import NotNow, Withdrawn
from core.voice.checks import VoiceRoom

if TYPE_CHECKING:
    from core.config.recording import RecordingSection
    from core.store.schedules import Schedule

Place = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread

NEEDED = "Only people with the permission “Manage Server” may do this."
NOT_THERE = "You may not write in {channel} yourself, so I do not do it for you."
I_MAY_NOT = "I may not {do} in {channel}: my role needs “{needed}” there."
NOT_RECORD = "Only who may record in {channel} may have it recorded."
NO_VOICE = "A recording needs a voice channel: name it as `channel`."

AWAY = "I do not see this server at the moment"
NOT_TOLD = "Discord did not tell me who added it"
GONE = "Whoever added it is not on this server any more."
LOST = "Whoever added it does not have the permission “Manage Server” any more."
LOST_PLACE = "Whoever added it may not write in {channel} any more."
LOST_RECORD = "Whoever added it may not record in {channel} any more."
NO_CHANNEL = "Its channel is gone. Remove it, and add it again for another channel."


def require_manager(user: discord.User | discord.Member) -> discord.Member:
    """The member who asks, if they may.

    Raises:
        ScheduleError: They may not manage this server.
    """
    if not isinstance(user, discord.Member) or not user.guild_permissions.manage_guild:
        raise ScheduleError(NEEDED)
    return user


def require_place(section: RecordingSection, member: discord.Member, kind: str, channel: object) -> Place:
    """The channel, if a member may have this done there, and the bot may do it.

    Raises:
        ScheduleError: One of both may not, with what is missing.
    """
    if not isinstance(channel, Place) or (kind == "record" and not isinstance(channel, VoiceRoom)):
        raise ScheduleError(NO_VOICE if kind == "record" else NO_CHANNEL)
    if not may_write(channel, member):
        raise ScheduleError(NOT_THERE.format(channel=channel.mention))
    if kind == "record" and not may_have_recorded(section, member, channel):
        raise ScheduleError(NOT_RECORD.format(channel=channel.mention))
    require_own(channel, picture=kind == "picture")
    return channel


def require_own(channel: Place, *, picture: bool = False) -> None:
    """Refuse a channel that the bot may not write in.

    Raises:
        ScheduleError: With the permission that is missing.
    """
    allowed = channel.permissions_for(channel.guild.me)
    write = "Send Messages in Threads" if isinstance(channel, discord.Thread) else "Send Messages"
    for missing, do, needed in (
        (not allowed.view_channel, "read", "View Channel"),
        (not _writes(channel, allowed), "write", write),
        (picture and not allowed.attach_files, "post pictures", "Attach Files"),
    ):
        if missing:
            raise ScheduleError(I_MAY_NOT.format(do=do, channel=channel.mention, needed=needed))


def may_write(channel: Place, member: discord.Member) -> bool:
    """Whether somebody may see a channel and write there."""
    allowed = channel.permissions_for(member)
    return allowed.view_channel and _writes(channel, allowed)


def may_have_recorded(section: RecordingSection, member: discord.Member, channel: Place) -> bool:
    """Whether somebody may record a channel."""
    try:
        require_recording(section, member, channel.id)
    except RecordingError:
        return False
    return True


async def still(bot: discord.Client, section: RecordingSection, schedule: Schedule) -> tuple[discord.Member, Place]:
    """Who added a schedule, and its channel, as Discord says now.

    Raises:
        Withdrawn: They left, lost the right, or the channel is gone.
        NotNow: Discord cannot be asked.
        ScheduleError: The bot may not write there.
    """
    guild = bot.get_guild(schedule.guild_id or 0)
    if guild is None or guild.unavailable:
        raise NotNow(AWAY)
    member = await _member(guild, schedule.added_by or 0)
    if not member.guild_permissions.manage_guild:
        raise Withdrawn(LOST)
    channel = await _channel(guild, schedule.channel_id or 0)
    if not may_write(channel, member):
        raise Withdrawn(LOST_PLACE.format(channel=channel.mention))
    if schedule.kind == "record" and not may_have_recorded(section, member, channel):
        raise Withdrawn(LOST_RECORD.format(channel=channel.mention))
    require_own(channel, picture=schedule.kind == "picture")
    return member, channel


async def _member(guild: discord.Guild, user_id: int) -> discord.Member:
    """Asked anew: without the intent for members nobody tells of roles that were taken away."""
    try:
        return await guild.fetch_member(user_id)
    except discord.NotFound as error:
        raise Withdrawn(GONE) from error
    except discord.HTTPException as error:
        raise NotNow(NOT_TOLD) from error


async def _channel(guild: discord.Guild, channel_id: int) -> Place:
    found = guild.get_channel_or_thread(channel_id)
    if found is None:  # a thread that was archived is not in memory
        try:
            found = await guild.fetch_channel(channel_id)
        except (discord.NotFound, discord.InvalidData) as error:
            raise Withdrawn(NO_CHANNEL) from error
        except discord.Forbidden as error:
            raise ScheduleError(I_MAY_NOT.format(do="read", channel="its channel", needed="View Channel")) from error
        except discord.HTTPException as error:
            raise NotNow(NOT_TOLD) from error
    if not isinstance(found, Place):
        raise Withdrawn(NO_CHANNEL)
    return found


def _writes(channel: Place, allowed: discord.Permissions) -> bool:
    return allowed.send_messages_in_threads if isinstance(channel, discord.Thread) else allowed.send_messages

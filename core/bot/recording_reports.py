"""How a recording ended, said to somebody: where it began, else in its channel's chat, else to a person with the right."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import discord

from core.bot.recording_rights import standings_of
from core.recording.rights import may_see

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from core.config.recording import RecordingSection
    from core.store.recordings import RecordingRecord

_log = logging.getLogger(__name__)


async def send_report(
    client: discord.Client, section: RecordingSection, record: RecordingRecord, text: str, picture: Path | None
) -> bool:
    """Send a report to the first place that takes it; whether there was one.

    Args:
        client: The bot.
        section: Who has the right.
        record: The recording.
        text: What to say. Of people, only who started it is pinged, if it names them first.
        picture: Who spoke when, if there is one.
    """
    pings = discord.AllowedMentions.none()
    if record.started_by is not None and text.startswith(f"<@{record.started_by}>"):
        pings = discord.AllowedMentions(users=[discord.Object(record.started_by)])
    async for place in _places(client, section, record):
        try:
            files = [] if picture is None else [await asyncio.to_thread(discord.File, picture)]
            await place.send(text, files=files, allowed_mentions=pings)
        except (discord.HTTPException, OSError) as error:
            _log.info("the report of recording %s is not taken in one place: %s", record.id, error)
        else:
            return True
    return False


async def _places(
    client: discord.Client, section: RecordingSection, record: RecordingRecord
) -> AsyncIterator[discord.abc.Messageable]:
    for channel_id in dict.fromkeys((record.report_channel_id, record.channel_id)):
        if channel_id is not None:
            yield client.get_partial_messageable(channel_id, guild_id=record.guild_id)
    guild = client.get_guild(record.guild_id)
    if guild is None:
        return
    for user_id in dict.fromkeys((record.started_by, guild.owner_id)):
        member = None if user_id is None else await _member(guild, user_id)
        if member is not None and may_see(section, *standings_of(member, record)):
            yield member


async def _member(guild: discord.Guild, user_id: int) -> discord.Member | None:
    try:
        return await guild.fetch_member(user_id)
    except discord.HTTPException as error:
        _log.info("a member is not found for a report: %s", error)
        return None

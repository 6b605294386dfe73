"""Rights to recordings as Discord knows them: looked up in the recorded channel, for every command, button and choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from core.errors import RecordingError
from core.recording.rights import UNKNOWN, Standing, may_anywhere, may_see, refusal, require_right

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.config.recording import RecordingSection
    from core.recording.archive import Archive
    from core.recording.live_recording import LiveRecording
    from core.store.recordings import RecordingRecord
    from core.voice.session import VoiceSession

LOST = "You may not see that recording any more, so nothing of it is sent to you."


def standing_of(member: discord.Member, channel_id: int) -> Standing:
    """What a member may do on their server and in one of its channels, which may be gone."""
    everywhere = member.guild_permissions
    channel = member.guild.get_channel(channel_id)
    here = None if channel is None else channel.permissions_for(member)
    return Standing(
        roles=frozenset(role.id for role in member.roles),
        manages_server=everywhere.manage_channels,
        views_server=everywhere.view_channel,
        manages_channel=here is not None and here.manage_channels,
        views_channel=here is not None and here.view_channel,
        channel_exists=here is not None,
    )


def standings_of(member: discord.Member, record: RecordingRecord) -> list[Standing]:
    """What a member may do in every channel of which a recording holds sound; never empty."""
    return [standing_of(member, channel_id) for channel_id in record.channel_ids]


def require_recording(section: RecordingSection, user: discord.User | discord.Member, *channel_ids: int) -> None:
    """Refuse who may record in none of these channels.

    Raises:
        RecordingError: With who may.
    """
    if not isinstance(user, discord.Member):
        raise refusal(section)
    found = [standing_of(user, channel_id) for channel_id in channel_ids]
    roles = [role.id for role in user.roles]
    require_right(section, roles, any(each.manages_server or each.manages_channel for each in found))


def require_recording_there(
    section: RecordingSection,
    user: discord.User | discord.Member,
    session: VoiceSession | None,
    live: LiveRecording | None,
    here: int | None = None,
) -> None:
    """Refuse who may not record where it is about: where a recording began or is, or would begin.

    Args:
        section: `[recording]`.
        user: Who wants it.
        session: The session on their server.
        live: The recording that runs there.
        here: The channel in which they ask, if they are in no voice channel.

    Raises:
        RecordingError: With who may.
    """
    voice = user.voice if isinstance(user, discord.Member) else None
    if session is None and live is None:
        about = here if voice is None or voice.channel is None else voice.channel.id
    else:
        about = None if session is None else session.channel.id
    ids = [about] if about is not None else []
    ids += [] if live is None else [live.record.channel_id]
    require_recording(section, user, *ids)


class RecordingRights:
    """Which of a server's recordings somebody may see."""

    def __init__(self, section: RecordingSection, archive: Archive) -> None:
        self._section = section
        self._archive = archive

    def visible(self, user: discord.User | discord.Member) -> list[RecordingRecord]:
        """The recordings of a member's server that they may see, newest first."""
        if not isinstance(user, discord.Member):
            return []
        records = self._archive.records(user.guild.id)
        channels = {channel_id for record in records for channel_id in record.channel_ids}
        seen = {channel for channel in channels if may_see(self._section, standing_of(user, channel))}
        return [record for record in records if seen.issuperset(record.channel_ids)]

    def listed(self, user: discord.User | discord.Member) -> list[RecordingRecord]:
        """The same, for who asks for them.

        Raises:
            RecordingError: There is none that they may see, and they have no right on the whole server either.
        """
        found = self.visible(user)
        if not found and not self._anywhere(user):
            raise refusal(self._section)
        return found

    def record(self, user: discord.User | discord.Member, recording_id: str) -> RecordingRecord:
        """The recording that a member chose.

        Raises:
            RecordingError: They may not see it. Of what lies in a channel that they do not see, they hear the same as
                of what does not exist.
        """
        found = self._archive.find(recording_id)
        if isinstance(user, discord.Member) and found is not None and found.guild_id == user.guild.id:
            standings = standings_of(user, found)
            if may_see(self._section, *standings):
                return found
            if all(standing.views for standing in standings):
                raise refusal(self._section)
        if self._anywhere(user):
            raise RecordingError(UNKNOWN)
        raise refusal(self._section)

    async def still(self, user: discord.User | discord.Member, records: Iterable[RecordingRecord]) -> None:
        """Ask Discord again, before something that took its time is handed out.

        Raises:
            RecordingError: They left, or the right was taken from them.
            discord.HTTPException: Discord does not say.
        """
        if not isinstance(user, discord.Member):
            raise RecordingError(LOST)
        try:
            now = await user.guild.fetch_member(user.id)
        except (discord.NotFound, discord.Forbidden) as error:  # they left, or the bot was removed
            raise RecordingError(LOST) from error
        if not all(may_see(self._section, *standings_of(now, record)) for record in records):
            raise RecordingError(LOST)

    def _anywhere(self, user: discord.User | discord.Member) -> bool:
        return isinstance(user, discord.Member) and may_anywhere(self._section, standing_of(user, 0))

"""Record a voice session: what a recording needs to know of it, handed over by the floor above both."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from core.recording.metadata import Encryption, Named

if TYPE_CHECKING:
    from core.recording.live import LiveRecording
    from core.recording.service import Recordings
    from core.voice.session import VoiceSession


async def record_session(
    recordings: Recordings,
    session: VoiceSession,
    *,
    started_by: Named | None = None,
    report_channel_id: int | None = None,
    automatic: bool = False,
) -> LiveRecording:
    """Record everybody in a voice session, until it ends or the recording is stopped.

    Args:
        recordings: `runtime.recordings`.
        session: The session.
        started_by: Who wanted it.
        report_channel_id: Where to say how it ended; the session's prompt channel by default.
        automatic: Whether nobody asked for it.

    Raises:
        RecordingError: This guild is being recorded already, or the recording's folder cannot be made.
    """
    guild = session.guild
    receiver = session.receiver
    before = {user_id: heard.undecryptable for user_id, heard in receiver.stats.users.items()}

    def name_of(user_id: int) -> str:
        member = guild.get_member(user_id)
        return str(user_id) if member is None else member.display_name

    def undecryptable() -> dict[int, dict[str, int]]:
        """What could not be decrypted since the recording began."""
        users = receiver.stats.users.items()
        return {user_id: dict(heard.undecryptable - before.get(user_id, Counter())) for user_id, heard in users}

    dave = session.client.dave
    return await recordings.start(
        receiver,
        guild=Named(id=str(guild.id), name=guild.name),
        channel=Named(id=str(session.channel.id), name=session.channel.name),
        name_of=name_of,
        started_by=started_by,
        session_id=session.id,
        report_channel_id=report_channel_id or session.prompt_channel_id or session.channel.id,
        encryption=Encryption(
            transport=dave.transport or "",
            end_to_end=f"DAVE {dave.protocol_version}" if dave.protocol_version else "",
        ),
        undecryptable=undecryptable,
        automatic=automatic,
    )

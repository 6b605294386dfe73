"""Record a voice session: what a recording needs to know of it, handed over by the floor above both."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from core.audio.frames import OpusFrame
from core.bot.recording_mark import MARK
from core.recording.metadata import Encryption, Named

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.recording.live_recording import LiveRecording
    from core.recording.service import Recordings
    from core.voice.playback.monitor import SentFrame
    from core.voice.playback.player import Player
    from core.voice.receive.missed import Missed
    from core.voice.session import VoiceSession


ENDED = "I left the voice channel."
_OWN_SSRC = 1  # any will do: it is a stream of its own


class OwnVoice:
    """What the bot says and plays, as a source of packets."""

    def __init__(self, player: Player, user_id: int) -> None:
        self._monitor, self._user_id = player.monitor, user_id

    def subscribe(self, callback: Callable[[OpusFrame], None], *, owner: object) -> None:
        """Call `callback` for every frame that goes out, on the player's thread."""

        def sent(frame: SentFrame) -> None:
            place = (frame.timestamp, frame.sequence, frame.sent_s)
            callback(OpusFrame(self._user_id, _OWN_SSRC, *place, frame.opus, frame.said_for))

        self._monitor.subscribe(sent, owner=owner)

    def drop(self, owner: object) -> None:
        """End the subscriptions of `owner`."""
        self._monitor.drop(owner)


async def record_session(
    recordings: Recordings,
    session: VoiceSession,
    *,
    started_by: Named | None = None,
    report_channel_id: int | None = None,
    automatic: bool = False,
) -> LiveRecording:
    """Record everybody in a voice session, and the bot itself, until it ends or the recording is stopped.

    Args:
        recordings: `runtime.recordings`.
        session: The session.
        started_by: Who wanted it.
        report_channel_id: Where to say how it ended; the session's prompt channel by default.
        automatic: Whether nobody asked for it.

    Raises:
        RecordingError: This guild is being recorded already, or the recording's folder cannot be made.
    """
    client = session.client
    receiver = session.receiver
    began_s = time.monotonic()
    before = {user_id: heard.undecryptable for user_id, heard in receiver.stats.users.items()}

    def name_of(user_id: int) -> str:
        member = session.guild.get_member(user_id)
        return str(user_id) if member is None else member.display_name.removeprefix(MARK)

    def channel_name(channel_id: int) -> str:
        channel = session.guild.get_channel(channel_id)
        return str(channel_id) if channel is None else channel.name

    def undecryptable() -> dict[int, dict[str, int]]:
        """What could not be decrypted since the recording began."""
        users = receiver.stats.users.items()
        return {user_id: dict(heard.undecryptable - before.get(user_id, Counter())) for user_id, heard in users}

    def missed() -> dict[int, list[Missed]]:
        return receiver.missed(began_s)

    def encryption() -> Encryption | None:
        """How packets come; while the connection is away, nobody can tell."""
        dave = client.dave
        if not client.is_connected() or not dave.transport:
            return None
        return Encryption(
            transport=dave.transport, end_to_end=f"DAVE {dave.protocol_version}" if dave.protocol_version else ""
        )

    guild = session.guild
    live = await recordings.start(
        receiver,
        guild=Named(id=str(guild.id), name=guild.name),
        channel=Named(id=str(session.channel.id), name=session.channel.name),
        name_of=name_of,
        started_by=started_by,
        session_id=session.id,
        report_channel_id=report_channel_id or session.prompt_channel_id or session.channel.id,
        own_voice=(guild.me.id, OwnVoice(session.player, guild.me.id)),
        encryption=encryption,
        undecryptable=undecryptable,
        missed=missed,
        automatic=automatic,
        channel_name=channel_name,
    )
    live.recorder.impaired(deafened=session.deafened, silenced=session.silenced)
    for member in session.channel.members:
        live.recorder.introduce(member.id, name_of(member.id))
    if (
        session.channel.id not in live.record.channel_ids
    ):  # meanwhile: that was told before this recording could hear it
        await recordings.moved(live, session.channel.id)
    if session.ended.is_set():  # meanwhile: its end was told before this recording could hear of it
        await recordings.stop(guild.id, ENDED)
    return live

"""Record a voice session: what a recording needs to know of it, handed over by the floor above both."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from core.audio.frames import OpusFrame
from core.bot.recording_mark import MARK
from core.handles import Handle
from core.recording.metadata import Encryption, Named
from core.recording.source import RecordingSource

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


class SessionFrames(RecordingSource):
    """A voice session as something to record, from now on: everybody in it, and the bot itself."""

    def __init__(self, session: VoiceSession) -> None:
        guild, channel = session.guild, session.channel
        super().__init__(Named(id=str(guild.id), name=guild.name), Named(id=str(channel.id), name=channel.name))
        self.session_id = session.id
        self.own_id = guild.me.id
        self._session = session
        self._began_s = time.monotonic()
        self._before = {user_id: found.undecryptable for user_id, found in session.receiver.stats.users.items()}

    def subscribe(self, callback: Callable[[OpusFrame], None], *, own_voice: bool) -> Handle:
        """Call `callback` for every packet on the receive thread; with `own_voice`, for every sent frame on the player's."""
        handles = [self._session.receiver.subscribe(callback)]
        if own_voice:
            handles.append(subscribe_to_own_voice(self._session.player, self._session.guild.me.id, callback))
        return Handle(lambda: [handle.end() for handle in handles], f"frames of session {self.session_id}")

    def name_of(self, user_id: int) -> str:
        """A member's name, without the mark that they are being recorded."""
        member = self._session.guild.get_member(user_id)
        return str(user_id) if member is None else member.display_name.removeprefix(MARK)

    def channel_name(self, channel_id: int) -> str:
        """A channel's name."""
        channel = self._session.guild.get_channel(channel_id)
        return str(channel_id) if channel is None else channel.name

    def encryption(self) -> Encryption | None:
        """How packets come; while the connection is away, nobody can tell."""
        client = self._session.client
        dave = client.dave
        if not client.is_connected() or not dave.transport:
            return None
        return Encryption(
            transport=dave.transport, end_to_end=f"DAVE {dave.protocol_version}" if dave.protocol_version else ""
        )

    def undecryptable(self) -> dict[int, dict[str, int]]:
        """What could not be decrypted since the recording began."""
        users = self._session.receiver.stats.users.items()
        return {user_id: dict(found.undecryptable - self._before.get(user_id, Counter())) for user_id, found in users}

    def missed(self) -> dict[int, list[Missed]]:
        """When that was."""
        return self._session.receiver.missed(self._began_s)


def subscribe_to_own_voice(player: Player, user_id: int, callback: Callable[[OpusFrame], None]) -> Handle:
    """Call `callback` for every frame that goes out, on the player's thread, as if it came from `user_id`."""

    def sent(frame: SentFrame) -> None:
        place = (frame.timestamp, frame.sequence, frame.sent_s)
        callback(OpusFrame(user_id, _OWN_SSRC, *place, frame.opus, frame.said_for))

    return player.monitor.subscribe(sent)


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
    source = SessionFrames(session)
    live = await recordings.start(
        source,
        started_by=started_by,
        report_channel_id=report_channel_id or session.prompt_channel_id or session.channel.id,
        automatic=automatic,
    )
    live.recorder.log.impaired(deafened=session.deafened, silenced=session.silenced)
    for member in session.channel.members:
        live.recorder.called.introduce(member.id, source.name_of(member.id))
    if session.channel.id not in live.record.channel_ids:  # meanwhile: told before this recording could hear of it
        await recordings.moved(live, session.channel.id)
    if session.ended.is_set():  # meanwhile: its end was told before this recording could hear of it
        await recordings.stop(session.guild.id, ENDED)
    return live

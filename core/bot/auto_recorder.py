"""Monitored channels: recorded by themselves while enough people are there, as soon as the bot is free for it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from core.errors import ParleyError
from core.events import RecordingStopped, SessionEnded, SessionStarted
from core.tasks import Tasks
from core.voice.checks import VoiceRoom
from core.voice.service import LOST

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from core.bot.runtime import Runtime
    from core.recording.live_recording import LiveRecording
    from core.voice.session import VoiceSession

_log = logging.getLogger(__name__)

TOO_FEW = "Too few people were left."
_NOBODYS_WISH = (LOST, TOO_FEW)


class AutoRecorder:
    """Looks at a monitored channel when somebody comes or goes, and at all of them when the bot becomes free."""

    def __init__(self, runtime: Runtime, begin: Callable[[VoiceSession], Awaitable[None]]) -> None:
        """Watch until `close`.

        Args:
            runtime: Where sessions and recordings are.
            begin: Records a session, announced; a `ParleyError` if that cannot be.
        """
        self._runtime = runtime
        self._begin = begin
        self._rules = runtime.recordings.auto
        self._acting: set[int] = set()  # channels on which something is being done
        self._tasks = Tasks("monitored channels")
        self._handles = (
            runtime.hub.subscribe(SessionStarted, self._on_started, owner=self),
            runtime.hub.subscribe(SessionEnded, self._on_ended, owner=self),
            runtime.hub.subscribe(RecordingStopped, self._on_ended, owner=self),
        )

    async def close(self) -> None:
        """Look no more; recordings go on."""
        for handle in self._handles:
            handle.end()
        await self._tasks.cancel_all()

    def look(self, channel_id: int) -> None:
        """Look at a channel. While something is being done about it already, that looks again by itself."""
        if channel_id in self._rules.channels and channel_id not in self._acting:
            self._tasks.start(self._watch(channel_id), f"channel {channel_id}", replace=True)

    def look_everywhere(self) -> None:
        """Look at every monitored channel."""
        for channel_id in self._rules.channels:
            self.look(channel_id)

    def declined(self, live: LiveRecording) -> None:
        """Somebody stops this recording by hand: where it began and where it is, none begins before the people went."""
        session = self._runtime.voice.session(live.record.guild_id)
        self._decline(live.record.channel_id)
        if session is not None:
            self._decline(session.channel.id)

    def _decline(self, channel_id: int) -> None:
        channel = self._channel(channel_id)
        self._rules.declined(channel_id, 0 if channel is None else _people(channel))

    def _on_started(self, event: SessionStarted) -> None:
        """Nobody asked for that session: it may have been on its way here when this channel was looked at."""
        if event.started_by is None:
            self.look(event.channel_id)

    def _on_ended(self, event: SessionEnded | RecordingStopped) -> None:
        """The bot is free, if its session is over too; where it was sent away, it does not come back by itself."""
        if self._runtime.voice.session(event.guild_id) is None:
            if event.reason not in _NOBODYS_WISH:
                self._decline(event.channel_id)
            self.look_everywhere()

    async def _watch(self, channel_id: int) -> None:
        """Do what the rules for a channel say, now and once more when patience has run out."""
        for wait_s in (0.0, self._rules.wait_s + 0.1):
            await asyncio.sleep(wait_s)
            while await self._act(channel_id):
                continue  # people came and went meanwhile

    async def _act(self, channel_id: int) -> bool:
        """Start or stop; whether that was done."""
        channel = self._channel(channel_id)
        if channel is None:
            return False
        session = self._runtime.voice.session(channel.guild.id)
        live = self._runtime.recordings.live(channel.guild.id)
        ours = live is not None and live.automatic and live.record.channel_id == channel_id
        decision = self._rules.decide(channel_id, _people(channel), ours, self._runtime.clock.monotonic())
        if decision == "keep":
            return False
        if decision == "start" and (live is not None or (session is not None and session.channel.id != channel_id)):
            return False  # busy in this server; the end of that gives another look
        self._acting.add(channel_id)
        try:
            return await (self._start(channel) if decision == "start" else self._stop(channel))
        finally:
            self._acting.discard(channel_id)

    async def _start(self, channel: VoiceRoom) -> bool:
        voice, guild_id = self._runtime.voice, channel.guild.id
        session = before = voice.session(guild_id)
        try:
            session = session or await voice.join(channel)
        except ParleyError as error:  # busy elsewhere, perhaps: the end of that, or the next person, gives another look
            _log.info("monitored channel %d is not joined: %s", channel.id, error.sentence, exc_info=error.__cause__)
            return False
        try:
            await self._begin(session)
        except ParleyError as error:
            _log.warning(
                "monitored channel %d is not recorded: %s", channel.id, error.sentence, exc_info=error.__cause__
            )
            self._decline(channel.id)
            if before is None and self._runtime.recordings.live(guild_id) is None:
                await voice.leave(guild_id)
            return False
        return True

    async def _stop(self, channel: VoiceRoom) -> bool:
        voice, guild_id = self._runtime.voice, channel.guild.id
        session = voice.session(guild_id)
        await self._runtime.recordings.stop(guild_id, TOO_FEW)
        joined = session is not None and session.started_by is None
        stays = channel.id in self._runtime.config.voice.auto_join
        if joined and not stays and voice.session(guild_id) is session:
            await voice.leave(guild_id, TOO_FEW)
        return True

    def _channel(self, channel_id: int) -> VoiceRoom | None:
        channel = self._runtime.bot.get_channel(channel_id)
        return channel if isinstance(channel, VoiceRoom) else None


def _people(channel: VoiceRoom) -> int:
    """How many are in a channel; bots do not count."""
    return sum(not member.bot for member in channel.members)

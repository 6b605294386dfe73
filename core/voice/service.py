"""Voice sessions of a bot: join, leave, and everything Discord does to them in between."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import discord

from core.errors import ParleyError, VoiceError
from core.events import SessionEnded, SessionStarted
from core.tasks import Tasks
from core.voice.checks import VoiceRoom, name_of, require_access
from core.voice.presence import Presence
from core.voice.session import Connection, VoiceSession

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from core.clock import Clock
    from core.config.voice import VoiceSection
    from core.hub import Hub
    from core.speech.speaker import Speaker
    from core.store.settings import SettingsRepository
    from core.voice.client import ParleyVoiceClient

_log = logging.getLogger(__name__)

ALREADY_HERE = "I am already in {channel}. Use `/voice leave` there first."
BUSY = "I am busy in a voice channel of another server, and only {limit} session(s) may run at once. Try again later."
NO_ANSWER = "Discord did not let me into {channel} within {timeout:.0f} s. Check my permissions there and try again."
KICKED = "I was disconnected from the voice channel."
DELETED = "The voice channel was deleted."
ALONE = "Everybody left."
LOST = "The voice connection was lost and did not come back."


class SessionGate(Protocol):
    """Somebody who must act before a session starts and after it ended; the lockdown does."""

    async def engage(self, session_id: str, *, guild_id: int, channel_id: int) -> None:
        """Get ready; raising ParleyError refuses the session, with everything undone."""
        ...

    async def release(self, session_id: str) -> None:
        """Undo, however the session ended."""
        ...


class VoiceService:
    """Every voice session of this process. Lives on the runtime; cogs come and go."""

    def __init__(
        self,
        bot: discord.Client,
        section: VoiceSection,
        hub: Hub,
        clock: Clock,
        settings: SettingsRepository,
        make_speaker: Callable[[], Speaker],
    ) -> None:
        self.bot = bot
        self.presence = Presence(hub)
        self.gates: list[SessionGate] = []
        self._section = section
        self._hub = hub
        self._clock = clock
        self._settings = settings
        self._make_speaker = make_speaker
        self._sessions: dict[int, VoiceSession] = {}
        self._starting: set[int] = set()
        self._ending: dict[int, asyncio.Task[None]] = {}
        self._tasks = Tasks("voice")

    # What there is ----------------------------------------------------------------------------------------------------

    @property
    def sessions(self) -> Sequence[VoiceSession]:
        """The sessions that run."""
        return tuple(self._sessions.values())

    def session(self, guild_id: int) -> VoiceSession | None:
        """The session of a guild."""
        return self._sessions.get(guild_id)

    def require(self, guild_id: int) -> VoiceSession:
        """The session of a guild.

        Raises:
            VoiceError: There is none.
        """
        session = self._sessions.get(guild_id)
        if session is None:
            raise VoiceError("I am in no voice channel here. Use `/voice join` first.")
        return session

    def session_of_prompt_channel(self, channel_id: int) -> VoiceSession | None:
        """The session whose prompts come from this text channel, or from the chat of its voice channel."""
        for session in self._sessions.values():
            if channel_id in (session.prompt_channel_id, session.channel.id):
                return session
        return None

    # Join and leave ---------------------------------------------------------------------------------------------------

    async def join(
        self,
        channel: VoiceRoom,
        *,
        prompt_channel: discord.abc.Messageable | None = None,
        started_by: int | None = None,
    ) -> VoiceSession:
        """Start a session in `channel`; a session of the same guild in another channel is refused.

        Args:
            channel: The voice or stage channel.
            prompt_channel: Where prompts are typed and notices appear; the voice channel's own chat by default.
            started_by: Id of the person who asked.

        Raises:
            VoiceError: A session is active, a permission is missing, the channel is full, or Discord does not answer.
            SpeechError: The speech engine is not to be had.
        """
        guild_id = channel.guild.id
        self._require_free(guild_id)
        require_access(channel)
        self._starting.add(guild_id)
        try:
            session = await self._start(channel, prompt_channel or channel, started_by)
        finally:
            self._starting.discard(guild_id)
        return session

    async def leave(self, guild_id: int, reason: str = "I was asked to leave.") -> None:
        """End the session of a guild and wait until everything is undone.

        Raises:
            VoiceError: There is none.
        """
        session = self.require(guild_id)
        await asyncio.shield(self._end(session, reason))

    async def set_volume(self, session: VoiceSession, volume: float) -> None:
        """Set a session's volume (1 is as the engine gives it) and keep it for the guild."""
        session.player.volume = volume
        kept = await self._settings.guild(session.guild.id)
        await self._settings.save_guild(replace(kept, volume=volume))

    async def close(self) -> None:
        """End every session."""
        for session in self.sessions:
            await asyncio.shield(self._end(session, "I am shutting down."))
        await self._tasks.cancel_all()

    def _require_free(self, guild_id: int) -> None:
        there = self._sessions.get(guild_id)
        if there is not None:
            raise VoiceError(ALREADY_HERE.format(channel=name_of(there.channel)))
        if guild_id in self._starting:
            raise VoiceError("I am already on my way into a voice channel here.")
        if len(self._sessions) + len(self._starting) >= self._section.max_sessions:
            raise VoiceError(BUSY.format(limit=self._section.max_sessions))

    async def _start(
        self, channel: VoiceRoom, prompt_channel: discord.abc.Messageable, started_by: int | None
    ) -> VoiceSession:
        """Engine, gates, connection, in this order; what was done is undone when a later step fails."""
        from core.voice.receive.speaking import SpeakingDetector

        session_id = VoiceSession.new_id()
        undo: list[Callable[[], Awaitable[None]]] = []
        try:
            speaker = self._make_speaker()
            undo.append(speaker.close)
            await speaker.open()
            for gate in self.gates:
                await gate.engage(session_id, guild_id=channel.guild.id, channel_id=channel.id)
                undo.append(lambda gate=gate: gate.release(session_id))
            client = await self._connect(channel)
            undo.append(lambda: client.disconnect(force=True))
            kept = await self._settings.guild(channel.guild.id)
            client.player.volume = self._section.volume if kept.volume is None else kept.volume
            speaking = SpeakingDetector(
                self._hub,
                channel.guild.id,
                lambda: client.channel.id,
                silence_s=self._section.speaking_silence_ms / 1000,
            )
            client.receiver.subscribe(speaking.heard, owner=speaking)
            speaking.start()
        except BaseException:
            await self._undo(undo)
            raise
        session = VoiceSession(
            channel,
            Connection(client, speaker, speaking),
            prompt_channel=prompt_channel,
            started_by=started_by,
            hub=self._hub,
            clock=self._clock,
            session_id=session_id,
        )
        self._sessions[channel.guild.id] = session
        session.watch(lambda: self._lost(session))
        self._hub.publish(
            SessionStarted(
                channel.guild.id, session.id, channel.id, session.prompt_channel_id, started_by, session.started_at
            )
        )
        _log.info("session %s started in channel %d of guild %d", session.id, channel.id, channel.guild.id)
        self._mind_company(session)
        return session

    async def _connect(self, channel: VoiceRoom) -> ParleyVoiceClient:
        from core.voice.client import ParleyVoiceClient

        stray = channel.guild.voice_client
        if stray is not None:  # a host's own music player, or a connection left by a crash of discord.py's
            raise VoiceError("Another part of this bot is already in a voice channel here. It has to leave first.")
        timeout_s = self._section.connect_timeout_s
        try:
            return await channel.connect(cls=ParleyVoiceClient, timeout=timeout_s, self_deaf=False)
        except TimeoutError as error:
            raise VoiceError(NO_ANSWER.format(channel=name_of(channel), timeout=timeout_s)) from error
        except (discord.ClientException, discord.ConnectionClosed, OSError) as error:
            raise VoiceError(f"I could not join {name_of(channel)}. Please try again.") from error

    async def _undo(self, steps: list[Callable[[], Awaitable[None]]]) -> None:
        for step in reversed(steps):
            try:
                await step()
            except (discord.DiscordException, ParleyError, OSError, TimeoutError):
                _log.warning("undoing a session's start failed half way", exc_info=True)

    async def _end(self, session: VoiceSession, reason: str) -> None:
        """End a session once, whoever asks and however often."""
        guild_id = session.guild.id
        running = self._ending.get(guild_id)
        if running is None:
            running = self._ending[guild_id] = self._tasks.start(self._end_once(session, reason), f"end {session.id}")
        await asyncio.shield(running)

    async def _end_once(self, session: VoiceSession, reason: str) -> None:
        guild_id = session.guild.id
        try:
            self._tasks.cancel(f"alone {session.id}")
            await session.close()
            for gate in reversed(self.gates):
                try:
                    await gate.release(session.id)
                except ParleyError:
                    _log.exception("session %s: %r could not be released", session.id, gate)
        finally:
            self._sessions.pop(guild_id, None)
            self._ending.pop(guild_id, None)
            self._hub.publish(
                SessionEnded(
                    guild_id, session.id, session.channel.id, session.prompt_channel_id, reason, self._clock.now()
                )
            )
            _log.info("session %s ended: %s", session.id, reason)

    def _end_later(self, session: VoiceSession, reason: str) -> None:
        """End from a listener, and say why in the prompt channel."""

        async def end() -> None:
            await self._end(session, reason)
            await session.notice(f"{reason} The voice session is over.")

        self._tasks.start(end(), f"farewell {session.id}")

    def _lost(self, session: VoiceSession) -> None:
        self._end_later(session, LOST)

    # What Discord does ------------------------------------------------------------------------------------------------

    def listeners(self) -> dict[str, Callable[..., Awaitable[None]]]:
        """What the runtime attaches to the bot, by discord.py's event name."""
        return {
            "on_voice_state_update": self._on_voice_state_update,
            "on_guild_channel_delete": self._on_guild_channel_delete,
            "on_guild_remove": self._on_guild_remove,
            "on_ready": self._on_ready,
        }

    async def _on_voice_state_update(
        self, member: discord.Member, before: discord.VoiceState, after: discord.VoiceState
    ) -> None:
        session = self._sessions.get(member.guild.id)
        if self.bot.user is None or member.id != self.bot.user.id:
            self.presence.changed(member, before, after)
            if session is not None:
                self._mind_company(session)
            return
        if session is None or session.ended.is_set():
            return
        if after.channel is None:
            self._tasks.after(0.3, lambda: self._was_removed(session), f"removed {session.id}")
        elif after.channel.id != session.channel.id:
            await session.moved(after.channel)
            self._mind_company(session)

    async def _was_removed(self, session: VoiceSession) -> None:
        """The bot's voice state went away; after a moment it is known whether the channel went with it."""
        me = session.guild.me
        if session.ended.is_set() or (me.voice is not None and me.voice.channel is not None):
            return
        gone = session.guild.get_channel(session.channel.id) is None
        self._end_later(session, DELETED if gone else KICKED)

    async def _on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        session = self._sessions.get(channel.guild.id)
        if session is None:
            return
        if channel.id == session.channel.id:
            self._end_later(session, DELETED)
        elif channel.id == session.prompt_channel_id:
            session.prompt_channel = session.channel

    async def _on_guild_remove(self, guild: discord.Guild) -> None:
        session = self._sessions.get(guild.id)
        if session is not None:
            await self._end(session, "I was removed from the server.")

    async def _on_ready(self) -> None:
        """After a new gateway session Discord has forgotten the voice states; configured channels are joined."""
        for session in self.sessions:
            if session.guild.me.voice is None or session.guild.me.voice.channel is None:
                await session.rejoin()
        for channel_id in self._section.auto_join:
            channel = self.bot.get_channel(channel_id)
            if not isinstance(channel, discord.VoiceChannel | discord.StageChannel):
                _log.warning("[voice] auto_join: %d is no voice channel that I can see", channel_id)
                continue
            if channel.guild.id in self._sessions or channel.guild.id in self._starting:
                continue
            try:
                await self.join(channel)
            except ParleyError as error:
                _log.warning("[voice] auto_join of %d failed: %s", channel_id, error.sentence, exc_info=error.__cause__)

    def _mind_company(self, session: VoiceSession) -> None:
        """Leave when only bots are left, after the configured while; somebody who comes back stops that."""
        name = f"alone {session.id}"
        wait_s = self._section.leave_when_alone_s
        company = any(not member.bot for member in session.channel.members)
        if company or not wait_s or session.channel.id in self._section.auto_join:
            self._tasks.cancel(name)
        elif not self._tasks.running(name):

            async def leave() -> None:
                self._end_later(session, ALONE)

            self._tasks.after(wait_s, leave, name)

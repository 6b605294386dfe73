"""Voice sessions of a bot: join, leave, and everything Discord does to them in between."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import discord

from core.discord_limits import MESSAGE_LIMIT
from core.errors import ParleyError, VoiceError
from core.events import SessionEnded, SessionStarted
from core.handles import Handle
from core.tasks import Tasks
from core.voice.checks import VoiceRoom, name_of, require_access
from core.voice.joining import SessionGate, SessionOpener
from core.voice.presence import Presence, Present
from core.voice.session import VoiceSession
from core.voice.stage import OFF_STAGE, ON_STAGE, come_up

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from core.clock import Clock
    from core.config.voice import VoiceSection
    from core.hub import Hub
    from core.speech.speaker import Speaker
    from core.store.settings import SettingsRepository
    from core.voice.session import MakeDeck

_log = logging.getLogger(__name__)

ALREADY_HERE = "I am already in {channel}. Use `/voice leave` there first."
BUSY = "I am busy in a voice channel of another server, and only {limit} session(s) may run at once. Try again later."
ON_MY_WAY = "I am already on my way into a voice channel here."
CLOSING = "I am shutting down."
TOO_LONG = f"A message has {MESSAGE_LIMIT} characters at most."
KICKED = "I was disconnected from the voice channel."
DELETED = "The voice channel was deleted."
ALONE = "Everybody left."
LOST = "The voice connection was lost and did not come back."
PROMPTS_HERE = "The prompt channel was deleted; from now on I take prompts here."
MUTED = "A moderator muted me: nobody hears me until that is undone."
SUPPRESSED = "I may not speak in this channel any more: nobody hears me until my role has “Speak” again."
UNSUPPRESSED = "I may speak in this channel again."
UNMUTED = "I am no longer muted."


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
        make_deck: MakeDeck | None = None,
    ) -> None:
        self.bot = bot
        self.presence = Presence(hub)
        self._gates: list[SessionGate] = []
        self._section = section
        self._hub = hub
        self._clock = clock
        self._settings = settings
        self._opener = SessionOpener(bot, section, hub, settings, make_speaker, self._gates, make_deck)
        self._sessions: dict[int, VoiceSession] = {}
        self._starting: dict[int, asyncio.Task[VoiceSession | ParleyError]] = {}
        self._closed = False
        self._auto_joined = False
        self._ending: dict[int, asyncio.Task[None]] = {}
        self._tasks = Tasks("voice")

    # What there is ----------------------------------------------------------------------------------------------------

    def add_gate(self, gate: SessionGate, *, first: bool = False) -> Handle:
        """Have each session pass `gate` before it begins, behind the gates there are; `first`: before them."""
        self._gates.insert(0 if first else len(self._gates), gate)
        return Handle(lambda: self._gates.remove(gate), f"gate {type(gate).__name__}")

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

    def connected_users(self, guild_id: int) -> list[Present]:
        """Who is in the session's voice channel, the bot left out.

        Raises:
            VoiceError: There is no session.
        """
        session = self.require(guild_id)
        return [present for present in self.presence.people(session.channel) if present.user_id != session.guild.me.id]

    def speaking_users(self, guild_id: int) -> set[int]:
        """Ids of the people who are really speaking now, as their packets tell.

        Raises:
            VoiceError: There is no session.
        """
        return self.require(guild_id).speaking.speaking_users()

    async def send_message(self, guild_id: int, text: str) -> discord.Message:
        """Write into the session's prompt channel; nobody is pinged.

        Raises:
            VoiceError: There is no session, the text is too long, or Discord does not let us write there.
        """
        session = self.require(guild_id)
        if len(text) > MESSAGE_LIMIT:
            raise VoiceError(TOO_LONG)
        prompt_channel = session.prompt_channel or session.channel
        try:
            return await prompt_channel.send(text, allowed_mentions=discord.AllowedMentions.none())
        except discord.HTTPException as error:
            raise VoiceError("I could not write into the prompt channel. Check my permissions there.") from error

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
        ending = self._ending.get(guild_id)
        if ending is not None:
            await asyncio.shield(ending)
        self._require_free(guild_id)
        require_access(channel)
        start = self._start(channel, prompt_channel or channel, started_by)
        self._starting[guild_id] = self._tasks.start(start, f"join {guild_id}")
        try:
            outcome = await self._starting[guild_id]
        finally:
            self._starting.pop(guild_id, None)
        if isinstance(outcome, ParleyError):
            raise outcome
        return outcome

    async def leave(self, guild_id: int, reason: str = "I was asked to leave.") -> None:
        """End the session of a guild and wait until everything is undone.

        Raises:
            VoiceError: There is none.
        """
        session = self.require(guild_id)
        await self._end(session, reason)

    async def set_volume(self, session: VoiceSession, volume: float) -> None:
        """Set a session's volume (1 is as the engine gives it) and keep it for the guild."""
        session.player.volume = volume
        kept = await self._settings.guild(session.guild.id)
        await self._settings.save_guild(replace(kept, volume=volume))

    async def close(self) -> None:
        """End every session, and every join that is under way."""
        self._closed = True
        joins = list(self._starting.values())
        for join in joins:
            join.cancel()
        if joins:
            await asyncio.wait(joins)
        await asyncio.gather(*(self._end(session, CLOSING) for session in self.sessions))
        await self._tasks.cancel_all()

    def _require_free(self, guild_id: int) -> None:
        if self._closed:
            raise VoiceError(CLOSING)
        there = self._sessions.get(guild_id)
        if there is not None:
            raise VoiceError(ALREADY_HERE.format(channel=name_of(there.channel)))
        if guild_id in self._starting:
            raise VoiceError(ON_MY_WAY)
        if len(self._sessions) + len(self._starting) >= self._section.max_sessions:
            raise VoiceError(BUSY.format(limit=self._section.max_sessions))

    async def _start(
        self, channel: VoiceRoom, prompt_channel: discord.abc.Messageable, started_by: int | None
    ) -> VoiceSession | ParleyError:
        """A session, or why there is none: a refusal is no failure of the task that this is."""
        guild_id = channel.guild.id
        try:
            arrived = await self._opener.open(channel)
        except ParleyError as error:
            return error
        self._starting.pop(guild_id, None)
        session = self._sessions[guild_id] = VoiceSession(
            channel,
            arrived.connection,
            prompt_channel=prompt_channel,
            started_by=started_by,
            hub=self._hub,
            clock=self._clock,
            session_id=arrived.session_id,
        )
        session.watch(lambda: self._lost(session))
        self._hub.publish(
            SessionStarted(guild_id, session.id, channel.id, session.prompt_channel_id, started_by, session.started_at)
        )
        _log.info("session %s started in channel %d of guild %d", session.id, channel.id, guild_id)
        self._mind_company(session)
        self._mind_stage(session)
        if (state := channel.guild.me.voice) is not None:
            session.impaired(state)
        return session

    def _end(self, session: VoiceSession, reason: str) -> Awaitable[None]:
        """End a session once, whoever asks and however often; what is given may be waited for."""
        guild_id = session.guild.id
        running = self._ending.get(guild_id)
        if running is None:
            running = self._ending[guild_id] = self._tasks.start(self._end_once(session, reason), f"end {session.id}")
        return asyncio.shield(running)

    async def _end_once(self, session: VoiceSession, reason: str) -> None:
        guild_id = session.guild.id
        try:
            self._tasks.cancel(f"alone {session.id}")
            await session.close()
            for gate in reversed(tuple(self._gates)):
                try:
                    await gate.release(session.id)
                except Exception:  # noqa: BLE001 - the other gates must open too; the log has the cause
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
        if not session.client.removed:
            reason = LOST
        elif session.guild.get_channel(session.channel.id) is None:
            reason = DELETED
        else:
            reason = KICKED
        self._end_later(session, reason)

    # What Discord does ------------------------------------------------------------------------------------------------

    def listeners(self) -> dict[str, Callable[..., Awaitable[None]]]:
        """What the runtime attaches to the bot, by discord.py's event name."""
        return {
            "on_voice_state_update": self._on_voice_state_update,
            "on_guild_channel_delete": self._on_channel_delete,
            "on_thread_delete": self._on_channel_delete,
            "on_guild_remove": self._on_guild_remove,
            "on_ready": self._on_ready,
        }

    def begin(self) -> None:
        """Join the configured channels if the bot is ready already: `on_ready` will not come any more."""
        if self.bot.is_ready():
            self._tasks.start(self._auto_join(), "auto join")

    async def _on_voice_state_update(
        self, member: discord.Member, before: discord.VoiceState, after: discord.VoiceState
    ) -> None:
        session = self._sessions.get(member.guild.id)
        if self.bot.user is None or member.id != self.bot.user.id:
            self.presence.changed(member, before, after)
            if session is not None:
                self._mind_company(session)
            return
        if session is None or session.ended.is_set() or after.channel is None:
            return  # being thrown out is seen by the session's own watch, and being away between two attempts too
        was_suppressed, was_muted = session.suppressed, session.muted
        session.impaired(after)  # discord.py changes `after` in place: of two updates the first may look like both
        if after.channel.id != session.channel.id:
            await session.moved(after.channel)
            self._mind_company(session)
        if before.channel != after.channel:
            self._mind_stage(session)
        elif was_suppressed != session.suppressed and isinstance(after.channel, discord.StageChannel):
            await session.notice(OFF_STAGE if session.suppressed else ON_STAGE)
        elif was_suppressed != session.suppressed:
            await session.notice(SUPPRESSED if session.suppressed else UNSUPPRESSED)
        if before.channel is not None and was_muted != session.muted:
            await session.notice(MUTED if session.muted else UNMUTED)

    async def _on_channel_delete(self, channel: discord.abc.GuildChannel | discord.Thread) -> None:
        session = self._sessions.get(channel.guild.id)
        if session is None:
            return
        if channel.id == session.channel.id:
            self._end_later(session, DELETED)
        elif channel.id == session.prompt_channel_id:
            session.prompt_channel = session.channel
            await session.notice(PROMPTS_HERE)

    async def _on_guild_remove(self, guild: discord.Guild) -> None:
        session = self._sessions.get(guild.id)
        if session is not None:
            await self._end(session, "I was removed from the server.")

    async def _on_ready(self) -> None:
        """A new gateway session: Discord has forgotten our voice states, discord.py its voice clients and channels."""
        for session in self.sessions:
            channel = self.bot.get_channel(session.channel.id)
            if not isinstance(channel, discord.VoiceChannel | discord.StageChannel):
                self._end_later(session, DELETED)
                continue
            prompt_channel = self.bot.get_channel(session.prompt_channel_id or channel.id)
            session.renew(channel, prompt_channel if isinstance(prompt_channel, discord.abc.Messageable) else channel)
            self._mind_company(session)
        await self._auto_join()

    async def _auto_join(self) -> None:
        """Join the configured channels, once: a bot that was sent away does not come back with the next hiccup."""
        if self._auto_joined:
            return
        self._auto_joined = True
        for channel_id in self._section.auto_join:
            channel = self.bot.get_channel(channel_id)
            if not isinstance(channel, discord.VoiceChannel | discord.StageChannel):
                _log.warning("[voice] auto_join: %d is no voice channel that I can see", channel_id)
                continue
            try:
                await self.join(channel)
            except ParleyError as error:
                _log.warning("[voice] auto_join of %d failed: %s", channel_id, error.sentence, exc_info=error.__cause__)

    def _mind_stage(self, session: VoiceSession) -> None:
        """On a stage, come up to be heard; if that takes somebody else, say so."""

        async def come() -> None:
            if told := await come_up(session.channel):
                await session.notice(told)

        if isinstance(session.channel, discord.StageChannel):
            self._tasks.start(come(), f"stage {session.id}", replace=True)

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

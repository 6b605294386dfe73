"""What the cogs share: one `Runtime` on the bot, which opens the rooms, outlives every reload, and closes with the bot.

This is also the Python API for other people's code; see docs/api.md.
"""

from __future__ import annotations

import asyncio
import logging
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from core.bot.closing import ClosingStack
from core.bot.rooms import Rooms
from core.clock import SystemClock
from core.errors import ParleyError
from core.events import SessionStarted
from core.handles import Handle
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import discord
    from discord.ext import commands

    from core.bot.messages import MessageRouter
    from core.bot.openers import Ground
    from core.bot.recording_panels import RecordingPlaces
    from core.bot.session_status import Field
    from core.clock import Clock
    from core.config import Config, Environment
    from core.conversation.turn import Turn
    from core.machine.usage import Usage
    from core.music.track import Track

_log = logging.getLogger(__name__)

ATTRIBUTE = "parley"  # the runtime is `bot.parley`
LINGER_S = 2.0  # a cog that is reloaded is away for a moment; after this long without any, the runtime closes


class Runtime(Rooms):
    """Everything that lives longer than a command. Get it with `await Runtime.attach(bot)`."""

    def __init__(self, bot: commands.Bot, clock: Clock | None = None) -> None:
        self.bot = bot
        self.clock = clock or SystemClock()
        self.tasks = Tasks("runtime")
        self._owners: set[int] = set()
        self._lingering: asyncio.TimerHandle | None = None
        self._listening: set[Handle] = set()
        self._closing = ClosingStack()
        self._closing.close_later("runtime's tasks", self.tasks.cancel_all)
        self._closing.close_later("listeners", self._stop_listening)
        self._opened: asyncio.Future[None] | None = None

    @classmethod
    async def attach(
        cls,
        bot: commands.Bot,
        *,
        owner: object | None = None,
        config: Config | None = None,
        environ: Environment | None = None,
    ) -> Runtime:
        """The bot's runtime, opened if this is the first call.

        Args:
            bot: The bot it lives on, as `bot.parley`.
            owner: A cog, which calls `detach(self)` when it goes; when the last owner is gone the runtime closes.
            config: Settings to use; by default `config.toml` of the checkout, or the file that the environment
                variable PARLEY_CONFIG names.
            environ: Variables that hold the secrets; by default the process's and those of `.env`.

        Raises:
            ConfigError: The configuration cannot be used.
            StoreError: The database cannot be opened.
        """
        runtime: Runtime | None = getattr(bot, ATTRIBUTE, None)
        if runtime is None:
            runtime = cls(bot)
            setattr(bot, ATTRIBUTE, runtime)
            runtime._opened = asyncio.get_running_loop().create_future()
            try:
                await runtime._open(config, environ)
            except BaseException as error:
                await runtime.close()
                if not runtime._opened.done():
                    runtime._opened.set_exception(error if isinstance(error, Exception) else asyncio.CancelledError())
                    runtime._opened.exception()  # those who wait raise it themselves; nobody waiting is no fault
                raise
            runtime._opened.set_result(None)
        elif runtime._opened is not None:
            await asyncio.shield(runtime._opened)
        if owner is not None:
            runtime._owners.add(id(owner))
            if runtime._lingering is not None:
                runtime._lingering.cancel()
                runtime._lingering = None
        return runtime

    def detach(self, owner: object) -> None:
        """A cog goes, and with it whatever is registered as its own.

        Without any cog left for two seconds, sessions end and the runtime closes.
        """
        self.hub.drop(owner)
        self.messages.drop(owner)
        self.lockdown.unregister(owner)
        if getattr(self.bot, ATTRIBUTE, None) is not self:
            return  # closed already: the bot is on its way out
        self._owners.discard(id(owner))
        if not self._owners and self._lingering is None:
            loop = asyncio.get_running_loop()
            self._lingering = loop.call_later(LINGER_S, lambda: self.tasks.start(self.close(), "close"))

    async def close(self) -> None:
        """End sessions, stop tasks, close the store; called by the bot's own close. A second call does nothing."""
        if getattr(self.bot, ATTRIBUTE, None) is not self:
            return
        delattr(self.bot, ATTRIBUTE)
        if self._lingering is not None:
            self._lingering.cancel()
        await self._closing.aclose()
        _log.info("closed")

    def listen(self, name: str, listener: Callable[..., Awaitable[None]]) -> Handle:
        """Attach a listener for one of discord.py's events, until the handle is ended or the runtime closes."""
        self.bot.add_listener(cast("Any", listener), name)

        def stop() -> None:
            self.bot.remove_listener(cast("Any", listener), name)
            self._listening.discard(handle)

        handle = Handle(stop, f"listener for {name}")
        self._listening.add(handle)
        return handle

    def _stop_listening(self) -> None:
        for handle in tuple(self._listening):
            handle.end()

    @property
    def claims(self) -> MessageRouter:
        """Who looks at a message before it becomes a prompt: `claims.add(claim, owner=cog)`."""
        return self.messages

    # What other code may want of a session: the rest is on `voice`, `conversation` and `recordings` -----------------------

    def say(self, guild_id: int, text: str, *, author_id: int = 0) -> Turn:
        """Say a text in the session of a guild, behind what is said already; `conversation.finished(turn)` waits for it.

        Raises:
            ParleyError: There is no session, nothing in it can be said, or too much waits.
        """
        return self.conversation.say(self.voice.require(guild_id), text, author_id=author_id)

    async def play(self, guild_id: int, source: Path | bytes, *, title: str = "", by: int = 0) -> Track:
        """Play a sound file, by its path or its bytes, in the session of a guild, behind those that play.

        Raises:
            ParleyError: There is no session, it holds no sound, or too much waits.
        """
        name = title or (source.name if isinstance(source, Path) else "sound")
        return await self.music.play(self.voice.require(guild_id), name, source, by=by)

    def stop(self, guild_id: int) -> int:
        """Stop speaking and playing in the session of a guild; gives how much that was.

        Raises:
            VoiceError: There is no session.
        """
        session = self.voice.require(guild_id)
        return self.conversation.stop(session) + session.media.stop()

    def status(self, guild_id: int, *, whole: bool = True) -> list[Field]:
        """What `/voice status` shows of the session of a guild, as titles and values in Discord's markup.

        `whole` shows also what is of the process: its cost, the GPUs, where the speech engine is. The command does for
        the bot's owner alone. GPU memory is as of the last `await runtime.usage.look()`.

        Raises:
            VoiceError: There is no session.
        """
        from core.bot.persona_words import feels
        from core.bot.session_status import session_fields

        return session_fields(
            self.voice.require(guild_id),
            people=self.voice.connected_users(guild_id),
            conversation=self.conversation,
            models=self.models,
            lockdown=self.lockdown,
            usage=self.usage,
            whole=whole,
            mood=feels(self.persona, guild_id),
        )

    @cached_property
    def recording_places(self) -> RecordingPlaces:
        """Where recordings are shown and announced."""
        from core.bot.recording_panels import RecordingPlaces

        return RecordingPlaces()

    @cached_property
    def usage(self) -> Usage:
        """What this process costs."""
        from core.machine.usage import Usage

        return Usage()

    # Opening ----------------------------------------------------------------------------------------------------------

    async def _open(self, config: Config | None, environ: Environment | None) -> None:
        from core.bot import openers
        from core.bot.music_openers import open_music, watch_music
        from core.bot.people_openers import open_occasions, open_people, open_people_at_work
        from core.bot.persona_openers import open_persona, open_webhooks
        from core.bot.schedule_openers import (
            open_autonomous,
            open_own_voice,
            open_schedule_pictures,
            open_schedules,
        )
        from core.bot.training_openers import open_training
        from core.bot.watch_openers import open_watching
        from core.store.history import HistoryRepository
        from core.store.settings import SettingsRepository

        ground = await openers.open_ground(config, environ, self.clock, self._closing)
        self.config, self.environ, self.hub = ground.config, ground.environ, ground.hub
        self.store = await openers.open_store(ground)
        self.settings, self.history = SettingsRepository(self.store), HistoryRepository(self.store)
        await self.settings.learn_languages()
        self.privacy = await openers.open_privacy(ground, self.store)
        self.workers = openers.open_workers(ground)
        self.fetcher = openers.open_fetcher(ground)
        self.models = openers.open_models(ground)
        self.lockdown = await openers.open_lockdown(ground, self.store, self.models)
        self.recordings = await openers.open_recordings(ground, self.store, self.workers, self.privacy)
        self.transcriber = openers.open_recogniser(ground, self.workers)
        self.transcripts = await openers.open_transcripts(
            ground, self.store, self.recordings, self.transcriber, self.privacy, self.workers, self.settings.language_of
        )
        self.minutes = openers.open_minutes(ground, self.recordings, self.transcripts, self.models)
        self.studio = openers.open_studio(ground, self.workers, self.lockdown)
        self.music = open_music(ground, self.workers, self.fetcher)
        self.voice = openers.open_voice(ground, self.bot, self.settings, self.lockdown, self.music)
        self._open_conversation(ground)
        self._open_hearing(ground)
        await watch_music(self, ground)
        await self.intake.open()
        self._open_routers(ground)
        self.occasions = await open_occasions(self, ground, servers=lambda: len(self.bot.guilds))
        self.people = await open_people(self, ground, self.bot)
        self.people_at_work = open_people_at_work(self, ground, self.bot, self.listen)
        self.webhooks = await open_webhooks(self, ground, self.bot, self.listen)
        self.persona = await open_persona(self, ground, self.bot, self.listen)
        self.training = await open_training(self, ground, self.bot)
        self.schedules = await open_schedules(self, ground)
        self.watching = await open_watching(self, ground)
        self.schedule_pictures = await open_schedule_pictures(self, ground)
        self.own_voice = open_own_voice(self, ground)
        self.autonomous = await open_autonomous(self, ground, self.bot)
        self._close_with_bot()
        self.voice.begin()
        self.tasks.start(asyncio.to_thread(openers.warm_up, bool(self.config.model.routes)), "warm up")
        _log.info("ready")

    def _open_conversation(self, ground: Ground) -> None:
        from core.bot.openers import create_intake, create_sent_sounds
        from core.conversation.service import Conversation
        from core.conversation.voice_preferences import VoicePreferences
        from core.privacy.stored import StoredData

        self.voice_preferences = VoicePreferences(self.settings, self.config.speech)
        self.conversation = Conversation(
            self.config.prompt,
            hub=self.hub,
            clock=self.clock,
            models=self.models,
            settings=self.settings,
            history=self.history,
            voices=self.voice_preferences,
        )
        sounds = create_sent_sounds(ground, self.transcriber, self.workers, self.privacy)
        self.intake = create_intake(ground, self.conversation, self.voice, self.settings, self.lockdown, sounds)
        self.privacy.register("prompts being gathered", self.intake.people)
        # In this order: what is about to be written is written, or never will be, before the database is asked.
        self.privacy.register("answers under way", self.conversation.people)
        self.privacy.register("conversations", StoredData(self.store, self.settings))
        ground.closing.close_later("conversations", self.conversation.close)
        # Before sessions end: that opens the doors, and nobody would be left to finish the answers that then begin.
        ground.closing.close_later("messages that wait", self.lockdown.waiting.close)
        self.hub.subscribe(SessionStarted, self._learn_voices, owner=self)

    def _open_hearing(self, ground: Ground) -> None:
        from core.bot.hearing_openers import open_missed, open_spoken_commands
        from core.bot.hearing_session import HearingParts
        from core.bot.openers import create_hearing, open_captions, open_live_transcripts, open_voice_hearing

        self.hearing = create_hearing(ground, self.transcriber)
        self.spoken = open_spoken_commands(self, ground)
        parts = HearingParts(
            self.config.hearing,
            self.hearing,
            self.intake,
            self.conversation,
            self.privacy.consent,
            self.hub,
            self.clock,
            self.spoken,
            self.settings.language_of,
        )
        self.live_transcripts = open_live_transcripts(
            ground,
            self.transcripts,
            self.recordings,
            self.hearing,
            self.voice,
            self.privacy,
            self.settings.language_of,
        )
        self.voice_hearing = open_voice_hearing(ground, parts, self.voice)
        self.captions = open_captions(ground, self.voice_hearing, self.privacy)
        self.missed = open_missed(self, ground)

    def _open_routers(self, ground: Ground) -> None:
        """What Discord tells goes to the rooms, and to the cogs that are loaded."""
        from core.bot.interactions import InteractionRouter
        from core.bot.messages import MessageRouter
        from core.bot.openers import open_presence_line

        self.messages = MessageRouter(self.clock)
        ground.closing.close_later("messages", self.messages.close)
        self.listen("on_message", self.messages.put)
        self.interactions = InteractionRouter(self.bot.tree, self.clock)
        self.listen("on_interaction", self.interactions.seen)
        listeners = list(self.voice.listeners().items())
        self.presence_line = open_presence_line(ground, self.bot, self.voice) if self.config.voice.show_status else None
        if self.presence_line is not None:
            listeners += self.presence_line.listeners().items()
        for name, listener in listeners:
            self.listen(name, listener)

    async def _learn_voices(self, event: SessionStarted) -> None:
        session = self.voice.session(event.guild_id)
        if session is not None:
            await self.voice_preferences.learn(session.speaker)

    def _close_with_bot(self) -> None:
        """Run `close` before the bot's own: sessions still have a connection then, to leave and to say goodbye."""
        bot: Any = self.bot
        original = bot.close

        async def close() -> None:
            await self.close()
            await original()

        def restore() -> None:
            if bot.__dict__.get("close") is close:
                del bot.close

        bot.close = close
        self._closing.close_later("bot's close", restore)


def of(bot: discord.Client) -> Runtime:
    """The runtime of a bot that is attached already.

    Raises:
        ParleyError: No cog of Parley's is loaded.
    """
    runtime = getattr(bot, ATTRIBUTE, None)
    if runtime is None:
        raise ParleyError("Parley is not loaded on this bot.")
    return runtime

"""What the cogs share: one `Runtime` on the bot, which opens the rooms, outlives every reload, and closes with the bot.

This is also the Python API for other people's code; see docs/api.md.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from core.clock import SystemClock
from core.errors import ParleyError
from core.events import SessionStarted
from core.hub import Hub
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import discord
    from discord.ext import commands

    from core.bot.interactions import InteractionRouter
    from core.bot.messages import Claims, Inbox
    from core.bot.session_status import Field
    from core.clock import Clock
    from core.config import Config, Environment
    from core.conversation.service import Conversation
    from core.conversation.turn import Turn
    from core.conversation.voice_preferences import VoicePreferences
    from core.llm.models import Models
    from core.lockdown.service import Lockdown
    from core.machine.usage import Usage
    from core.machine.workers import Workers
    from core.privacy.service import Privacy
    from core.recording.service import Recordings
    from core.store.history import HistoryRepository
    from core.store.settings import SettingsRepository
    from core.store.store import Store
    from core.studio.studio import Studio
    from core.voice.media import Track
    from core.voice.service import VoiceService
    from core.voice.sounds import Sounds

_log = logging.getLogger(__name__)

ATTRIBUTE = "parley"  # the runtime is `bot.parley`
LINGER_S = 2.0  # a cog that is reloaded is away for a moment; after this long without any, the runtime closes
CONFIG_VARIABLE = "PARLEY_CONFIG"


class Runtime:
    """Everything that lives longer than a command. Get it with `await Runtime.attach(bot)`."""

    config: Config
    environ: Environment
    hub: Hub
    store: Store
    settings: SettingsRepository
    history: HistoryRepository
    workers: Workers
    models: Models
    voice: VoiceService
    lockdown: Lockdown
    privacy: Privacy
    recordings: Recordings
    conversation: Conversation
    inbox: Inbox
    claims: Claims
    interactions: InteractionRouter
    studio: Studio
    sounds: Sounds
    voice_preferences: VoicePreferences

    def __init__(self, bot: commands.Bot, clock: Clock | None = None) -> None:
        self.bot = bot
        self.clock = clock or SystemClock()
        self.tasks = Tasks("runtime")
        self._owners: set[int] = set()
        self._lingering: asyncio.TimerHandle | None = None
        self._listeners: list[tuple[str, Callable[..., Awaitable[None]]]] = []
        self._closing: list[tuple[str, Callable[[], Awaitable[None]]]] = []
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
        """A cog goes. Without any cog left for two seconds, sessions end and the runtime closes."""
        self.hub.drop(owner)
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
        for what, step in reversed(self._closing):
            try:
                await step()
            except Exception:  # noqa: BLE001 - every later step must still run; the log has the cause
                _log.exception("closing the %s failed", what)
        self._closing.clear()
        for name, listener in self._listeners:
            self.bot.remove_listener(cast("Any", listener), name)
        self._listeners.clear()
        await self.tasks.cancel_all()
        _log.info("closed")

    def listen(self, name: str, listener: Callable[..., Awaitable[None]]) -> None:
        """Attach a listener for one of discord.py's events, taken away when the runtime closes."""
        self.bot.add_listener(cast("Any", listener), name)
        self._listeners.append((name, listener))

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
        return await self.sounds.play(self.voice.require(guild_id), name, source, by=by)

    def stop(self, guild_id: int) -> int:
        """Stop speaking and playing in the session of a guild; gives how much that was.

        Raises:
            VoiceError: There is no session.
        """
        session = self.voice.require(guild_id)
        return self.conversation.stop(session) + session.media.stop()

    def status(self, guild_id: int) -> list[Field]:
        """What `/voice status` shows of the session of a guild, as titles and values in Discord's markup.

        GPU memory is as of the last `await runtime.usage.look()`.

        Raises:
            VoiceError: There is no session.
        """
        from core.bot.session_status import session_fields

        return session_fields(
            self.voice.require(guild_id),
            people=self.voice.connected_users(guild_id),
            conversation=self.conversation,
            models=self.models,
            lockdown=self.lockdown,
            usage=self.usage,
        )

    @cached_property
    def usage(self) -> Usage:
        """What this process costs."""
        from core.machine.usage import Usage

        return Usage()

    # Opening ----------------------------------------------------------------------------------------------------------

    async def _open(self, config: Config | None, environ: Environment | None) -> None:
        from core.config import Environment, load, require_secrets

        if config is None:
            named = os.environ.get(CONFIG_VARIABLE)
            config = await asyncio.to_thread(load, Path(named) if named else None)
        self.config = config
        self.environ = environ if environ is not None else await asyncio.to_thread(Environment.read)
        require_secrets(config, self.environ)
        self.hub = Hub()
        self.hub.bind(asyncio.get_running_loop())
        self._closing.append(("event hub", self.hub.close))
        await self._open_store()
        self._open_workers()
        await self._open_lockdown()
        await self._open_recordings()
        self._open_studio()
        self._open_conversation()
        self._close_with_bot()
        _log.info("ready")

    async def _open_store(self) -> None:
        from core.store.history import HistoryRepository
        from core.store.settings import SettingsRepository
        from core.store.store import Store

        self.store = Store(self.config.store.url, base=self.config.base)
        await self.store.open()
        self._closing.append(("store", self.store.close))
        self.settings = SettingsRepository(self.store)
        self.history = HistoryRepository(self.store)
        await self._open_privacy()

    async def _open_privacy(self) -> None:
        from core.privacy.kept import FILE
        from core.privacy.service import Privacy

        beside = self.config.path(self.config.recording.folder)
        self.privacy = Privacy(self.store, beside / FILE, self.clock)
        self._closing.append(("privacy", self.privacy.close))
        await self.privacy.open()

    def _open_workers(self) -> None:
        from core.machine.workers import Workers

        roots = {"recordings": self.config.path(self.config.recording.folder)}
        self.workers = Workers(self.config.workers, roots=roots)
        self._closing.append(("workers", self.workers.close))

    async def _open_lockdown(self) -> None:
        from core.llm.models import Models
        from core.lockdown.service import Lockdown

        self.models = Models(self.config.model.routes, environ=self.environ, names=(self.config.prompt.name,))
        self._closing.append(("model clients", self.models.close))
        self.lockdown = Lockdown(
            self.config.lockdown, self.store, self.hub, self.clock, routes=self.models, environ=self.environ
        )
        self._closing.append(("lockdown", self.lockdown.close))
        await self.lockdown.open()

    async def _open_recordings(self) -> None:
        from core import __version__
        from core.recording.service import Recordings
        from core.store.recordings import RecordingsRepository

        self.recordings = Recordings(
            self.config.recording,
            self.config.path(self.config.recording.folder),
            hub=self.hub,
            clock=self.clock,
            workers=self.workers.render,
            repository=RecordingsRepository(self.store),
            version=__version__,
            privacy=self.privacy,
        )
        self._closing.append(("recordings", self.recordings.close))
        await self.recordings.open()

    def _open_studio(self) -> None:
        from core.bot.messages import Claims
        from core.studio.studio import DRAWING, Studio

        self.claims = Claims()
        workflow = self.config.studio.comfyui.workflow
        self.studio = Studio(
            self.config.studio,
            self.config.path(workflow) if workflow else None,
            self.hub,
            self.workers.strangers,
            gives_way=lambda: self.lockdown.locked(DRAWING),
            environ=self.environ,
        )
        self._closing.append(("studio", self.studio.close))

    def _open_conversation(self) -> None:
        from core.bot.interactions import InteractionRouter
        from core.bot.messages import Inbox
        from core.bot.presence_line import PresenceLine
        from core.conversation.service import Conversation
        from core.conversation.voice_preferences import VoicePreferences
        from core.privacy.stored import StoredData
        from core.voice.service import VoiceService
        from core.voice.sounds import Sounds

        self.voice = VoiceService(self.bot, self.config.voice, self.hub, self.clock, self.settings, self._make_speaker)
        self.voice.gates.append(self.lockdown)
        self.sounds = Sounds(self.config.path(self.config.voice.sounds), self.config.voice, self.workers.strangers)
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
        # In this order: what is about to be written is written, or never will be, before the database is asked.
        self.privacy.register("answers under way", self.conversation.people)
        self.privacy.register("conversations", StoredData(self.store))
        self.inbox = Inbox(self.clock)
        self.listen("on_message", self.inbox.put)
        self.interactions = InteractionRouter(self.bot.tree, self.clock)
        self.listen("on_interaction", self.interactions.seen)
        self._closing.append(("voice sessions", self.voice.close))
        self._closing.append(("conversations", self.conversation.close))
        # Before sessions end: that opens the doors, and nobody would be left to finish the answers that then begin.
        self._closing.append(("messages that wait", self.lockdown.waiting.close))
        self.hub.subscribe(SessionStarted, self._learn_voices, owner=self)
        for name, listener in self.voice.listeners().items():
            self.listen(name, listener)
        if self.config.voice.show_status:
            line = PresenceLine(self.bot, self.voice, self.hub)
            self._closing.append(("status line", line.close))
            self._closing.append(("status line's ear", _later(self.hub.drop, line)))  # else the last end starts it anew
            for name, listener in line.listeners().items():
                self.listen(name, listener)
        self.voice.begin()
        self.tasks.start(asyncio.to_thread(_warm_up, bool(self.config.model.routes)), "warm up")

    async def _learn_voices(self, event: SessionStarted) -> None:
        session = self.voice.session(event.guild_id)
        if session is not None:
            await self.voice_preferences.learn(session.speaker)

    def _make_speaker(self) -> Any:
        from core.speech.factory import create_engine
        from core.speech.speaker import Speaker

        return Speaker(create_engine(self.config.speech, self.environ, self.config.base), self.config.speech)

    def _close_with_bot(self) -> None:
        """Run `close` before the bot's own: sessions still have a connection then, to leave and to say goodbye."""
        bot: Any = self.bot
        original = bot.close

        async def close() -> None:
            await self.close()
            await original()

        async def restore() -> None:
            if bot.__dict__.get("close") is close:
                del bot.close

        bot.close = close
        self._closing.append(("bot's close", restore))


def _later(function: Callable[[object], None], argument: object) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        function(argument)

    return run


def _warm_up(with_model: bool) -> None:
    """Import what the first session needs, so that the first join and the first prompt do not wait for it."""
    for name in ("core.voice.connection.client", "core.speech.speaker", *(["openai"] if with_model else [])):
        importlib.import_module(name)


def of(bot: discord.Client) -> Runtime:
    """The runtime of a bot that is attached already.

    Raises:
        ParleyError: No cog of Parley's is loaded.
    """
    runtime = getattr(bot, ATTRIBUTE, None)
    if runtime is None:
        raise ParleyError("Parley is not loaded on this bot.")
    return runtime

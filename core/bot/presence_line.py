"""The bot's line under its name: in voice chat while a session runs, else its mood, or what it was before if it has none."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import aiohttp
import discord

from core.events import CharacterChosen, MoodChanged, RecordingStarted, RecordingStopped, SessionEnded, SessionStarted
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from core.events import Event
    from core.hub import Hub
    from core.voice.service import VoiceService

_log = logging.getLogger(__name__)

TALKING = "In voice chat"
RECORDING = "In voice chat, recording"
CALM_S = 0.5  # several events in a row make one change: Discord allows few


class PresenceLine:
    """Shows what the bot does. It names no channel: the line is seen in every server the bot shares with somebody."""

    def __init__(self, bot: discord.Client, voice: VoiceService, hub: Hub) -> None:
        self._bot = bot
        self._voice = voice
        self.mood: Callable[[], str | None] = lambda: None  # what it says without a session; set by other code
        self._recording: set[str] = set()
        self._shown: str | None = None
        self._tasks = Tasks("status line")
        self._handles = (
            hub.subscribe(SessionStarted, self._changed, owner=self),
            hub.subscribe(SessionEnded, self._changed, owner=self),
            hub.subscribe(MoodChanged, self._changed, owner=self),
            hub.subscribe(CharacterChosen, self._changed, owner=self),
            hub.subscribe(RecordingStarted, self._recording_started, owner=self),
            hub.subscribe(RecordingStopped, self._recording_stopped, owner=self),
        )

    def listeners(self) -> dict[str, Callable[..., Awaitable[None]]]:
        """What the runtime attaches to the bot, by discord.py's event name."""
        return {"on_ready": self._on_ready}

    async def close(self) -> None:
        """Go back to what the line was before; the sessions that end afterwards change it no more."""
        for handle in self._handles:
            handle.end()
        await self._tasks.cancel_all()
        if self._shown is not None:
            await self._set(None)

    @property
    def text(self) -> str | None:
        """What the line should say; None: whatever it said before."""
        if not self._voice.sessions:
            return self.mood()
        return RECORDING if self._recording else TALKING

    def _recording_started(self, event: RecordingStarted) -> None:
        self._recording.add(event.recording_id)
        self._changed(event)

    def _recording_stopped(self, event: RecordingStopped) -> None:
        self._recording.discard(event.recording_id)
        self._changed(event)

    def _changed(self, event: Event) -> None:
        del event
        self._tasks.after(CALM_S, self._show, "show")

    async def _on_ready(self) -> None:
        """A new gateway session begins with the line the bot logs in with."""
        self._shown = None
        await self._show()

    async def _show(self) -> None:
        if not self._bot.is_ready():
            return  # then it is shown, and there is nobody to tell before
        text = self.text
        if text != self._shown:
            await self._set(text)

    async def _set(self, text: str | None) -> None:
        before = self._bot.activity if isinstance(self._bot.activity, discord.BaseActivity) else None
        activity = discord.CustomActivity(text) if text is not None else before
        try:
            await self._bot.change_presence(activity=activity, status=self._bot.status)
        except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
            _log.info("the status line could not be changed: %r", error)
            return
        self._shown = text

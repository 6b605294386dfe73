"""The mood's emoji behind the bot's name on a server, where that is wanted: rarely changed, and never in a session."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import aiohttp
import discord

from core.events import CharacterChosen, MoodChanged, SessionEnded
from core.names import plain
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from core.bot.persona_shown import ShownBook
    from core.bot.persona_watch import MoodWatch
    from core.clock import Clock
    from core.config.persona import MoodsSection
    from core.hub import Hub
    from core.voice.service import VoiceService

_log = logging.getLogger(__name__)

LONGEST = 32  # characters of a nickname
EDIT_S = 20.0
NO_RIGHT = "I need the permission “Change Nickname” to put my mood behind my name."


class MoodInName:
    """Puts an emoji behind the name that somebody gave the bot, and takes exactly that away again."""

    def __init__(
        self,
        section: MoodsSection,
        bot: discord.Client,
        *,
        watch: MoodWatch,
        book: ShownBook,
        voice: VoiceService,
        hub: Hub,
        clock: Clock,
    ) -> None:
        """Nothing is changed before `begin`.

        Args:
            section: `[persona.moods]`.
            bot: Whose name it is.
            watch: How it feels.
            book: What is behind the name already.
            voice: Which servers have a session.
            hub: Tells of moods and of the ends of sessions.
            clock: Time.
        """
        self._section = section
        self._bot = bot
        self._watch = watch
        self._book = book
        self._voice = voice
        self._hub = hub
        self._clock = clock
        self._tasks = Tasks("mood in the name")

    def begin(self) -> None:
        """Follow moods, until `close`."""
        for event in (CharacterChosen, MoodChanged, SessionEnded):
            self._hub.subscribe(event, self._changed, owner=self)

    def listeners(self) -> dict[str, Callable[..., Awaitable[None]]]:
        """What the runtime attaches to the bot, by discord.py's event name."""
        return {"on_ready": self._make_up}

    async def close(self) -> None:
        """Change nothing more."""
        self._hub.drop(self)
        await self._tasks.cancel_all()

    def told(self, guild_id: int) -> str:
        """Why a mood that is to stand behind the name does not, as a sentence; empty if nothing is in its way."""
        guild = self._bot.get_guild(guild_id)
        wanted = self._wanted(guild_id) != self._book.of(guild_id).emoji
        if not wanted or guild is None or guild.me.guild_permissions.change_nickname:
            return ""
        return NO_RIGHT

    async def _make_up(self) -> None:
        for guild in self._bot.guilds:
            self._follow(guild.id)

    def _changed(self, event: CharacterChosen | MoodChanged | SessionEnded) -> None:
        self._follow(event.guild_id)

    def _follow(self, guild_id: int) -> None:
        if guild_id and (self._section.nickname_emoji or self._book.of(guild_id).emoji):
            self._tasks.start(self._bring_up(guild_id), f"server {guild_id}")

    def _wanted(self, guild_id: int) -> str:
        mood = self._watch.mood(guild_id) if self._section.nickname_emoji else None
        return plain(mood.emoji, 8) if mood is not None else ""

    async def _bring_up(self, guild_id: int) -> None:
        """Change the name as soon as that may be; during a session not at all: its end comes by again."""
        while self._wanted(guild_id) != self._book.of(guild_id).emoji:
            if self._voice.session(guild_id) is not None:
                return
            shown = self._book.of(guild_id)
            left_s = self._left_s(guild_id)
            if left_s > 0:
                await self._clock.sleep(min(left_s, 60.0))
                continue
            guild, emoji = self._bot.get_guild(guild_id), self._wanted(guild_id)
            if guild is None or not guild.me.guild_permissions.change_nickname:
                return
            if not await self._send(guild, with_emoji(guild.me.display_name, shown.emoji, emoji)):
                return
            await self._book.note(guild_id, emoji=emoji, name_changed_at=self._clock.now())

    def _left_s(self, guild_id: int) -> float:
        at = self._book.of(guild_id).name_changed_at
        if at is None:
            return 0.0
        passed_s = max(0.0, (self._clock.now() - at).total_seconds())
        return self._section.nickname_interval_s - passed_s

    async def _send(self, guild: discord.Guild, name: str) -> bool:
        own = guild.me.global_name or guild.me.name
        try:
            async with asyncio.timeout(EDIT_S):
                await guild.me.edit(nick=None if name == own else name)
        except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as error:
            _log.info("the name on server %d stays as it is: %r", guild.id, error)
            return False
        return True


def with_emoji(name: str, before: str, after: str) -> str:
    """A name with another emoji behind it; what people gave it stays, cut only where both would be too long."""
    base = name.removesuffix(f" {before}").rstrip() if before else name
    if not after:
        return base
    room = LONGEST - len(after) - 1
    return f"{base[:room].rstrip()} {after}"

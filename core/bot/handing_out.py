"""Hand a file to who asked for it, however long it took to make: shown on the way, and told when the answer is over."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import discord

from core.bot.replies import NO_PINGS
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

_log = logging.getLogger(__name__)

PACKING = "Packing {bar} {share:.0%}"
LONG = "\nThis takes about {minutes:.0f} minutes. When Discord lets me answer here no longer, it comes as a direct message."
HERE = "Here it is."
FETCH = "{person}, what you asked me to pack is ready. I could not send it to you, so press to get it, until tomorrow."
SHOWN_AFTER_S, SHOWN_EVERY_S = 6.0, 3.0  # until then Discord shows by itself that it is waiting
TOKEN_S = 15 * 60.0  # for so long Discord takes answers to a command
_MARGIN_S = 20.0
_TOKEN_OVER = (401, 404)


class Handout:
    """The answer to one command that takes its time."""

    def __init__(self, interaction: discord.Interaction) -> None:
        """`interaction` is deferred, to be seen by who asked alone."""
        self._interaction = interaction
        self._tasks = Tasks(f"handing out {interaction.id}")
        self._share = 0.0
        self._shown = ""

    @property
    def over(self) -> bool:
        """Whether Discord takes no more answers to the command."""
        age_s = (discord.utils.utcnow() - self._interaction.created_at).total_seconds()
        return age_s > TOKEN_S - _MARGIN_S

    def progressed(self, share: float) -> None:
        """The work is so far, 0 to 1."""
        self._share = share

    @asynccontextmanager
    async def shown(self, work_s: float) -> AsyncGenerator[None]:
        """Show how far the work is while it goes on; said beforehand if it may take longer than the command lives."""
        note = LONG.format(minutes=max(1, work_s / 60)) if work_s > TOKEN_S / 3 else ""
        self._tasks.start(self._show(note), "progress")
        try:
            yield
        finally:
            await self._tasks.cancel_all()

    async def say(self, text: str) -> None:
        """Say something to who asked: as the answer, or by direct message."""
        if not self.over and await self._answer(text):
            return
        try:
            await self._interaction.user.send(text, allowed_mentions=NO_PINGS)
        except discord.HTTPException as error:
            _log.warning("somebody could not be told how their export went: %s", error)

    async def send(self, path: Path) -> bool:
        """Send a file to who asked: as the answer, or by direct message. False if neither is possible.

        Raises:
            discord.HTTPException: Discord does not take the file.
        """
        if not self.over and await self._answer(HERE, path):
            return True
        try:
            file = await asyncio.to_thread(discord.File, path)
            await self._interaction.user.send(HERE, file=file, allowed_mentions=NO_PINGS)
        except discord.HTTPException as error:
            _log.info("somebody takes no direct message with their export: %s", error)
            return False
        return True

    async def offer(self, view: discord.ui.View) -> bool:
        """Say in the channel that a file waits for who asked; whether that was possible."""
        channel, user = self._interaction.channel, self._interaction.user
        if not isinstance(channel, discord.abc.Messageable):
            return False
        pings = discord.AllowedMentions(users=[user])
        try:
            await channel.send(FETCH.format(person=user.mention), view=view, allowed_mentions=pings)
        except discord.HTTPException as error:
            _log.warning("somebody could not be told that their export is ready: %s", error)
            return False
        return True

    async def _answer(self, text: str, path: Path | None = None) -> bool:
        """Make this the answer; False if Discord takes none any more."""
        await self._tasks.cancel_all()
        files = [] if path is None else [await asyncio.to_thread(discord.File, path)]
        try:
            await self._interaction.edit_original_response(content=text, attachments=files, allowed_mentions=NO_PINGS)
        except discord.HTTPException as error:
            if error.status in _TOKEN_OVER:
                return False
            raise
        return True

    async def _show(self, note: str) -> None:
        await asyncio.sleep(0 if note else SHOWN_AFTER_S)
        while not self.over:
            done = round(self._share * 10)
            text = PACKING.format(bar="▰" * done + "▱" * (10 - done), share=self._share) + note
            if text != self._shown:
                try:
                    await self._interaction.edit_original_response(content=text, allowed_mentions=NO_PINGS)
                except discord.HTTPException as error:
                    _log.info("how far an export is cannot be shown: %s", error)
                    return
                self._shown = text
            await asyncio.sleep(SHOWN_EVERY_S)

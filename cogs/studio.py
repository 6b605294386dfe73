"""StudioCog: pictures that are sent to the bot are looked at; `/draw` and “draw ...” are drawn."""

from __future__ import annotations

import io
import logging
import re
import secrets
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import core

if getattr(core, "PARLEY", None) != "parley":
    raise ImportError(f"Parley's cogs need Parley's package “core”, but Python found another: {core.__file__}.")

import discord
from discord import app_commands

from core.bot.cog import ParleyCog
from core.bot.replies import NO_PINGS
from core.bot.reply_poster import try_reply
from core.conversation.live_text import split
from core.discord_limits import DIRECT_UPLOAD_BYTES
from core.errors import ModelError, ParleyError, StudioError
from core.llm.messages import ChatMessage, Image
from core.lockdown import BlockPolicy, Feature, lockable
from core.machine.lane import Owner
from core.names import sayable, shown
from core.store.history import HistoryEntry
from core.studio.comfyui import Drawing, Progress
from core.studio.studio import DRAWING, VISION

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from discord.ext import commands

    from core.character import Character
    from core.conversation.memory import Exchange

    Edit = Callable[..., Awaitable[Any]]

_log = logging.getLogger(__name__)

NO_VISION_NOW = "I cannot look at pictures while I am in a voice channel. Please ask me again afterwards."
NO_DRAWING_NOW = "I cannot draw while I am in a voice channel. Please ask me again afterwards."
WAITING = "🎨 Drawing…"
DRAWING_NOW = "🎨 Drawing… {share:.0%}"
DRAWN = "🎨 {prompt}"
TOO_LARGE = "That file is too large for me: {size:.0f} MiB, and I look at {limit} MiB at most."
GONE = "The picture could not be fetched from Discord. Please send it again."
NOT_POSTED = "The picture is ready, but Discord did not take it. Please try again."
BROKEN = "Something went wrong on my side, and it is in the log. Please try again."
WHAT_IS_IT = "What do you see?"
EDIT_INTERVAL_S = 1.5
MIB = 2**20

_WISH = re.compile(r"\s*(?:please\s+)?draw(?:\s+me)?\b[\s:,]*(?P<prompt>.+)", re.IGNORECASE | re.DOTALL)


class StudioCog(ParleyCog, name="Studio"):
    """Looks and draws, unless a voice session needs the machine."""

    async def cog_load(self) -> None:
        """Attach, register what gives way, and look at messages before they become prompts."""
        await super().cog_load()
        self.give_way(Feature(VISION, "Looking at pictures", BlockPolicy(NO_VISION_NOW)))
        self.give_way(Feature(DRAWING, "Drawing", BlockPolicy(NO_DRAWING_NOW)))
        self.claim_messages(self._claim)

    # Messages ---------------------------------------------------------------------------------------------------------

    async def _claim(self, message: discord.Message) -> bool:
        """Whether a message that is meant for the bot wants a drawing, or has pictures to look at."""
        wish = _WISH.fullmatch(_text(message, self.bot.user))
        if wish is not None and self.runtime.studio.draws:
            self._begin(message, self._draw_for(message, wish["prompt"]))
            return True
        route = self._seeing_route()
        files = [attachment for attachment in message.attachments if _is_picture(attachment)]
        if files and route is not None:
            self._begin(message, self._look_at(message, files, route))
            return True
        return False

    def _begin(self, message: discord.Message, work: Any) -> None:
        """Do it in a task that a reload of this cog does not end; what fails is said in a reply."""

        async def run() -> None:
            try:
                await work
            except ParleyError as error:
                _log.info("message %d: %s", message.id, error.sentence, exc_info=error.__cause__)
                await try_reply(message, error.sentence)
            except Exception:  # noqa: BLE001 - the person must not wait for nothing; the log has the cause
                _log.exception("message %d: failed", message.id)
                await try_reply(message, BROKEN)

        self.runtime.tasks.start(run(), f"studio {message.id}")

    async def _draw_for(self, message: discord.Message, prompt: str) -> None:
        if not await self.runtime.lockdown.allows(DRAWING, message):
            return
        shown = await try_reply(message, WAITING)
        if shown is not None:
            await self._draw(shown.edit, prompt, _upload_limit(message.guild))

    async def _look_at(self, message: discord.Message, files: list[discord.Attachment], route: str) -> None:
        """Ask the model that sees, and answer in text."""
        memory = self.runtime.conversation.memory
        exchange = memory.begin(message.channel.id, (message.author.id,))
        try:
            async with self.runtime.lockdown.using(VISION, message) as allowed:
                if allowed:
                    await self._looked(message, files, route, exchange)
        finally:
            memory.end(exchange)

    async def _looked(
        self, message: discord.Message, files: list[discord.Attachment], route: str, exchange: Exchange
    ) -> None:
        studio, owner = self.runtime.studio, Owner(message.guild.id if message.guild else 0, message.author.id)
        async with message.channel.typing():
            with studio.looking(owner):
                pictures = await studio.look(await self._download(files), owner)
            text = _text(message, self.bot.user) or WHAT_IS_IT
            images = tuple(Image(picture.data, picture.media_type) for picture in pictures)
            character = self._character(message)
            asked = [
                *await self._persona(message, character),
                ChatMessage("user", text, message.author.display_name, images),
            ]
            if not await self.runtime.lockdown.allows(VISION, message):  # a session began while it was fetched
                return
            stream = self.runtime.models.stream(asked, route=route, names=(character.name,))
            answer, torn = await _whole(stream)
        await self._remember(
            message, text, answer, exchange, character
        )  # first: who reads the answer may ask about it at once
        for page in split(f"{answer}\n\n{torn}" if torn else answer):
            await try_reply(message, page)

    async def _download(self, files: list[discord.Attachment]) -> list[bytes]:
        limit = self.runtime.config.studio.max_file_mb
        for file in files:
            if file.size > limit * MIB:
                raise StudioError(TOO_LARGE.format(size=file.size / MIB, limit=limit))
        try:
            return [await file.read() for file in files[: self.runtime.config.studio.max_pictures]]
        except discord.HTTPException as error:
            raise StudioError(GONE) from error

    async def _persona(self, message: discord.Message, character: Character) -> list[ChatMessage]:
        """Who looks, as the model is told of it."""
        mood = character.mood.told if character.mood is not None else ""
        if not (persona := character.instruction):
            kept = await self.runtime.settings.guild(message.guild.id) if message.guild else None
            persona = (kept.persona if kept else None) or self.runtime.config.prompt.persona
        told = "\n".join(part for part in (persona, mood) if part)
        return [ChatMessage("system", told)] if told else []

    def _character(self, message: discord.Message) -> Character:
        """Who looks: the character that answers there, or the bot itself."""
        cast, guild_id = self.runtime.persona.cast, message.guild.id if message.guild else None
        sheet = cast.active(guild_id)
        own = self.runtime.conversation.character
        return own if sheet is None else cast.character(sheet, guild_id, message.author.display_name)

    async def _remember(
        self, message: discord.Message, text: str, answer: str, exchange: Exchange, who: Character
    ) -> None:
        """So that a later prompt can speak of the picture."""
        turn_id, at, author = secrets.token_hex(6), exchange.asked_at, message.author
        asked = HistoryEntry(turn_id, "user", f"{text} [sent a picture]", at, author.id, author.display_name)
        answered = HistoryEntry(turn_id, "assistant", answer, at, name=who.name, character_id=who.id)
        await self.runtime.conversation.memory.keep(exchange, (asked, answered))

    def _seeing_route(self) -> str | None:
        """The model route that looks at pictures; None if there is none."""
        models = self.runtime.models
        wanted = (self.runtime.config.studio.vision_route, models.current, *models.routes)
        return next((name for name in wanted if name in models.routes and models.routes[name].vision), None)

    # Drawing ----------------------------------------------------------------------------------------------------------

    @app_commands.command(name="draw", description="Draw a picture.")
    @app_commands.describe(prompt="What to draw", seed="The same seed and words give the same picture")
    @lockable(DRAWING)
    async def draw(
        self,
        interaction: discord.Interaction,
        prompt: app_commands.Range[str, 1, 1000],
        seed: app_commands.Range[int, 0] | None = None,
    ) -> None:
        """Draw, show how far it is, post the picture."""
        await interaction.response.defer(thinking=True)
        await self._draw(interaction.edit_original_response, prompt, _upload_limit(interaction.guild), seed)

    async def _draw(self, edit: Edit, prompt: str, limit_bytes: int, seed: int | None = None) -> None:
        """Show progress by editing a message of ours; the picture, or why there is none, ends up in it."""
        try:
            await self._drawn(edit, prompt, limit_bytes, seed)
        except StudioError as error:
            _log.info("a drawing failed: %s", error.sentence, exc_info=error.__cause__)
            await edit(content=error.sentence)

    async def _drawn(self, edit: Edit, prompt: str, limit_bytes: int, seed: int | None) -> None:
        clock, shown_s = self.runtime.clock, 0.0
        try:
            async with aclosing(self.runtime.studio.draw(prompt, seed=seed)) as told:
                async for item in told:
                    if isinstance(item, Drawing):
                        await self._post(edit, prompt, item, limit_bytes)
                    elif clock.monotonic() - shown_s >= EDIT_INTERVAL_S:
                        shown_s = clock.monotonic()
                        await edit(content=_progress(item))
        except discord.HTTPException as error:
            raise StudioError(NOT_POSTED) from error

    async def _post(self, edit: Edit, prompt: str, drawing: Drawing, limit_bytes: int) -> None:
        data, name = await self.runtime.studio.fitted(drawing, limit_bytes)
        text = DRAWN.format(prompt=shown(prompt, 300))
        file = discord.File(io.BytesIO(data), filename=name)
        await edit(content=text, attachments=[file], allowed_mentions=NO_PINGS)


def _text(message: discord.Message, me: discord.ClientUser | None) -> str:
    """What was written, without the mention that called the bot, with names for the other mentions."""
    content = message.content
    for mention in (f"<@{me.id}>", f"<@!{me.id}>") if me else ():
        content = content.replace(mention, "")
    for user in message.mentions:
        content = content.replace(f"<@{user.id}>", sayable(user.display_name))
    return content.strip()


def _is_picture(attachment: discord.Attachment) -> bool:
    """Whether Discord takes a file for a picture or video; what it is, its bytes tell later."""
    return (attachment.content_type or "").startswith(("image/", "video/"))


def _upload_limit(guild: discord.Guild | None) -> int:
    return guild.filesize_limit if guild else DIRECT_UPLOAD_BYTES


def _progress(progress: Progress) -> str:
    return DRAWING_NOW.format(share=progress.step / progress.steps) if progress.steps else WAITING


async def _whole(stream: AsyncGenerator[str]) -> tuple[str, str]:
    """All of an answer, and why it breaks off if it does; an answer without a word is an error."""
    said: list[str] = []
    async with aclosing(stream) as pieces:
        try:
            async for piece in pieces:
                said.append(piece)  # noqa: PERF401 - what came before an error counts
        except ModelError as error:
            if not said:
                raise
            _log.warning("a model broke off: %s", error.sentence, exc_info=error.__cause__)
            return "".join(said).strip(), error.sentence
    return "".join(said).strip(), ""


async def setup(bot: commands.Bot) -> None:
    """Load the cog."""
    await bot.add_cog(StudioCog(bot))

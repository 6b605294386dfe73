"""The second self: who contradicts on each server, how it is called, and how it speaks when somebody addresses it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from core.bot.reply_poster import ChannelPoster
from core.bot.webhooks import MASK, Face, WebhookError, WebhookPoster, allowed_name
from core.character import Character, Voice
from core.conversation.advice import Advice
from core.conversation.live_text import LiveText
from core.errors import ParleyError
from core.hearing.addressed import after_name
from core.names import sayable, shown
from core.persona.arguments_words import CONTRARY
from core.persona.files import stamp_of
from core.tasks import Tasks

if TYPE_CHECKING:
    from pathlib import Path

    from core.bot.persona_cast import Cast
    from core.bot.persona_pictures import ProfilePictures
    from core.bot.webhooks import Webhooks
    from core.clock import Clock
    from core.config.persona import ArgumentsSection
    from core.conversation.live_text import Posted
    from core.conversation.turn import Prompt, Turn
    from core.persona.sheet import Sheet
    from core.persona.shelf import Shelf

_log = logging.getLogger(__name__)

BUILT_IN = "second self"  # the id in what is remembered; no file is called so
NAME = "Nemesis"
PREFIX = "**{name}:** "
OPENS_S = 5.0  # to start a worker takes a while

_CONTRARY = Character(BUILT_IN, NAME, CONTRARY.format(name=NAME), Voice(pitch=-4.0, rate=1.05))


class SecondSelf:
    """The contrary character of each server; an adviser of turns that address it by name."""

    def __init__(
        self,
        section: ArgumentsSection,
        shelf: Shelf,
        cast: Cast,
        pictures: ProfilePictures,
        webhooks: Webhooks,
        clock: Clock,
    ) -> None:
        """Nothing is said yet.

        Args:
            section: `[persona.arguments]`.
            shelf: The characters there are.
            cast: How they are played.
            pictures: Opens what they look like.
            webhooks: How it writes.
            clock: Time.
        """
        self._section = section
        self._shelf = shelf
        self._cast = cast
        self._webhooks = webhooks
        self._clock = clock
        self._pictures = pictures
        self._tasks = Tasks("pictures of the second self")
        self._opened: dict[Path, tuple[tuple[int, int], bytes | None]] = {}

    def character(self, guild_id: int | None) -> Character:
        """Who contradicts on a server: the character of `[persona.arguments] second`, or the one that comes along."""
        sheet = self._sheet(guild_id)
        if sheet is None:
            return _CONTRARY
        character = self._cast.character(sheet, guild_id)
        contrary = CONTRARY.format(name=sayable(character.name))
        return replace(character, instruction=f"{character.instruction}\n{contrary}")

    def called(self, guild_id: int | None) -> tuple[str, ...]:
        """What it is called by."""
        sheet = self._sheet(guild_id)
        return (NAME,) if sheet is None else (sheet.name, *sheet.table.triggers)

    async def face(self, guild_id: int | None) -> Face:
        """What a channel sees of it; a picture that is not opened in time is shown the next time."""
        sheet = self._sheet(guild_id)
        picture = sheet.picture if sheet is not None else None
        name = sheet.name if sheet is not None else NAME
        if picture is None:
            return Face(name)
        opening = self._tasks.start(self._picture(picture), str(picture))
        done, _ = await asyncio.wait({opening}, timeout=OPENS_S)
        return Face(name, opening.result()) if done else Face(name, ready=False)

    async def close(self) -> None:
        """Open no more pictures."""
        await self._tasks.cancel_all()

    async def advise(self, turn: Turn) -> Advice | None:
        """Let it answer a turn that begins with its name: by its own voice in a session, and written through its webhook."""
        guild_id = turn.prompt.guild_id
        if guild_id is None or self.is_first(guild_id) or not self._is_addressed(turn.prompt, guild_id):
            return None
        channel = self._webhooks.channel(turn.prompt.channel_id)
        sink = None
        if channel is not None:
            character = self.character(guild_id)
            sink = LiveText(AsItself(self, self._webhooks, channel, guild_id, character.name), self._clock)
        return Advice(self.character(guild_id), sink=sink)

    def is_first(self, guild_id: int) -> bool:
        """Whether the bot plays the same character there as itself: then nobody is left to contradict."""
        sheet = self._sheet(guild_id)
        return sheet is not None and self._cast.active(guild_id) == sheet

    def _is_addressed(self, prompt: Prompt, guild_id: int) -> bool:
        """Whether a prompt begins with its name, or replies to what it said."""
        replied, shown = prompt.about.partition(": ")[0], allowed_name(self.character(guild_id).name)
        if replied in (shown, shown + MASK):
            return True
        return any(after_name(line.text, self.called(guild_id)) is not None for line in prompt.spoken)

    def _sheet(self, guild_id: int | None) -> Sheet | None:
        return self._shelf.find(self._section.second, guild_id) if self._section.second else None

    async def _picture(self, file: Path) -> bytes | None:
        """What a channel sees of it; opened in a worker once, and again when the file has changed."""
        try:
            stamp = await asyncio.to_thread(stamp_of, file)
            known = self._opened.get(file)
            if known is not None and known[0] == stamp:
                return known[1]
            self._opened[file] = stamp, None  # one that cannot be opened is tried again when it has changed
            self._opened[file] = stamp, await self._pictures.opened(file)
        except OSError as error:
            _log.warning("the picture %s cannot be read: %s", file.name, error.strerror)
            return None
        except ParleyError as error:
            _log.warning("the picture %s cannot be shown: %s", file.name, error.sentence)
            return None
        return self._opened[file][1]


class AsItself:
    """A `Poster` for what the second self says: through its webhook, or by the bot with its name in front if there can be none."""

    def __init__(self, second: SecondSelf, webhooks: Webhooks, channel: object, guild_id: int, name: str) -> None:
        self._second = second
        self._webhooks = webhooks
        self._channel = channel
        self._guild_id = guild_id
        self._prefix = PREFIX.format(name=shown(name))
        self._prefixed = False

    async def post(self, text: str) -> Posted:
        """Send a message.

        Raises:
            WebhookError: The channel is gone.
            discord.HTTPException: Discord does not take it.
        """
        if not self._prefixed:
            try:
                face = await self._second.face(self._guild_id)
                return await WebhookPoster(self._webhooks, self._channel, face).post(text)
            except WebhookError as error:
                if error.gone:
                    raise
                _log.info("another character speaks without a webhook: %s", error.sentence)
                self._prefixed = True
        posted = await ChannelPoster(self._channel).post(self._prefix + text)  # pyright: ignore[reportArgumentType] - it holds messages, or there was no prompt in it
        return _Prefixed(posted, self._prefix)


class _Prefixed:
    """A message of ours that keeps the name in front."""

    def __init__(self, posted: Posted, prefix: str) -> None:
        self._posted = posted
        self._prefix = prefix

    @property
    def id(self) -> int | None:
        """Its id, where the poster tells."""
        return getattr(self._posted, "id", None)

    async def edit(self, text: str) -> None:
        """Replace the text behind the name."""
        await self._posted.edit(self._prefix + text)

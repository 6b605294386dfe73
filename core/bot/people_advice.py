"""Tells a turn what is known of whoever asks, how freely to answer them, and hears when they wish it otherwise."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from core.bot import message_text
from core.bot.reply_poster import reply
from core.conversation.advice import Advice
from core.errors import ParleyError, StoreError
from core.persona.people.profile import notes
from core.persona.people.temperature import understand
from core.tasks import Tasks

if TYPE_CHECKING:
    import discord

    from core.conversation.turn import Turn
    from core.persona.people.people import People
    from core.persona.people.temperature import TemperatureWish

_log = logging.getLogger(__name__)

PEOPLE_MOST = 4  # of several who ask at once, the last ones


class PeopleAdviser:
    """An `Adviser`: notes on each of those who ask, and the temperature of whoever asked last."""

    def __init__(self, people: People) -> None:
        self._people = people

    async def advise(self, turn: Turn) -> Advice | None:
        """What is known of the people of a prompt; nothing of those who refuse by now.

        The bot may stay silent where the one person who asks is best answered so.
        """
        prompt = turn.prompt
        told: list[str] = []
        silent = False
        names = {user_id: name for user_id, name in prompt.names if user_id}
        if prompt.guild_id is not None:
            for user_id, name in list(names.items())[-PEOPLE_MOST:]:
                known = await self._people.profiles.known(prompt.guild_id, user_id, prompt.channel_id)
                if known is not None:
                    told.append(notes(name, known.profile))
                    silent = known.profile.reply_style == "none" and len(names) == 1
        temperature = await self._people.temperatures.of(prompt.author_id) if prompt.author_id else None
        return Advice(notes="\n".join(told), temperature=temperature, may_stay_silent=silent)


class TemperatureWishes:
    """A claim of messages: “be more creative” and its like are done, not answered by the model."""

    def __init__(self, bot: discord.Client, people: People) -> None:
        self._bot = bot
        self._people = people
        self._tasks = Tasks("temperature wishes")

    async def close(self) -> None:
        """Finish telling."""
        await self._tasks.cancel_all()

    async def claim(self, message: discord.Message) -> bool:
        """Whether a message is such a wish; it is granted, and answered, in the background."""
        wish = understand(message_text.words(message, self._bot.user))
        if wish is None:
            return False
        self._tasks.start(self._grant(message, wish))
        return True

    async def _grant(self, message: discord.Message, wish: TemperatureWish) -> None:
        try:
            told = await self._people.temperatures.grant(message.author.id, wish)
        except ParleyError as error:
            if isinstance(error, StoreError):
                _log.exception("a temperature could not be kept")
            told = error.sentence
        try:
            await reply(message, told)
        except Exception:  # noqa: BLE001 - no permission, or the channel is gone: the wish holds all the same
            _log.info("nobody could be told of their temperature", exc_info=True)

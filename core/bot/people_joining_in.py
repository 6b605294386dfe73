"""Says something in a talk that the bot reads along in: asks the model through the one gate, and posts in the flow."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import discord

from core.bot.replies import NO_PINGS
from core.conversation.advice import SILENT
from core.conversation.pages import split
from core.conversation.turn import Prompt, PromptLine
from core.errors import ParleyError
from core.llm.messages import ChatMessage
from core.persona.occasions import Occasion, OccasionRefused
from core.persona.people.joining_in import FEATURE, INSTRUCTION, QUESTION
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.bot.people_watch import PeopleWatch
    from core.conversation.service import Conversation
    from core.persona.occasions import Occasions
    from core.persona.people.people import People
    from core.store.observed import Observed

_log = logging.getLogger(__name__)

MESSAGES = 5
YES_OR_NO = 4  # tokens


class JoinsIn:
    """Makes and posts what the bot says when it is its turn; one at a time a channel."""

    def __init__(self, people: People, watch: PeopleWatch, occasions: Occasions, conversation: Conversation) -> None:
        self._people = people
        self._watch = watch
        self._occasions = occasions
        self._conversation = conversation
        self._tasks = Tasks("joining in")

    async def close(self) -> None:
        """Say no more."""
        await self._tasks.cancel_all()
        self._people.joining_in.rest()

    def join_in(self, channel: Any) -> None:
        """It is the bot's turn in a channel; nothing waits for it."""
        guild = getattr(channel, "guild", None)
        if guild is None or self._locked(guild.id, channel.id):
            return  # the count goes on, and it is its turn again with the next message
        self._people.joining_in.begin(channel.id)
        self._tasks.start(self._join_in(channel, guild.id), f"join in {channel.id}")

    def _locked(self, guild_id: int, channel_id: int) -> bool:
        refused = self._occasions.refusal(
            Occasion(FEATURE, guild_id, channel_id), self._people.joining_in.section.max_tokens
        )
        return refused is not None

    async def _join_in(self, channel: Any, guild_id: int) -> None:
        spoke, anew = False, False
        try:
            text = await self._said(channel.id, guild_id)
            anew = text == ""
            if text:
                await channel.send(split(text)[0], allowed_mentions=NO_PINGS, suppress_embeds=True)
                spoke = True
        except OccasionRefused as refused:
            anew = refused.reason == "model"  # else it is tried again with the next message
            _log.info("nothing is said in %d: %s", channel.id, refused.sentence)
        except discord.HTTPException as error:  # no permission: a bot reads in many channels in which it may not write
            anew = True
            _log.info("nothing could be said in %d: %s", channel.id, error)
        except ParleyError as error:
            anew = True
            _log.warning("nothing is said in %d: %s", channel.id, error.sentence, exc_info=error)
        finally:
            # The last thing, with no wait behind it: from here on the next turn may begin, as a task of the same name.
            self._people.joining_in.end(channel.id, spoke=spoke, anew=anew)

    async def _said(self, channel_id: int, guild_id: int) -> str | None:
        """What to say; empty if the model has nothing to add, None if it is the bot's turn no more."""
        heard = await self._people.messages.newest_of_channel(channel_id, MESSAGES)
        if not heard:
            return None
        section = self._people.joining_in.section
        occasion = Occasion(FEATURE, guild_id, channel_id, frozenset(each.user_id for each in heard))
        prompt = self._prompt(heard)
        if section.ask_first:
            question = [ChatMessage("system", QUESTION), ChatMessage("user", prompt.text)]
            answer = await self._occasions.ask(occasion, question, max_tokens=YES_OR_NO, temperature=0.0)
            if not self._people.joining_in.means_yes(answer):
                return ""
        told, advice = await self._conversation.beside(prompt, INSTRUCTION.format(silent=SILENT))
        answer = await self._occasions.ask(
            occasion, told, max_tokens=section.max_tokens, temperature=advice.temperature
        )
        if answer.strip().casefold().strip(".") in (SILENT, SILENT.strip("[]")):
            return ""
        return answer if await self._still(channel_id, heard) else None

    async def _still(self, channel_id: int, heard: Sequence[Observed]) -> bool:
        """Whether it is still the bot's turn: nobody has spoken to it, taken a word back, or refused meanwhile."""
        known = self._people.channels.get(channel_id)
        if known is None or not self._people.channels.is_observed(channel_id) or not known.count:
            return False
        await self._people.messages.flush()
        there = await self._people.messages.repository.between(channel_id, heard[0].id, heard[-1].id)
        return all(there.get(each.id) == each.content for each in heard)

    def _prompt(self, heard: Sequence[Observed]) -> Prompt:
        last = heard[-1]
        lines = [
            PromptLine(each.user_id, self._watch.name(each.guild_id, each.user_id), each.content) for each in heard
        ]
        return Prompt.of_lines(
            lines, conversation_id=last.channel_id, guild_id=last.guild_id, channel_id=last.channel_id
        )

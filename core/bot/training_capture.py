"""Keeps the answers of places where training is on, and puts thumbs under them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import discord

from core.bot.training_panel import THUMBS, thumbs_view
from core.errors import StoreError
from core.names import plain
from core.persona.people.profile import without_notes
from core.store.training_values import Answer, Line

if TYPE_CHECKING:
    from core.conversation.service import Conversation
    from core.conversation.turn import Turn
    from core.events import TurnEnded
    from core.llm.messages import ChatMessage
    from core.training.judging import Judging

_log = logging.getLogger(__name__)

WHOLE = ("text", "spoken")  # outcomes of answers that came to their end


class AnswerCapture:
    """Takes each answer as it ends."""

    def __init__(self, conversation: Conversation, judging: Judging, client: discord.Client, judge_with: str) -> None:
        """Takes where turns are, what keeps them, the bot, and whether thumbs are “buttons” or “reactions”."""
        self._conversation = conversation
        self._judging = judging
        self._client = client
        self._judge_with = judge_with

    async def turn_ended(self, event: TurnEnded) -> None:
        """Keep the answer of a turn, if it is one, and it is to be kept."""
        turn = next((each for each in self._conversation.recent if each.id == event.turn_id), None)
        if turn is None or turn.outcome not in WHOLE:
            return
        channel = self._client.get_channel(turn.prompt.channel_id)
        places = {turn.prompt.channel_id, getattr(channel, "parent_id", None) or turn.prompt.channel_id}
        if not self._judging.keeps(turn.prompt.guild_id, places):
            return
        answer = self._answer(turn)
        if answer is None:
            return
        try:
            kept = await self._judging.keep(answer)
        except StoreError:
            _log.exception("the answer of turn %s cannot be judged: it is not kept", turn.id)
            return
        if kept and self._judging.carries_thumbs(places):
            await self._put_thumbs(channel, answer.message_ids[-1])

    def _answer(self, turn: Turn) -> Answer | None:
        """The answer with what made it; None if nobody could find it, or whose words it holds is not known."""
        request, exchange, prompt = turn.request, turn.exchange, turn.prompt
        shown, reply = turn.message_ids, turn.reply_text.strip()
        if request is None or exchange is None or exchange.forgotten or not shown or not reply:
            return None
        if prompt.about and not self._is_known(turn):
            _log.info("the answer of turn %s is not kept: it quotes somebody whose consent cannot be asked", turn.id)
            return None
        return Answer(
            prompt.guild_id or 0,
            prompt.channel_id,
            str(prompt.conversation_id),
            turn.id,
            tuple(Line(each.role, _kept(each), each.name or "") for each in request.messages),
            reply,
            request.route,
            request.model,
            request.temperature,
            exchange.asked_at,
            dict(turn.read),
            shown,
        )

    def _is_known(self, turn: Turn) -> bool:
        """Whether the message that a prompt answers is of somebody in the prompt, or our own."""
        guild = self._client.get_guild(turn.prompt.guild_id or 0)
        own = [turn.character.name if turn.character else "", self._conversation.character.name]
        own += [guild.me.display_name] if guild is not None else []
        known = {plain(name) for name in (*turn.read.values(), *own) if name}
        return any(turn.prompt.about.startswith(f"{name}: ") for name in known)

    async def _put_thumbs(self, channel: object, message_id: int) -> None:
        if not isinstance(channel, (discord.TextChannel, discord.VoiceChannel, discord.StageChannel, discord.Thread)):
            return
        message = channel.get_partial_message(message_id)
        try:
            if self._judge_with == "buttons":
                await message.edit(view=thumbs_view())
            else:
                for thumb in THUMBS:
                    await message.add_reaction(thumb)
        except discord.HTTPException as error:  # no right to, or the message is gone: it can be judged by its menu
            _log.info("no thumbs under message %d: %s", message_id, error)


def _kept(message: ChatMessage) -> str:
    """What stays of a message: notes on people are for nobody's eyes, and go when those people say so."""
    return without_notes(message.content) if message.role == "system" else message.content

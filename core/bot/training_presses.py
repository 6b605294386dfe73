"""Presses of the trainer's buttons, its forms, and thumbs that are reactions."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from core.bot import training_panel as panel
from core.bot import training_words as words
from core.bot.replies import answer
from core.bot.training_rights import judged_answer, require_manager
from core.errors import ParleyError, TrainingError

if TYPE_CHECKING:
    import discord

    from core.bot.runtime import Runtime
    from core.training.judging import Thumb

_log = logging.getLogger(__name__)

CANCELLED = "The job is cancelled."


class TrainingPresses:
    """What people do to an answer, to a data set that is to be deleted, and to a job."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._training = runtime.training

    async def open_form(self, interaction: discord.Interaction, message_id: int) -> None:
        """Open a form with an answer to edit.

        Raises:
            TrainingError: The message shows none.
        """
        found = await judged_answer(interaction, self._runtime, message_id)
        await interaction.response.send_modal(panel.correction_form(found))

    async def pressed(self, interaction: discord.Interaction, what: str) -> None:
        """A button was pressed, or a form was sent.

        Raises:
            ParleyError: It cannot be done.
        """
        user, judging = interaction.user, self._training.judging
        kind, _, number = what.partition("-")
        if kind == panel.FORM:
            await interaction.response.defer(ephemeral=True, thinking=True)
            found = await judging.answer_by_id(int(number), interaction.guild_id or 0)
            judged = await judging.correct(found, user.id, user.display_name, panel.corrected(interaction))
            await answer(interaction, judged.told)
        elif kind == panel.DELETE:
            await self._delete(interaction, int(number))
        elif kind == panel.CANCEL:
            await self._cancel(interaction, int(number))
        elif interaction.message is not None and kind == panel.CORRECT:
            await self.open_form(interaction, interaction.message.id)
        elif interaction.message is not None:
            await interaction.response.defer(ephemeral=True, thinking=True)
            found = await judged_answer(interaction, self._runtime, interaction.message.id)
            thumb: Thumb = "up" if kind == panel.UP else "down"
            await answer(interaction, (await judging.thumb(found, user.id, user.display_name, thumb)).told)

    async def _delete(self, interaction: discord.Interaction, set_id: int) -> None:
        guild = await require_manager(interaction, self._runtime)
        await interaction.response.defer(ephemeral=True, thinking=True)
        kept = await self._training.data_sets.by_id(guild.id, set_id)
        if kept is None:
            raise TrainingError(words.GONE)
        count = await self._training.data_sets.delete(kept)
        await answer(interaction, words.DELETED.format(name=self._training.data_sets.shown(kept.name), count=count))

    async def _cancel(self, interaction: discord.Interaction, job_id: int) -> None:
        guild = await require_manager(interaction, self._runtime)
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self._training.jobs.cancel(self._training.jobs.find(guild.id, job_id))
        await answer(interaction, CANCELLED)

    async def reacted(
        self, client: discord.Client, payload: discord.RawReactionActionEvent, *, taken_back: bool
    ) -> None:
        """A reaction was put below a message, or taken back; it counts where thumbs are reactions."""
        thumb, guild = panel.thumb_of(payload.emoji.name), client.get_guild(payload.guild_id or 0)
        judging = self._training.judging
        if thumb is None or guild is None or self._training.section.judge_with != "reactions":
            return
        channel = guild.get_channel_or_thread(payload.channel_id)
        places = {payload.channel_id, getattr(channel, "parent_id", None) or payload.channel_id}
        member = payload.member or guild.get_member(payload.user_id)
        if not judging.carries_thumbs(places) or payload.user_id == guild.me.id or (member and member.bot):
            return
        try:
            found = await judging.answer_of(payload.message_id, guild.id)
            if taken_back:
                await judging.take_back(found, payload.user_id, thumb)
            else:
                await judging.thumb(found, payload.user_id, member.display_name if member else "", thumb)
        except ParleyError as error:  # a reaction is no question: nobody waits for a sentence
            _log.info("a thumb below %d is not noted: %s", payload.message_id, error.sentence)

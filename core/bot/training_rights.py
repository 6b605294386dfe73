"""Who may manage a server's data sets, and who may judge an answer; asked whenever something is to be done."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import discord
from discord import app_commands

from core.bot.cog import is_owner
from core.errors import TrainingError

if TYPE_CHECKING:
    from core.bot.runtime import Runtime
    from core.store.training_values import Answer

NOT_YOURS = "You need the permission “Manage Server” for this, or a role that `[trainer] roles` names."
NOT_HERE = "This works in a server only."
NO_MESSAGE = "Name a message by its link: right click on it, then “Copy Message Link”."
_MESSAGE = re.compile(r"\s*(?:https?://\S{1,80}/channels/\d{1,20}/\d{1,20}/)?(\d{15,20})/?\s*")


async def require_manager(interaction: discord.Interaction, runtime: Runtime) -> discord.Guild:
    """The server, if the caller may manage what is trained there.

    Raises:
        app_commands.CheckFailure: They may not.
    """
    guild, user = interaction.guild, interaction.user
    if guild is None or not isinstance(user, discord.Member):
        raise app_commands.CheckFailure(NOT_HERE)
    if interaction.permissions.manage_guild or interaction.permissions.administrator:
        return guild
    if not {role.id for role in user.roles}.isdisjoint(runtime.config.trainer.roles) or await is_owner(interaction):
        return guild
    raise app_commands.CheckFailure(NOT_YOURS)


async def judged_answer(interaction: discord.Interaction, runtime: Runtime, message_id: int) -> Answer:
    """The answer that a message shows, if the caller can see it.

    Raises:
        TrainingError: It is none, or they cannot: both in the same words.
    """
    judging = runtime.training.judging
    answer = await judging.answer_of(message_id, interaction.guild_id or 0)
    guild, user = interaction.guild, interaction.user
    channel = guild.get_channel_or_thread(answer.channel_id) if guild is not None else None
    if channel is None or not isinstance(user, discord.Member) or not channel.permissions_for(user).view_channel:
        raise judging.unknown()
    return answer


def message_id_of(text: str) -> int:
    """The id of a message that somebody named by its link, or by its id.

    Raises:
        TrainingError: It is neither.
    """
    found = _MESSAGE.fullmatch(text[:200])
    if found is None:
        raise TrainingError(NO_MESSAGE)
    return int(found[1])

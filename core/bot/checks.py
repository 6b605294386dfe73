"""Checks of who may use a command."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import discord
from discord import app_commands

from core.bot.cog import is_owner

_log = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Coroutine[Any, Any, None]])


async def is_admin(interaction: discord.Interaction) -> bool:
    """Whether the caller administers the guild or owns the bot."""
    if interaction.guild is not None and interaction.permissions.administrator:
        return True
    return await is_owner(interaction)


async def owns(interaction: discord.Interaction) -> bool:
    """Whether to show the caller what is of the process; nobody is, while Discord does not tell who owns the bot."""
    try:
        return await is_owner(interaction)
    except app_commands.CheckFailure as error:
        _log.info("what only the owner sees is left out: %s", error, exc_info=error.__cause__)
        return False


def admins_only() -> Callable[[F], F]:
    """Check: the bot's owner or a guild's administrators."""

    async def predicate(interaction: discord.Interaction) -> bool:
        if await is_admin(interaction):
            return True
        raise app_commands.CheckFailure("Only administrators of this server or the bot's owner can do this.")

    return app_commands.check(predicate)

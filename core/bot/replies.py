"""Answers interactions: within Discord's limits, without pings, and errors as a sentence."""

from __future__ import annotations

import logging
import secrets

import discord
from discord import app_commands

from core.discord_limits import MESSAGE_LIMIT
from core.errors import ParleyError

_log = logging.getLogger(__name__)


UNEXPECTED = "Something went wrong on my side, and it is in the log under `{reference}`. Please try again."


NO_PINGS = discord.AllowedMentions.none()


async def answer(interaction: discord.Interaction, text: str, *, ephemeral: bool = True) -> None:
    """Answer an interaction whether or not it was answered or deferred before; nothing in `text` pings.

    What is longer than a message of Discord's is cut.
    """
    text = text if len(text) <= MESSAGE_LIMIT else f"{text[: MESSAGE_LIMIT - 1]}…"
    if interaction.response.is_done():
        await interaction.followup.send(text, ephemeral=ephemeral, allowed_mentions=NO_PINGS)
    else:
        await interaction.response.send_message(text, ephemeral=ephemeral, allowed_mentions=NO_PINGS)


async def tell_error(interaction: discord.Interaction, error: Exception) -> None:
    """Show a person the sentence of an error and log its cause; never a stack trace for people."""
    cause = getattr(error, "original", error)
    name = interaction.command.qualified_name if interaction.command else "component"
    if isinstance(cause, ParleyError):
        _log.info("/%s refused: %s", name, cause.sentence, exc_info=cause.__cause__)
        sentence = cause.sentence
    elif isinstance(cause, app_commands.CheckFailure):
        sentence = describe_refusal(cause)
    else:
        reference = secrets.token_hex(4)
        _log.error("/%s failed (%s)", name, reference, exc_info=cause)
        sentence = UNEXPECTED.format(reference=reference)
    try:
        await answer(interaction, sentence)
    except discord.HTTPException:
        _log.warning("/%s: the person could not be told", name, exc_info=True)


def describe_refusal(error: app_commands.CheckFailure) -> str:
    """A failed check as a sentence."""
    if isinstance(error, app_commands.MissingPermissions):
        return f"You need the permission {_permissions(error.missing_permissions)} for this."
    if isinstance(error, app_commands.BotMissingPermissions):
        return f"I need the permission {_permissions(error.missing_permissions)} for this; an admin can give it to my role."
    if isinstance(error, app_commands.NoPrivateMessage):
        return "This works in a server only."
    if isinstance(error, app_commands.CommandOnCooldown):
        return f"Please wait {error.retry_after:.0f} s."
    return str(error) or "You may not use this."


def _permissions(names: list[str]) -> str:
    return ", ".join(f"“{name.replace('_', ' ').replace('guild', 'server').title()}”" for name in names)

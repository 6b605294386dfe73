"""Tells whoever used a locked feature: a reaction and a reply, or an answer to an interaction.

What comes in is known by its shape, not by its class: discord.py's message, command context and interaction all fit,
and so does anything a test hands in.
"""

from __future__ import annotations

import logging
from typing import Any, Protocol

_log = logging.getLogger(__name__)


class Responder(Protocol):
    """Brings a policy's message and reaction to a person."""

    async def answer(self, subject: Any, message: str, reaction: str) -> None:
        """Show both, as far as the subject has room for them; never raises for a person who cannot be told."""
        ...


class ShapeResponder:
    """Answers interactions by a response only the caller sees, contexts and messages by reaction and reply."""

    async def answer(self, subject: Any, message: str, reaction: str) -> None:
        """React, then reply."""
        if is_interaction(subject):
            if message:
                await _try(_respond, subject, message)
            return
        written = message_of(subject)
        if written is not subject and is_interaction(subject.interaction):  # a hybrid command called by slash
            await self.answer(subject.interaction, message, reaction)
            return
        if reaction:
            await _try(written.add_reaction, reaction)
        if message:
            await _try(written.reply, message, mention_author=False)


def is_interaction(subject: Any) -> bool:
    """Whether something wants an interaction's response."""
    return hasattr(subject, "response") and hasattr(subject, "followup")


def message_of(subject: Any) -> Any:
    """The message behind a command context; a message is its own."""
    return subject if hasattr(subject, "add_reaction") else subject.message


def server_of(subject: Any) -> int | None:
    """The server where something was used; None in a direct message, or without a subject."""
    server = getattr(subject, "guild", None)
    return getattr(subject, "guild_id", None) if server is None else getattr(server, "id", None)


async def _respond(interaction: Any, message: str) -> None:
    if interaction.response.is_done():
        await interaction.followup.send(message, ephemeral=True)
    else:
        await interaction.response.send_message(message, ephemeral=True)


async def _try(action: Any, *arguments: Any, **options: Any) -> None:
    try:
        await action(*arguments, **options)
    except Exception as error:  # noqa: BLE001 - the lock holds whether or not its user can be told; the log has the cause
        _log.info("a person could not be told that something is locked: %s", error)

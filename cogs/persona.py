"""PersonaCog: `/persona`, who the bot is on a server, how it feels, and whom it knows."""

from __future__ import annotations

import core

if getattr(core, "PARLEY", None) != "parley":
    raise ImportError(f"Parley's cogs need Parley's package “core”, but Python found another: {core.__file__}.")

from typing import TYPE_CHECKING

import discord
from discord import app_commands

from core.bot import persona_words
from core.bot.cog import ParleyCog, subcommand
from core.bot.replies import answer

if TYPE_CHECKING:
    from discord.ext import commands


class PersonaCog(ParleyCog, name="Persona"):
    """The commands of the persona; what they do lies in `core/bot/persona_*.py`."""

    @subcommand("persona", "list", "The characters that I can be on this server.")
    async def list_characters(self, interaction: discord.Interaction) -> None:
        """List them; what is wrong with files is for who may manage the server."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        shelf = self.runtime.persona.shelf
        await shelf.look()
        faults = shelf.faults if interaction.permissions.manage_guild else []
        await answer(interaction, persona_words.listed(shelf.of(interaction.guild_id), None, faults))

    @subcommand("persona", "show", "What one of the characters is like.")
    @app_commands.describe(character="Its name or id")
    async def show_character(
        self, interaction: discord.Interaction, character: app_commands.Range[str, 1, 100]
    ) -> None:
        """Show one character."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        shelf = self.runtime.persona.shelf
        await shelf.look()
        await answer(interaction, persona_words.card(shelf.named(character, interaction.guild_id)))


async def setup(bot: commands.Bot) -> None:
    """Load the cog."""
    await bot.add_cog(PersonaCog(bot))

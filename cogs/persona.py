"""PersonaCog: `/persona`, who the bot is on a server, how it feels, and whom it knows."""

from __future__ import annotations

import core

if getattr(core, "PARLEY", None) != "parley":
    raise ImportError(f"Parley's cogs need Parley's package “core”, but Python found another: {core.__file__}.")

from typing import TYPE_CHECKING

import discord
from discord import app_commands

from core.bot import persona_taking_part, persona_words
from core.bot.cog import ParleyCog, subcommand
from core.bot.replies import answer
from core.persona.arguments import FEATURE as ARGUMENT

if TYPE_CHECKING:
    from discord.ext import commands


class PersonaCog(ParleyCog, name="Persona"):
    """The commands of the persona; what they do lies in `core/bot/persona_*.py`."""

    async def cog_load(self) -> None:
        """Attach, and let what the persona does by itself take part in the lockdown."""
        await super().cog_load()
        persona_taking_part.arguments(self)

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

    # The second self --------------------------------------------------------------------------------------------------

    @subcommand("persona", "argue", "Let me argue with my second self, here, about something.")
    @app_commands.describe(topic="What about")
    async def argue(self, interaction: discord.Interaction, topic: app_commands.Range[str, 1, 300]) -> None:
        """Start an argument, unless a session or an administrator stands against it."""
        if not await self.runtime.lockdown.allows(ARGUMENT, interaction):
            return
        await interaction.response.defer(ephemeral=True, thinking=True)
        arguments = self.runtime.persona.arguments
        await answer(interaction, await arguments.argue(interaction.channel, topic, interaction.user.id))

    @subcommand("persona", "stop", "Stop me arguing with my second self.")
    async def stop(self, interaction: discord.Interaction) -> None:
        """End the argument of the server; anybody may."""
        await answer(interaction, self.runtime.persona.arguments.stop(interaction.guild_id or 0))


async def setup(bot: commands.Bot) -> None:
    """Load the cog."""
    await bot.add_cog(PersonaCog(bot))

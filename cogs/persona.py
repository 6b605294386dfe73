"""PersonaCog: `/persona`, who the bot is on a server, how it feels, and whom it knows."""

from __future__ import annotations

import core

if getattr(core, "PARLEY", None) != "parley":
    raise ImportError(f"Parley's cogs need Parley's package “core”, but Python found another: {core.__file__}.")

from typing import TYPE_CHECKING, Literal

import discord
from discord import app_commands

from core.bot import persona_choosing, persona_importing, persona_status, persona_taking_part, persona_words
from core.bot.cog import ParleyCog, require_owner, subcommand
from core.bot.people_desk import PeopleDesk
from core.bot.persona_arguments import require_writer
from core.bot.persona_cards import BUTTON_OWNER
from core.bot.replies import answer, tell_error
from core.errors import ParleyError
from core.persona.arguments import FEATURE as ARGUMENT

if TYPE_CHECKING:
    from discord.ext import commands


class PersonaCog(ParleyCog, name="Persona"):
    """The commands of the persona; what they do lies in `core/bot/persona_*.py`."""

    async def cog_load(self) -> None:
        """Attach, and let what the persona does by itself take part in the lockdown."""
        await super().cog_load()
        persona_taking_part.arguments(self)
        persona_taking_part.avatar(self)
        self.take_presses(BUTTON_OWNER, self._pressed)
        self.people = PeopleDesk(self.runtime)
        self.people.serve(self)

    # Characters -------------------------------------------------------------------------------------------------------

    async def _characters(self, interaction: discord.Interaction, partial: str) -> list[app_commands.Choice[str]]:
        """Complete the names of characters, from memory."""
        return persona_words.choices(self.runtime.persona.shelf.of(interaction.guild_id), partial)

    @subcommand("persona", "list", "The characters that I can be on this server.")
    async def list_characters(self, interaction: discord.Interaction) -> None:
        """List them; what is wrong with files is for who may manage the server."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        shelf = self.runtime.persona.shelf
        await shelf.look(interaction.guild_id)
        active = self.runtime.persona.cast.active(interaction.guild_id)
        faults = shelf.faults if interaction.permissions.manage_guild else []
        await answer(interaction, persona_words.listed(shelf.of(interaction.guild_id), active, faults))

    @subcommand("persona", "show", "What one of the characters is like.")
    @app_commands.describe(character="Its name or id")
    @app_commands.autocomplete(character=_characters)
    async def show_character(
        self, interaction: discord.Interaction, character: app_commands.Range[str, 1, 100]
    ) -> None:
        """Show one character."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        shelf = self.runtime.persona.shelf
        await shelf.look(interaction.guild_id)
        await answer(interaction, persona_words.card(shelf.named(character, interaction.guild_id)))

    @subcommand("persona", "use", "Choose who I am on this server.")
    @app_commands.describe(
        character="Its name or id; “none” for myself, “default” for what is configured",
        direct_messages="In direct messages instead; for the bot's owner",
    )
    @app_commands.autocomplete(character=_characters)
    @app_commands.checks.has_permissions(manage_guild=True)
    async def use(
        self,
        interaction: discord.Interaction,
        character: app_commands.Range[str, 1, 100],
        direct_messages: bool = False,
    ) -> None:
        """Put a character to use; everybody sees that, and its greeting."""
        if direct_messages:
            await require_owner(interaction)
        await interaction.response.defer(ephemeral=direct_messages, thinking=True)
        place = None if direct_messages else interaction.guild_id
        told = await persona_choosing.use(self.runtime.persona, place, character, interaction.user.display_name)
        await answer(interaction, told, ephemeral=direct_messages)

    @subcommand("persona", "import", "Read a character card (.json or .png), and keep it for this server.")
    @app_commands.describe(card="The file, as it was shared")
    @app_commands.checks.has_permissions(manage_guild=True)
    async def import_card(self, interaction: discord.Interaction, card: discord.Attachment) -> None:
        """Show what is on a card; buttons keep it."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        preview = await self.runtime.persona.desk.read(card, interaction.guild_id or 0, interaction.user.id)
        await persona_importing.show(interaction, preview)

    async def _pressed(self, interaction: discord.Interaction, what: str) -> None:
        """A button under a preview."""
        try:
            await persona_importing.pressed(self.runtime.persona, interaction, what)
        except ParleyError as error:
            await tell_error(interaction, error)

    @subcommand("persona", "export", "Hand out a character as a card.")
    @app_commands.describe(character="Its name or id", kind="A picture with the card in it by default")
    @app_commands.autocomplete(character=_characters)
    @app_commands.choices(kind=persona_importing.KINDS)
    @app_commands.checks.has_permissions(manage_guild=True)
    async def export_card(
        self, interaction: discord.Interaction, character: app_commands.Range[str, 1, 100], kind: str = "png"
    ) -> None:
        """Hand one out."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await persona_importing.export(self.runtime.persona, interaction, character, kind)

    @subcommand("persona", "status", "Who I am here, how I feel, what it costs, and what gives way.")
    async def status(self, interaction: discord.Interaction) -> None:
        """Show it."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        guild = interaction.guild
        observed = self.people.seen_by(interaction, guild) if guild is not None else []
        await answer(interaction, persona_status.told(self.runtime, interaction.guild_id or 0, observed))

    @subcommand("persona", "remove", "Remove a character that this server imported.")
    @app_commands.describe(character="Its name or id")
    @app_commands.autocomplete(character=_characters)
    @app_commands.checks.has_permissions(manage_guild=True)
    async def remove(self, interaction: discord.Interaction, character: app_commands.Range[str, 1, 100]) -> None:
        """Remove one."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await answer(
            interaction, await persona_choosing.remove(self.runtime.persona, interaction.guild_id or 0, character)
        )

    # Moods ------------------------------------------------------------------------------------------------------------

    async def _moods(self, interaction: discord.Interaction, partial: str) -> list[app_commands.Choice[str]]:
        """Complete the moods of the character of this server."""
        sheet = self.runtime.persona.cast.active(interaction.guild_id)
        return persona_words.mood_choices(sheet, partial)

    @subcommand("persona", "mood", "Show how I feel here, or change it.")
    @app_commands.describe(mood="One of the character's moods; “natural” lets it be as it is by nature")
    @app_commands.autocomplete(mood=_moods)
    async def mood(self, interaction: discord.Interaction, mood: app_commands.Range[str, 1, 40] | None = None) -> None:
        """Show or set the mood; setting it is for who may manage messages."""
        if mood is not None and not interaction.permissions.manage_messages:
            raise app_commands.MissingPermissions(["manage_messages"])
        natural = mood is not None and mood.casefold() == persona_words.NATURAL
        told = persona_choosing.mood(
            self.runtime.persona, interaction.guild_id, None if natural else mood, by_nature=natural
        )
        await answer(interaction, told)

    # The second self --------------------------------------------------------------------------------------------------

    @subcommand("persona", "argue", "Let me argue with my second self, here, about something.")
    @app_commands.describe(topic="What about")
    async def argue(self, interaction: discord.Interaction, topic: app_commands.Range[str, 1, 300]) -> None:
        """Start an argument, unless a session or an administrator stands against it."""
        if not await self.runtime.lockdown.allows(ARGUMENT, interaction):
            return
        require_writer(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        told = await self.runtime.persona.arguments.argue(interaction.channel, topic, interaction.user.id)
        await answer(interaction, told)

    @subcommand("persona", "stop", "Stop me arguing with my second self.")
    async def stop(self, interaction: discord.Interaction) -> None:
        """End the argument of the server; anybody may."""
        await answer(interaction, self.runtime.persona.arguments.stop(interaction.guild_id or 0))

    # People -----------------------------------------------------------------------------------------------------------

    @subcommand("persona", "observe", "Let me read along in this channel, or no more; or show where I do.")
    @app_commands.describe(state="On or off; without it, where I read along on this server")
    @app_commands.checks.has_permissions(manage_channels=True)
    async def observe(self, interaction: discord.Interaction, state: Literal["on", "off"] | None = None) -> None:
        """Begin or end reading along; the channel is told."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await answer(interaction, await self.people.observe(interaction, state))

    @subcommand("persona", "every", "After how many messages I join in here without being asked.")
    @app_commands.describe(messages="Of those who let me read along; 0 is never")
    @app_commands.checks.has_permissions(manage_channels=True)
    async def every(self, interaction: discord.Interaction, messages: app_commands.Range[int, 0, 1000]) -> None:
        """Set how often the bot joins in, in this channel."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await answer(interaction, await self.people.join_in_every(interaction, messages))

    @subcommand("persona", "profile", "What I keep of you on this server; only you see it.")
    async def profile(self, interaction: discord.Interaction) -> None:
        """Show it, with what can be done about it."""
        await self.people.show_profile(interaction)

    @subcommand("persona", "temperature", "How freely I answer you: show it, or set it.")
    @app_commands.describe(value="From precise (0) to wild", reset="Answer me as everybody")
    async def temperature(
        self, interaction: discord.Interaction, value: float | None = None, reset: bool = False
    ) -> None:
        """Show, set or forget it."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await answer(interaction, await self.people.temperature(interaction, value, reset=reset))


async def setup(bot: commands.Bot) -> None:
    """Load the cog."""
    await bot.add_cog(PersonaCog(bot))

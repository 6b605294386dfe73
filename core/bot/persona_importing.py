"""What `/persona import` and `export` show: a preview with buttons, what became of a press, and the file of a card."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, get_args

import discord
from discord import app_commands

from core.bot import persona_choosing
from core.bot.persona_cards import ExportKind, preview_buttons, preview_text
from core.bot.replies import NO_PINGS, answer
from core.errors import PersonaError
from core.machine.lane import Owner
from core.names import code, shown

if TYPE_CHECKING:
    from core.bot.persona_cards import Preview
    from core.bot.persona_room import Persona

KINDS = [
    app_commands.Choice(name="A picture with the card in it (.png)", value="png"),
    app_commands.Choice(name="The newest form of card (.json)", value="v3"),
    app_commands.Choice(name="The form before (.json)", value="v2"),
]
KEPT = "**{name}** is kept for this server: {id}. `/persona use` puts it to use."
DROPPED = "The card is let go; nothing of it is kept."
NOT_YOURS = "You need the permission “Manage Server” for this."
EXPORTED = "**{name}** as a card. Whoever has the file can read all of it."


async def show(interaction: discord.Interaction, preview: Preview) -> None:
    """Show a card that waits to whoever sent it, its picture too."""
    files: dict[str, Any] = {}
    if preview.picture is not None:
        files["file"] = discord.File(io.BytesIO(preview.picture), filename="preview.png")
    await interaction.followup.send(
        preview_text(preview),
        view=preview_buttons(preview.token),
        ephemeral=True,
        allowed_mentions=NO_PINGS,
        **files,
    )


async def pressed(persona: Persona, interaction: discord.Interaction, what: str) -> None:
    """Do what a button under a preview says; the right to it is asked again.

    Raises:
        PersonaError: The preview is over, or the card cannot be kept.
    """
    wish, _, token = what.partition(":")
    if interaction.guild_id is None or not interaction.permissions.manage_guild:
        raise PersonaError(NOT_YOURS)
    guild_id, user = interaction.guild_id, interaction.user
    await interaction.response.defer()
    if wish == "drop":
        persona.desk.drop(token, guild_id, user.id)
        await _close(interaction, DROPPED)
        return
    sheet = await persona.desk.keep(token, guild_id, user.id)
    await _close(interaction, KEPT.format(name=shown(sheet.name), id=code(sheet.id)))
    if wish == "use":
        told = await persona_choosing.use(persona, guild_id, sheet.id, user.display_name)
        await answer(interaction, told, ephemeral=False)


async def export(persona: Persona, interaction: discord.Interaction, name: str, kind: str) -> None:
    """Hand out a character as a card.

    Raises:
        PersonaError: There is no such character, or it cannot be made a card.
    """
    await persona.shelf.look(interaction.guild_id)
    sheet = persona.shelf.named(name, interaction.guild_id)
    chosen: ExportKind = next((each for each in get_args(ExportKind) if each == kind), "png")
    file = await persona.desk.export(sheet, chosen, Owner(interaction.guild_id or 0, interaction.user.id))
    await interaction.followup.send(
        EXPORTED.format(name=shown(sheet.name)), file=file, ephemeral=True, allowed_mentions=NO_PINGS
    )


async def _close(interaction: discord.Interaction, text: str) -> None:
    """End a preview: its buttons go."""
    await interaction.edit_original_response(content=text, view=None, attachments=[], allowed_mentions=NO_PINGS)

"""AdminCog: reload cogs while the bot runs, and tell Discord about the commands."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import core

if getattr(core, "PARLEY", None) != "parley":
    raise ImportError(f"Parley's cogs need Parley's package “core”, but Python found another: {core.__file__}.")

import discord
from discord import app_commands
from discord.ext import commands

from core.errors import ParleyError
from core.slash import ParleyCog, admins_only, answer

if TYPE_CHECKING:
    from collections.abc import Iterable

_log = logging.getLogger(__name__)

RELOADED = "Reloaded {names}."
KEPT = "`{name}` has a fault, so the old one goes on running:\n```\n{fault}\n```"
SYNCED = "Discord knows {count} command(s) {where} now."
CHOICES = 25  # what Discord shows at most


class AdminCog(ParleyCog, name="Admin"):
    """Commands for the bot's owner and the administrators of its servers."""

    def _loaded(self) -> list[str]:
        return sorted(name for name in self.bot.extensions if name.startswith("cogs."))

    async def _names(self, interaction: discord.Interaction, partial: str) -> list[app_commands.Choice[str]]:
        """Complete the names of loaded cogs."""
        del interaction
        names = [name.removeprefix("cogs.") for name in self._loaded()]
        return [app_commands.Choice(name=name, value=name) for name in names if partial.casefold() in name][:CHOICES]

    @app_commands.command(name="reload", description="Load the code of a cog anew; sessions and recordings go on.")
    @app_commands.describe(cog="Which one; all of them by default")
    @app_commands.autocomplete(cog=_names)
    @app_commands.default_permissions(administrator=True)
    @admins_only()
    async def reload(self, interaction: discord.Interaction, cog: str | None = None) -> None:
        """Reload one cog or all; a broken one leaves the old one running."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        loaded = self._loaded()
        if cog is not None and f"cogs.{cog}" not in loaded:
            names = ", ".join(f"`{name.removeprefix('cogs.')}`" for name in loaded)
            raise ParleyError(f"There is no such cog. Loaded are {names}.")
        chosen = loaded if cog is None else [f"cogs.{cog}"]
        faults = [fault for name in _self_last(chosen) if (fault := await self._reload(name))]
        done = [name for name in chosen if not any(f"`{name}`" in fault for fault in faults)]
        if done:
            faults.insert(0, RELOADED.format(names=", ".join(f"`{name.removeprefix('cogs.')}`" for name in done)))
        await answer(interaction, "\n".join(faults)[:2000])

    @app_commands.command(name="sync", description="Tell Discord about this bot's commands.")
    @app_commands.describe(here="Only for this server, where they appear at once")
    @app_commands.default_permissions(administrator=True)
    @admins_only()
    async def sync(self, interaction: discord.Interaction, here: bool = False) -> None:
        """Send the command tree to Discord; this is the only place that does so in somebody else's bot."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        tree = self.bot.tree
        if here and interaction.guild is not None:
            tree.copy_global_to(guild=interaction.guild)
            synced = await tree.sync(guild=interaction.guild)
        else:
            synced = await tree.sync()
        where = "on this server" if here else "everywhere"
        await answer(interaction, SYNCED.format(count=len(synced), where=where))

    async def _reload(self, name: str) -> str | None:
        """Reload one extension; gives the fault, with the old one restored by discord.py."""
        try:
            await self.bot.reload_extension(name)
        except commands.ExtensionError as error:
            cause = error.__cause__ or error
            _log.exception("%s could not be reloaded", name)
            lines = str(cause).splitlines() or [""]
            return KEPT.format(name=name, fault=f"{type(cause).__name__}: {lines[0]}"[:500].replace("```", "'''"))
        _log.info("%s reloaded", name)
        return None


def _self_last(names: Iterable[str]) -> list[str]:
    """This cog goes last, since it is at work."""
    return sorted(names, key=lambda name: name == __name__)


async def setup(bot: commands.Bot) -> None:
    """Load the cog."""
    await bot.add_cog(AdminCog(bot))

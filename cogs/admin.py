"""AdminCog: reload cogs while the bot runs, and tell Discord about the commands."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import core

if getattr(core, "PARLEY", None) != "parley":
    raise ImportError(f"Parley's cogs need Parley's package “core”, but Python found another: {core.__file__}.")

import discord
from discord import app_commands

from core.bot.checks import admins_only
from core.bot.cog import ParleyCog, is_owner, owner_only, require_owner
from core.bot.command_sync import sync_everywhere, sync_here
from core.bot.reload_report import changed_since_start, describe
from core.bot.replies import answer
from core.discord_limits import CHOICES
from core.errors import ParleyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from discord.ext import commands

    from core.bot.command_sync import Synced

_log = logging.getLogger(__name__)

RELOADED = "Reloaded {names}. Sessions and recordings went on."
KEPT = "{name} has a fault, so the old one goes on running:"
GONE = "{name} has a fault, and the old one could not be brought back either; restart the bot once it is mended:"
STALE = "Only cogs are reloaded. Restart the bot for what has changed elsewhere: {files}."
NO_SUCH_COG = "There is no such cog. Loaded are {names}."
SYNCED = "Discord knows {count} command(s) {where} now."
REMOVED = " Gone are {names}."
EVERYWHERE_IS_THE_OWNERS = "Only the bot's owner can do this everywhere; for this server alone, choose `here`."
FAULTS_CHARACTERS = 1600  # of the 2,000 of a message
SHOWN_FILES = 5
WALKS = 100  # an import of a large package takes seconds, a walk less than a millisecond


class AdminCog(ParleyCog, name="Admin"):
    """Commands for the bot's owner; a server's administrators may tell Discord about the commands there."""

    needed_intents = ()

    def _loaded(self) -> list[str]:
        """Parley's own extensions; a host's are none of our business."""
        modules = {type(cog).__module__ for cog in self.bot.cogs.values() if isinstance(cog, ParleyCog)}
        return sorted(
            name
            for name in self.bot.extensions
            if any(module == name or module.startswith(f"{name}.") for module in modules)
        )

    async def _names(self, interaction: discord.Interaction, partial: str) -> list[app_commands.Choice[str]]:
        """Complete the names of loaded cogs."""
        if not await is_owner(interaction):
            return []
        names = [_short(name) for name in self._loaded()]
        return [app_commands.Choice(name=name, value=name) for name in names if partial.casefold() in name][:CHOICES]

    @app_commands.command(name="reload", description="Load the code of a cog anew; sessions and recordings go on.")
    @app_commands.describe(cog="Which one; all of them by default")
    @app_commands.autocomplete(cog=_names)
    @app_commands.default_permissions(administrator=True)
    @owner_only()
    async def reload(self, interaction: discord.Interaction, cog: str | None = None) -> None:
        """Reload one cog or all; a broken one leaves the old one running."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        loaded = self._loaded()
        chosen = [name for name in loaded if cog is None or cog.casefold() in (name, _short(name))]
        if not chosen:
            raise ParleyError(NO_SUCH_COG.format(names=_listed(loaded)))
        chosen.sort(key=lambda name: name == __name__)  # this cog goes last, since it is at work
        faults = {name: fault for name in chosen if (fault := await self._reload(name))}
        await answer(interaction, await self._outcome(chosen, faults))

    @app_commands.command(name="sync", description="Tell Discord about this bot's commands.")
    @app_commands.describe(here="Only on this server, for commands that are not everywhere yet")
    @app_commands.default_permissions(administrator=True)
    @admins_only()
    async def sync(self, interaction: discord.Interaction, here: bool = False) -> None:
        """Send the command tree to Discord; this is the only place that does so in somebody else's bot."""
        if not here:
            await require_owner(interaction, EVERYWHERE_IS_THE_OWNERS)
        await interaction.response.defer(ephemeral=True, thinking=True)
        if here and interaction.guild is None:
            raise ParleyError("Name no server in a direct message: run this on the server itself.")
        if here and interaction.guild is not None:
            synced, where = await sync_here(self.bot.tree, interaction.guild), "on this server alone"
        else:
            synced, where = await sync_everywhere(self.bot.tree, interaction.guild), "everywhere"
        await answer(interaction, _report(synced, where))

    async def _reload(self, name: str) -> Exception | None:
        """Reload one extension; gives what was wrong, with the old one restored by discord.py."""
        try:
            await _reload_extension(self.bot, name)
        except Exception as error:  # noqa: BLE001 - whatever a cog's code raises is logged, and shown to who asked
            _log.exception("%s could not be reloaded", name)
            return error
        _log.info("%s reloaded", name)
        return None

    async def _outcome(self, chosen: Sequence[str], faults: dict[str, Exception]) -> str:
        done = [name for name in chosen if name not in faults]
        parts = [RELOADED.format(names=_listed(done))] if done else []
        for name, error in faults.items():
            sentence = KEPT if name in self.bot.extensions else GONE
            fault = describe(error, FAULTS_CHARACTERS // len(faults))
            parts.append(sentence.format(name=f"`{_short(name)}`") + f"\n```\n{fault}\n```")
        stale = await asyncio.to_thread(changed_since_start)
        if stale:
            more = f" and {len(stale) - SHOWN_FILES} more" if len(stale) > SHOWN_FILES else ""
            parts.append(STALE.format(files=", ".join(f"`{file}`" for file in stale[:SHOWN_FILES]) + more))
        return "\n".join(parts)


async def _reload_extension(bot: commands.Bot, name: str) -> None:
    """Reload as discord.py does, also while other threads import.

    It begins by walking through all loaded modules; when a thread loads one meanwhile that fails, with nothing done yet.
    """
    for _ in range(WALKS):
        try:
            return await bot.reload_extension(name)
        except RuntimeError as error:  # a cog's own comes as ExtensionFailed
            if "changed size during iteration" not in str(error):
                raise
            _log.info("modules were loaded while %s was to be reloaded", name)
            await asyncio.sleep(0.01)
    return await bot.reload_extension(name)


def _short(name: str) -> str:
    return name.removeprefix("cogs.")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{_short(name)}`" for name in names)


def _report(synced: Synced, where: str) -> str:
    removed = REMOVED.format(names=", ".join(f"`/{name}`" for name in synced.removed)) if synced.removed else ""
    return SYNCED.format(count=synced.count, where=where) + removed


async def setup(bot: commands.Bot) -> None:
    """Load the cog."""
    await bot.add_cog(AdminCog(bot))

"""Registers slash commands with Discord, everywhere or on one server, without showing any of them twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from core.errors import ParleyError
from core.names import shown_text

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from discord.app_commands import AppCommand, Command, CommandTree, ContextMenu, Group

    AnyCommand = Command[Any, ..., Any] | ContextMenu | Group


NO_SCOPE = "Discord lets me register no commands here. Invite me again with the scope “applications.commands”."

TOO_MANY = "Discord has taken as many new commands as it takes in a day (200). Try again tomorrow."

INVALID = "Discord refuses the commands: {reason}"

FAILED = "Discord did not take the commands ({status}). Please try again."

DAILY_LIMIT = 30034  # Discord's error code


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync did: how many commands the place has now, and the names that were there before and are gone."""

    count: int
    removed: tuple[str, ...] = ()


async def sync_everywhere(tree: CommandTree[Any], guild: discord.Guild | None) -> Synced:
    """Register the tree's global commands; copies that `sync_here` once made in `guild` are taken away.

    Raises:
        ParleyError: Discord refuses.
    """
    before = await _asked(tree.fetch_commands())
    after = await _asked(tree.sync())
    if guild is not None:
        there = {_key(command) for command in await _asked(tree.fetch_commands(guild=guild))}
        if there & {_key(command) for command in after}:
            await _asked(tree.sync(guild=guild))
    return _difference(before, after)


async def sync_here(tree: CommandTree[Any], guild: discord.Guild) -> Synced:
    """Register on one server its own commands, and those of the global ones that Discord does not know yet.

    Discord shows a command twice that is registered both everywhere and on the server.

    Raises:
        ParleyError: Discord refuses.
    """
    everywhere = {_key(command) for command in await _asked(tree.fetch_commands())}
    before = await _asked(tree.fetch_commands(guild=guild))
    own = {(_kind(command), command.name) for command in _commands(tree, guild)}
    copies = [command for command in _commands(tree, None) if (_kind(command), command.name) not in everywhere | own]
    for command in copies:
        tree.add_command(command, guild=guild)
    try:
        after = await _asked(tree.sync(guild=guild))
    finally:  # calls find the global command; a copy kept here would outlive the cog that it belongs to
        for command in copies:
            tree.remove_command(command.name, guild=guild, type=discord.AppCommandType(_kind(command)))
    return _difference(before, after)


def _commands(tree: CommandTree[Any], guild: discord.Guild | None) -> Sequence[AnyCommand]:
    return tree.get_commands(guild=guild)


def _kind(command: AnyCommand) -> int:
    kind = command.type if isinstance(command, app_commands.ContextMenu) else discord.AppCommandType.chat_input
    return kind.value


def _key(command: AppCommand) -> tuple[int, str]:
    return command.type.value, command.name


def _difference(before: Sequence[AppCommand], after: Sequence[AppCommand]) -> Synced:
    kept = {_key(command) for command in after}
    return Synced(len(after), tuple(sorted(command.name for command in before if _key(command) not in kept)))


async def _asked(request: Coroutine[Any, Any, list[AppCommand]]) -> list[AppCommand]:
    """The answer of Discord, or a sentence that says why there is none."""
    try:
        return await request
    except discord.Forbidden as error:
        raise ParleyError(NO_SCOPE) from error
    except app_commands.CommandSyncFailure as error:
        raise ParleyError(INVALID.format(reason=shown_text(str(error)))) from error
    except discord.HTTPException as error:
        sentence = TOO_MANY if error.code == DAILY_LIMIT else FAILED.format(status=error.status)
        raise ParleyError(sentence) from error

"""Slash commands of several cogs under one name: `/voice` is filled by whichever cogs are loaded.

Also the base of Parley's cogs: attach to the runtime, fill the shared groups, answer errors with a sentence. And how
Discord is told about the commands, everywhere or on one server, without showing any of them twice.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import discord
from discord import app_commands
from discord.ext import commands

from core.errors import ParleyError
from core.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Sequence

    from discord.app_commands import AppCommand, Command, CommandTree, ContextMenu, Group

    AnyCommand = Command[Any, ..., Any] | ContextMenu | Group

_log = logging.getLogger(__name__)

GROUPS = {
    "voice": "Join, speak, play and record in voice channels.",
    "prompt": "What the bot answers, where, and as whom.",
}
UNEXPECTED = "Something went wrong on my side, and it is in the log under `{reference}`. Please try again."
MESSAGE_LIMIT = 2000  # characters
NO_PINGS = discord.AllowedMentions.none()

OWNER_ONLY = "Only the bot's owner can do this: it concerns every server I am on."
OWNER_S = 1.5
NO_OWNER = "Discord did not tell me who owns me. Please try again."
NO_SCOPE = "Discord lets me register no commands here. Invite me again with the scope “applications.commands”."
TOO_MANY = "Discord has taken as many new commands as it takes in a day (200). Try again tomorrow."
INVALID = "Discord refuses the commands: {reason}"
FAILED = "Discord did not take the commands ({status}). Please try again."
DAILY_LIMIT = 30034  # Discord's error code

_MARK = "__parley_subcommand__"
F = TypeVar("F", bound=Callable[..., Coroutine[Any, Any, None]])


def subcommand(group: str, name: str, description: str) -> Callable[[F], F]:
    """Mark a cog's method as `/group name`; `ParleyCog` adds it to the shared group on load and removes it on unload.

    Goes above the decorators of `discord.app_commands` that describe parameters.
    """

    def mark(function: F) -> F:
        setattr(function, _MARK, (group, name, description))
        return function

    return mark


class SharedGroup(app_commands.Group):
    """A slash group that belongs to no cog; it stands in the tree while any cog has a command in it."""


async def answer(interaction: discord.Interaction, text: str, *, ephemeral: bool = True) -> None:
    """Answer an interaction whether or not it was answered or deferred before; nothing in `text` pings.

    What is longer than a message of Discord's is cut.
    """
    text = text if len(text) <= MESSAGE_LIMIT else f"{text[: MESSAGE_LIMIT - 1]}…"
    if interaction.response.is_done():
        await interaction.followup.send(text, ephemeral=ephemeral, allowed_mentions=NO_PINGS)
    else:
        await interaction.response.send_message(text, ephemeral=ephemeral, allowed_mentions=NO_PINGS)


class ParleyCog(commands.Cog):
    """A cog that shares the runtime. Subclasses mark their subcommands and hold no state that a reload may not lose."""

    runtime: Runtime
    needed_intents: ClassVar[tuple[str, ...]] = ("guilds", "voice_states")  # discord.py names them so

    def __init_subclass__(cls, **options: Any) -> None:
        """Name the cog so that a host's own `Voice` or `Admin` can stand beside it."""
        super().__init_subclass__(**options)
        cls.__cog_name__ = f"Parley {cls.__cog_name__}"

    def __init__(self, bot: commands.Bot) -> None:
        self.bot = bot
        self._subcommands: list[tuple[str, str]] = []

    async def cog_load(self) -> None:
        """Attach to the runtime and add the commands; leaves nothing behind when it raises."""
        self._refuse_collisions()
        self._require_intents()
        self.runtime = await Runtime.attach(self.bot, owner=self)
        self._fill_groups()
        self.runtime.returning.know(self._command_names())

    async def cog_unload(self) -> None:
        """Take the commands and subscriptions away; sessions and recordings stay with the runtime."""
        self._withdraw()

    async def _inject(self, *args: Any, **options: Any) -> Self:
        """discord.py lets errors of loading out without `cog_unload`; what was added until then goes here."""
        try:
            return await super()._inject(*args, **options)
        except BaseException:
            self._withdraw()
            raise

    def _withdraw(self) -> None:
        self._empty_groups()
        runtime: Runtime | None = self.__dict__.get("runtime")
        if runtime is not None:
            runtime.hub.drop(self)
            runtime.detach(self)

    async def cog_app_command_error(
        self, interaction: discord.Interaction, error: app_commands.AppCommandError
    ) -> None:
        """Say what went wrong; the log has the cause."""
        await tell_error(interaction, error)

    def _marked(self) -> list[tuple[str, str, str, Callable[..., Coroutine[Any, Any, None]]]]:
        found: list[tuple[str, str, str, Callable[..., Coroutine[Any, Any, None]]]] = []
        for attribute in dir(type(self)):
            mark = getattr(getattr(type(self), attribute), _MARK, None)
            if mark is not None:
                found.append((*mark, getattr(self, attribute)))
        return found

    def _command_names(self) -> set[str]:
        """What people type after the slash, up to the first blank."""
        return {group for group, *_ in self._marked()} | {command.name for command in self.__cog_app_commands__}

    def _refuse_collisions(self) -> None:
        """Discord's library finds a name taken only after the cog has started work; look before."""
        tree = self.bot.tree
        wanted = {group for group, *_ in self._marked()}
        taken = [name for name in wanted if (there := tree.get_command(name)) and not isinstance(there, SharedGroup)]
        taken += [command.name for command in self.__cog_app_commands__ if tree.get_command(command.name)]
        if taken:
            names = ", ".join(f"/{name}" for name in sorted(taken))
            raise ParleyError(
                f"{type(self).__name__} cannot load: this bot already has {names}. Rename or unload that first."
            )

    def _require_intents(self) -> None:
        """Without them Discord says nothing of what the cog waits for, and joining a channel never ends."""
        missing = [name for name in self.needed_intents if not getattr(self.bot.intents, name)]
        if missing:
            names = ", ".join(f"“{name}”" for name in missing)
            raise ParleyError(f"{type(self).__name__} cannot load: this bot is made without the intent(s) {names}.")

    def _fill_groups(self) -> None:
        tree = self.bot.tree
        for group_name, name, description, callback in self._marked():
            group = tree.get_command(group_name)
            if not isinstance(group, SharedGroup):
                group = SharedGroup(name=group_name, description=GROUPS[group_name], guild_only=True)
                tree.add_command(group)
            group.add_command(app_commands.Command(name=name, description=description, callback=callback))
            self._subcommands.append((group_name, name))

    def _empty_groups(self) -> None:
        tree = self.bot.tree
        for group_name, name in self._subcommands:
            group = tree.get_command(group_name)
            if isinstance(group, SharedGroup):
                group.remove_command(name)
                if not group.commands:
                    tree.remove_command(group_name)
        self._subcommands.clear()


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


async def is_owner(interaction: discord.Interaction) -> bool:
    """Whether the caller owns the bot, alone or as a member of its team; asked of Discord once, by discord.py.

    Raises:
        app_commands.CheckFailure: Discord does not tell.
    """
    bot = interaction.client
    try:
        async with asyncio.timeout(OWNER_S):  # discord.py tries again for longer than a person is let wait
            return isinstance(bot, commands.Bot) and await bot.is_owner(interaction.user)
    except (discord.HTTPException, TimeoutError) as error:
        raise app_commands.CheckFailure(NO_OWNER) from error


async def is_admin(interaction: discord.Interaction) -> bool:
    """Whether the caller administers the guild or owns the bot."""
    if interaction.guild is not None and interaction.permissions.administrator:
        return True
    return await is_owner(interaction)


async def require_owner(interaction: discord.Interaction, sentence: str = OWNER_ONLY) -> None:
    """Refuse everybody but the bot's owner what is of the process.

    Raises:
        app_commands.CheckFailure: It is somebody else.
    """
    if not await is_owner(interaction):
        raise app_commands.CheckFailure(sentence)


def owner_only() -> Callable[[F], F]:
    """Check: the bot's owner, or a member of the team that owns it."""

    async def predicate(interaction: discord.Interaction) -> bool:
        await require_owner(interaction)
        return True

    return app_commands.check(predicate)


def admins_only() -> Callable[[F], F]:
    """Check: the bot's owner or a guild's administrators."""

    async def predicate(interaction: discord.Interaction) -> bool:
        if await is_admin(interaction):
            return True
        raise app_commands.CheckFailure("Only administrators of this server or the bot's owner can do this.")

    return app_commands.check(predicate)


# Telling Discord ------------------------------------------------------------------------------------------------------


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
        raise ParleyError(INVALID.format(reason=str(error)[:1500])) from error
    except discord.HTTPException as error:
        sentence = TOO_MANY if error.code == DAILY_LIMIT else FAILED.format(status=error.status)
        raise ParleyError(sentence) from error

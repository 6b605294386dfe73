"""The base of Parley's cogs: attach to the runtime, fill the shared groups, end with the cog whatever it registered.

Slash commands of several cogs stand under one name: `/voice` is filled by whichever cogs are loaded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import discord
from discord import app_commands
from discord.ext import commands

from core.bot.replies import tell_error
from core.bot.runtime import Runtime
from core.errors import ParleyError
from core.events import Event
from core.redaction import redact_logger
from core.tasks import Tasks

if TYPE_CHECKING:
    from core.bot.interactions import Pressed
    from core.bot.messages import Claim, Taker
    from core.bot.spoken_commands import Carry
    from core.config.hearing import CommandName
    from core.handles import Ending, Handle
    from core.hub import Handler
    from core.lockdown import Feature

_log = logging.getLogger(__name__)

GROUPS = {
    "voice": "Join, speak, play and record in voice channels.",
    "music": "Play music beside the voice: a queue with everything.",
    "prompt": "What the bot answers, where, and as whom.",
    "persona": "Who the bot is, how it feels, and whom it knows.",
    "schedule": "What I do at a time, or again and again.",
    "watch": "Pages and feeds that I watch for this server.",
    "recordings": "What was recorded here, and what was said.",
}

OWNER_ONLY = "Only the bot's owner can do this: it concerns every server I am on."
OWNER_S = 1.5
NO_OWNER = "Discord did not tell me who owns me. Please try again."

_MARK = "__parley_subcommand__"
F = TypeVar("F", bound=Callable[..., Coroutine[Any, Any, None]])
E = TypeVar("E", bound=Event)
H = TypeVar("H", bound="Ending")


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


class ParleyCog(commands.Cog):
    """A cog that shares the runtime. Subclasses mark their subcommands and hold no state that a reload may not lose.

    What a subclass registers it registers here (`subscribe`, `take_messages`, `give_way`, ...), or hands to
    `until_unload` and `close_on_unload`: all of it ends with the cog, the last first, also when loading fails.
    """

    runtime: Runtime
    needed_intents: ClassVar[tuple[str, ...]] = ("guilds", "voice_states")  # discord.py names them so

    def __init_subclass__(cls, **options: Any) -> None:
        """Name the cog so that a host's own `Voice` or `Admin` can stand beside it."""
        super().__init_subclass__(**options)
        cls.__cog_name__ = f"Parley {cls.__cog_name__}"
        redact_logger(cls.__module__)

    def __init__(self, bot: commands.Bot) -> None:
        self.bot = bot
        self.tasks = Tasks(f"cog {self.qualified_name}")
        self._registered = AsyncExitStack()
        self._subcommands: list[tuple[str, str]] = []

    async def cog_load(self) -> None:
        """Attach to the runtime and add the commands; leaves nothing behind when it raises."""
        self._refuse_collisions()
        self._require_intents()
        self.runtime = await Runtime.attach(self.bot, owner=self)
        self._registered.push_async_callback(self.tasks.cancel_all)
        self._fill_groups()
        self.runtime.interactions.know(self._command_names())

    async def cog_unload(self) -> None:
        """Take the commands and registrations away; sessions and recordings stay with the runtime."""
        await self._withdraw()

    async def _inject(self, *args: Any, **options: Any) -> Self:
        """discord.py lets errors of loading out without `cog_unload`; what was added until then goes here."""
        try:
            return await super()._inject(*args, **options)
        except BaseException:
            await self._withdraw()
            raise

    async def _withdraw(self) -> None:
        self._empty_groups()
        try:
            await self._registered.aclose()
        finally:
            runtime: Runtime | None = self.__dict__.get("runtime")
            if runtime is not None:
                runtime.detach(self)

    # Registering ------------------------------------------------------------------------------------------------------

    def until_unload(self, handle: H) -> H:
        """End a handle, or whatever else has an `end`, with this cog."""
        self._registered.callback(handle.end)
        return handle

    def close_on_unload(self, close: Callable[[], Awaitable[None]]) -> None:
        """Await `close()` with this cog."""
        self._registered.push_async_callback(close)

    def subscribe(self, event: type[E], handler: Handler[E]) -> Handle:
        """Call `handler` for every event of this class, or below."""
        return self.until_unload(self.runtime.hub.subscribe(event, handler, owner=self))

    def take_messages(self, taker: Taker) -> Handle:
        """Give every message to `taker`; those that come while this cog is loaded anew wait for it."""
        return self.until_unload(self.runtime.messages.take(taker))

    def claim_messages(self, claim: Claim) -> Handle:
        """Ask `claim` about each message before it becomes a prompt."""
        return self.until_unload(self.runtime.messages.add_claim(claim, owner=self))

    def take_presses(self, name: str, pressed: Pressed) -> Handle:
        """Give presses of buttons, and forms, whose id is `parley:<name>:<what>` to `pressed(interaction, what)`."""
        return self.until_unload(self.runtime.interactions.take(name, pressed))

    def take_spoken(self, command: CommandName, carry: Carry) -> Handle:
        """Have `carry` carry out a command that people say to the bot."""
        return self.until_unload(self.runtime.spoken.handle(command, carry))

    def give_way(self, feature: Feature) -> Handle:
        """Let a feature take part in the lockdown."""
        return self.until_unload(self.runtime.lockdown.register(feature, owner=self))

    def add_menu(self, name: str, callback: Callable[[discord.Interaction, Any], Coroutine[Any, Any, None]]) -> None:
        """Offer a command in the menu of a message or a person, whichever `callback` takes, on servers.

        Raises:
            ParleyError: This bot has one of that name already.
        """
        menu = app_commands.ContextMenu(name=name, callback=callback)
        if self.bot.tree.get_command(name, type=menu.type) is not None:
            raise ParleyError(f"{type(self).__name__} cannot load: this bot already has the menu command “{name}”.")
        menu.guild_only = True
        menu.error(self.cog_app_command_error)
        try:
            self.bot.tree.add_command(menu)
        except app_commands.CommandLimitReached as error:
            raise ParleyError(f"{type(self).__name__} cannot load: Discord allows no more menu commands.") from error
        self._registered.callback(self.bot.tree.remove_command, name, type=menu.type)
        self.runtime.interactions.know([name])

    # Commands ---------------------------------------------------------------------------------------------------------

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

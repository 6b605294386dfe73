"""LockdownCog: what gives way while the bot talks, shown and set by hand; messages that wait are answered afterwards."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

import core

if getattr(core, "PARLEY", None) != "parley":
    raise ImportError(f"Parley's cogs need Parley's package “core”, but Python found another: {core.__file__}.")

import aiohttp
import discord
from discord import app_commands

from core.bot.checks import admins_only, owns
from core.bot.cog import ParleyCog, is_owner, owner_only, require_owner
from core.bot.interactions import BUTTONS
from core.bot.replies import NO_PINGS, answer, tell_error
from core.conversation.intake import TEXT
from core.discord_limits import CHOICE_LENGTH, CHOICES
from core.errors import LockdownError, ParleyError
from core.events import MemoryRanLow, SessionStarted
from core.lockdown import Feature, QueuePolicy, describe
from core.names import plain, term

if TYPE_CHECKING:
    from discord.ext import commands

    from core.lockdown.status import OwedUndo
    from core.store.lockdown import QueuedMessage

_log = logging.getLogger(__name__)

LOCKED_ALL = "Everything is locked{where}{until}."
LOCKED_ONE = "“{name}” is locked{where}{until}."
UNLOCKED = "What was locked by hand is free again{where}{rest}."
UNLOCKED_ONE = "“{name}” is free again{where}{rest}."
NOT_LOCKED = "Nothing was locked by hand{where}{rest}."
HERE, EVERYWHERE = "", " on every server"
BY_THE_OWNER = "the bot's owner by hand"
NOT_OWED = "That is undone already, or never was to be."
FORGET = "Do you want to forget {what}? I then try it no more, and it stays as it is now."
FORGOTTEN = "Forgotten: {what}."
KEPT = "It stays in the status, and I go on trying."
OWNERS_WORD = "On every server, pausing what runs; for the bot's owner"
SESSION_HOLDS = "; a voice session holds its locks until it ends"
NO_PROMPT_COG = "Messages wait, but the prompt cog that answers them is not loaded."
NO_DISCORD = "Discord cannot be reached."
UNREACHABLE = (discord.DiscordServerError, aiohttp.ClientError, OSError)
LOOK_BACK = 50  # messages, the newest first, that are searched for an answer from just before a crash
OWNER = "lockdown"  # of the buttons
LONGEST_MIN = 30 * 24 * 60

Minutes = app_commands.Range[int, 1, LONGEST_MIN]


class LockdownCog(ParleyCog, name="Lockdown"):
    """Commands about locks, and what people see of them."""

    lockdown = app_commands.Group(
        name="lockdown",
        description="What gives way while the bot talks.",
        guild_only=True,
    )

    async def cog_load(self) -> None:
        """Attach, and keep ordinary messages for after a session."""
        await super().cog_load()
        waiting = QueuePolicy(
            self._answer_now, self._fetch, answered=self._was_answered, tell=self._tell, unmark=self._unmark
        )
        self.give_way(Feature(TEXT, "Replies in text channels", waiting))
        self.subscribe(MemoryRanLow, self._warn)
        self.subscribe(SessionStarted, self._warn_newcomers)
        self.take_presses(OWNER, self.pressed)

    # Messages that waited ---------------------------------------------------------------------------------------------

    async def _fetch(self, queued: QueuedMessage) -> discord.Message | None:
        """The message as it is now; None if it is gone, or may not be read any more."""
        await self.bot.wait_until_ready()
        try:
            channel = self.bot.get_channel(queued.channel_id) or await self.bot.fetch_channel(queued.channel_id)
            if not isinstance(channel, discord.abc.Messageable):
                return None
            return await channel.fetch_message(queued.message_id)
        except (discord.NotFound, discord.Forbidden):
            return None
        except UNREACHABLE as error:
            raise LockdownError(NO_DISCORD) from error

    async def _answer_now(self, message: discord.Message) -> None:
        answer_with = self.runtime.intake.answerer
        if answer_with is None:
            raise LockdownError(NO_PROMPT_COG)
        try:
            await answer_with(message)
        except ParleyError as error:  # nothing was begun: too much waits there already, or the bot is being stopped
            raise LockdownError(error.sentence) from error

    async def _was_answered(self, message: discord.Message) -> bool:
        """Whether one of the last messages is our answer to it."""
        try:
            async for later in message.channel.history(after=message, limit=LOOK_BACK, oldest_first=False):
                if later.author == self.bot.user and later.reference and later.reference.message_id == message.id:
                    return True
        except UNREACHABLE as error:
            raise LockdownError(NO_DISCORD) from error
        return False

    async def _unmark(self, queued: QueuedMessage, emoji: str) -> None:
        channel = self.bot.get_partial_messageable(queued.channel_id, guild_id=queued.guild_id)
        if self.bot.user is not None:
            await channel.get_partial_message(queued.message_id).remove_reaction(emoji, self.bot.user)

    async def _tell(self, queued: QueuedMessage, sentence: str) -> None:
        """Tell the author of a message that stays without an answer, as a reply to it."""
        channel = self.bot.get_partial_messageable(queued.channel_id, guild_id=queued.guild_id)
        reference = discord.MessageReference(
            message_id=queued.message_id, channel_id=queued.channel_id, fail_if_not_exists=False
        )
        await channel.send(sentence, reference=reference, allowed_mentions=NO_PINGS)

    # What people see --------------------------------------------------------------------------------------------------

    async def _warn(self, event: MemoryRanLow) -> None:
        for session in self.runtime.voice.sessions:
            await session.notice(describe.low_memory(event.memory, event.used_bytes, event.total_bytes))

    async def _warn_newcomers(self, event: SessionStarted) -> None:
        """Memory is watched from before the bot connects, when there is nobody to be told yet."""
        session = self.runtime.voice.session(event.guild_id)
        if session is None:
            return
        for memory in self.runtime.lockdown.memory.low:
            await session.notice(describe.low_memory(memory.name, memory.used_bytes, memory.total_bytes))

    # Commands ---------------------------------------------------------------------------------------------------------

    async def _names(self, interaction: discord.Interaction, partial: str) -> list[app_commands.Choice[str]]:
        """Complete the names of features, from memory."""
        del interaction
        wanted = partial.casefold()
        found = [
            feature
            for feature in self.runtime.lockdown.features
            if wanted in f"{feature.name} {feature.title}".casefold()
        ]
        return [app_commands.Choice(name=plain(feature.title), value=feature.name) for feature in found][:CHOICES]

    @lockdown.command(name="status", description="What is locked, why, since when, and what is still to be undone.")
    async def status(self, interaction: discord.Interaction) -> None:
        """Show what concerns this server, and to the bot's owner everything."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        whole = await owns(interaction)
        status = await self.runtime.lockdown.status(guild_id=None if whole else interaction.guild_id)
        embed = discord.Embed(title="Lockdown", description=describe.cut(describe.overview(status), 1000))
        for number, part in enumerate(describe.fields(describe.features(status))):
            embed.add_field(name="\u200b" if number else "Features", value=part, inline=False)
        if not whole:  # hooks, routes and the machine are of the process
            if hint := describe.problem_count(status):
                embed.add_field(name="Problems", value=hint, inline=False)
            await interaction.followup.send(embed=embed, ephemeral=True)
            return
        if problems := describe.problems(status):
            embed.add_field(name="Problems", value=describe.cut(problems), inline=False)
        if status.route is not None:
            embed.add_field(name="Model route", value=term(status.route))
        if status.memories:
            embed.add_field(name="Memory", value=describe.cut(describe.memories(status.memories), 300))
        await interaction.followup.send(embed=embed, ephemeral=True)

    @lockdown.command(name="on", description="Lock every feature by hand, on this server.")
    @app_commands.describe(minutes="For how long; until you unlock it by default", everywhere=OWNERS_WORD)
    @admins_only()
    async def on(
        self, interaction: discord.Interaction, minutes: Minutes | None = None, everywhere: bool = False
    ) -> None:
        """Lock everything."""
        guild_id, where = await _place(interaction, everywhere)
        await interaction.response.defer(ephemeral=True, thinking=True)
        reason = _reason(interaction, guild_id)
        await self.runtime.lockdown.lock(guild_id=guild_id, duration_s=_seconds(minutes), reason=reason)
        await answer(interaction, LOCKED_ALL.format(where=where, until=_until(minutes)))

    @lockdown.command(name="off", description="Take back everything that was locked by hand on this server.")
    @app_commands.describe(everywhere=OWNERS_WORD)
    @admins_only()
    async def off(self, interaction: discord.Interaction, everywhere: bool = False) -> None:
        """Unlock everything; a session keeps what it holds."""
        guild_id, where = await _place(interaction, everywhere)
        await interaction.response.defer(ephemeral=True, thinking=True)
        undone = await self.runtime.lockdown.unlock(guild_id=guild_id)
        rest = SESSION_HOLDS if self.runtime.voice.sessions else ""
        await answer(interaction, (UNLOCKED if undone else NOT_LOCKED).format(where=where, rest=rest))

    @lockdown.command(name="feature", description="Lock or unlock one feature by hand, on this server.")
    @app_commands.describe(
        name="Which one",
        locked="Whether it is locked",
        minutes="For how long it is locked",
        everywhere=OWNERS_WORD,
    )
    @app_commands.autocomplete(name=_names)
    @admins_only()
    async def feature(
        self,
        interaction: discord.Interaction,
        name: str,
        locked: bool = True,
        minutes: Minutes | None = None,
        everywhere: bool = False,
    ) -> None:
        """Lock or unlock one."""
        guild_id, where = await _place(interaction, everywhere)
        await interaction.response.defer(ephemeral=True, thinking=True)
        lockdown = self.runtime.lockdown
        if locked:
            reason = _reason(interaction, guild_id)
            await lockdown.lock(name, guild_id=guild_id, duration_s=_seconds(minutes), reason=reason)
            await answer(interaction, LOCKED_ONE.format(name=term(name), where=where, until=_until(minutes)))
            return
        undone = await lockdown.unlock(name, guild_id=guild_id)
        rest = "; something else still holds it" if lockdown.locked(name, guild_id=guild_id) else ""
        await answer(
            interaction, (UNLOCKED_ONE if undone else NOT_LOCKED).format(name=term(name), where=where, rest=rest)
        )

    async def _undos(self, interaction: discord.Interaction, partial: str) -> list[app_commands.Choice[str]]:
        """Complete what is still to be undone, from memory."""
        if not await is_owner(interaction):
            return []
        wanted = partial.casefold()
        owed = [owed for owed in self.runtime.lockdown.owed if wanted in describe.undo(owed).casefold()]
        return [app_commands.Choice(name=describe.undo_choice(one), value=_key(one)) for one in owed][:CHOICES]

    @lockdown.command(name="forget", description="Give up something that cannot be undone any more.")
    @app_commands.describe(undo="Which one, as /lockdown status shows it")
    @app_commands.autocomplete(undo=_undos)
    @owner_only()
    async def forget(self, interaction: discord.Interaction, undo: str) -> None:
        """Ask first: what is forgotten is never undone."""
        found = [owed for owed in self.runtime.lockdown.owed if _key(owed) == undo]
        if not found:
            raise LockdownError(NOT_OWED)
        await interaction.response.send_message(
            FORGET.format(what=describe.undo(found[0])), view=_question(found[0]), ephemeral=True
        )

    async def pressed(self, interaction: discord.Interaction, what: str) -> None:
        """An answer to whether an undo is really to be forgotten; only the person who asked sees the question."""
        try:
            await require_owner(interaction)
            await self._decide(interaction, what)
        except Exception as error:  # noqa: BLE001 - shown as a sentence, and in the log with its cause
            await tell_error(interaction, error)

    async def _decide(self, interaction: discord.Interaction, what: str) -> None:
        answered, _, mark = what.partition("-")
        text = KEPT
        if answered == "forget":
            found = [owed for owed in self.runtime.lockdown.owed if _mark(owed) == mark]
            forgotten = bool(found) and await self.runtime.lockdown.forget(found[0].kind, found[0].name)
            text = FORGOTTEN.format(what=describe.undo(found[0])) if forgotten else NOT_OWED
        await interaction.response.edit_message(content=text, view=None)


def _question(owed: OwedUndo) -> discord.ui.View:
    """Whether an undo is really to be forgotten; the runtime listens to the buttons by their ids."""
    view = discord.ui.View(timeout=None)
    for label, answer_, style in (
        ("Forget it", "forget", discord.ButtonStyle.danger),
        ("Keep it", "keep", discord.ButtonStyle.secondary),
    ):
        button_id = f"{BUTTONS}{OWNER}:{answer_}-{_mark(owed)}"
        view.add_item(discord.ui.Button(label=label, style=style, custom_id=button_id))
    view.stop()
    return view


def _mark(owed: OwedUndo) -> str:
    """What stands for an undo in the id of a button: names may be longer than that."""
    return hashlib.sha256(f"{owed.kind}:{owed.name}".encode()).hexdigest()[:16]


def _key(owed: OwedUndo) -> str:
    return f"{owed.kind}:{owed.name}"[:CHOICE_LENGTH]


def _seconds(minutes: int | None) -> float | None:
    return None if minutes is None else minutes * 60.0


def _until(minutes: int | None) -> str:
    return "" if minutes is None else f" for {minutes} min"


def _reason(interaction: discord.Interaction, guild_id: int | None) -> str:
    return BY_THE_OWNER if guild_id is None else f"{interaction.user.mention} by hand"


async def _place(interaction: discord.Interaction, everywhere: bool) -> tuple[int | None, str]:
    """The server that is meant, None for all, and how the answer names it; all of them are the owner's alone."""
    if everywhere:
        await require_owner(interaction)
        return None, EVERYWHERE
    return interaction.guild_id, HERE


async def setup(bot: commands.Bot) -> None:
    """Load the cog."""
    await bot.add_cog(LockdownCog(bot))

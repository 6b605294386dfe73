"""WatchCog: pages and feeds that the bot watches for a server: `/watch`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import core

if getattr(core, "PARLEY", None) != "parley":
    raise ImportError(f"Parley's cogs need Parley's package “core”, but Python found another: {core.__file__}.")

import discord
from discord import app_commands
from discord.ext import commands

from core.bot import watch_words as words
from core.bot.cog import ParleyCog, subcommand
from core.bot.replies import answer
from core.bot.watch_posts import FEATURE, Place, WatchPoster
from core.discord_limits import CHOICES
from core.errors import WatchError
from core.fetch.urls import parse
from core.lockdown import Feature, PausePolicy
from core.persona.watching.pages import check_selector
from core.store.watches import Watch

if TYPE_CHECKING:
    from core.store.watches import WatchState

NEEDED = "Only people with the permission “Manage Server” may do this."
NO_CHANNEL = "I need a text channel for the news: name one as `channel`."
NOT_THERE = "You may not write in {channel} yourself, so I do not post there for you."
I_MAY_NOT = "I may not write in {channel}: my role needs “View Channel” and “Send Messages” there."
MANY_WORDS = "At most 10 words or phrases, each of at most 50 characters, with commas between them."

Number = app_commands.Range[int, 1]
Channel = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread


class WatchCog(ParleyCog, name="Watch"):
    """Commands of watches. They live in `runtime.watching`; without this cog they rest."""

    async def cog_load(self) -> None:
        """Attach, look at what is due from now on, and give way in sessions."""
        await super().cog_load()
        watching = self.runtime.watching
        self.give_way(Feature(FEATURE, "Watching pages and feeds", PausePolicy(watching.pause, watching.resume)))
        watching.begin(WatchPoster(self.runtime).post)
        self.close_on_unload(self._halt)

    async def _halt(self) -> None:
        self.runtime.watching.halt()

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """What could not be posted while Discord was away is posted now."""
        self.runtime.watching.outbox.retry()

    async def _numbers(self, interaction: discord.Interaction, partial: str) -> list[app_commands.Choice[int]]:
        if not interaction.permissions.manage_guild:
            return []
        wanted = partial.strip().casefold()
        named = [(words.choice(each), each.id) for each in self.runtime.watching.of(interaction.guild_id)]
        found = [(name, number) for name, number in named if wanted in name.casefold()]
        return [app_commands.Choice(name=name, value=number) for name, number in found[:CHOICES]]

    @subcommand("watch", "add", "Watch a page or feed, and post what is new.")
    @app_commands.describe(
        url="Address of a page or of a feed (RSS, Atom)",
        selector="CSS selector of the part of a page that matters, such as #price",
        about="Words that matter, with commas: in stock, sold out",
        channel="Where news are posted; here by default",
    )
    @app_commands.rename(about="words")
    async def add(
        self,
        interaction: discord.Interaction,
        url: app_commands.Range[str, 1, 2000],
        selector: app_commands.Range[str, 1, 200] | None = None,
        about: app_commands.Range[str, 1, 500] | None = None,
        channel: Channel | None = None,
    ) -> None:
        """Look once, and watch from then on."""
        member = require_manager(interaction.user)
        place = require_place(member, channel or interaction.channel)
        chosen = split_words(about or "")
        if selector:
            check_selector(selector)
        address = str(parse(url))
        watching = self.runtime.watching
        watching.require_room(place.guild.id)
        await interaction.response.defer(ephemeral=True)
        now = self.runtime.clock.now()
        watch = Watch(0, place.guild.id, place.id, member.id, now, address, selector or "", chosen)
        made, seen = await watching.add(watch)
        await answer(interaction, words.added(made, seen))

    @subcommand("watch", "list", "What this server watches, and how that goes.")
    async def list_(self, interaction: discord.Interaction) -> None:
        """Show the watches of this server."""
        require_manager(interaction.user)
        watching = self.runtime.watching
        found = [(each, watching.source(each.url)) for each in watching.of(interaction.guild_id)]
        await answer(interaction, words.listed(found))

    @subcommand("watch", "remove", "Watch something no more.")
    @app_commands.describe(number="Its number, as /watch list shows it")
    @app_commands.autocomplete(number=_numbers)
    async def remove(self, interaction: discord.Interaction, number: Number) -> None:
        """Remove one."""
        require_manager(interaction.user)
        watch = self.runtime.watching.require(interaction.guild_id, number)
        await self.runtime.watching.remove([watch])
        await answer(interaction, words.REMOVED.format(id=watch.id, title=words.name(watch)))

    @subcommand("watch", "pause", "Pause a watch, or let it go on.")
    @app_commands.describe(number="Its number, as /watch list shows it")
    @app_commands.autocomplete(number=_numbers)
    async def pause(self, interaction: discord.Interaction, number: Number) -> None:
        """Pause one that goes on; let one go on that is paused or was given up."""
        require_manager(interaction.user)
        watch = self.runtime.watching.require(interaction.guild_id, number)
        state: WatchState = "paused" if watch.state == "active" else "active"
        await self.runtime.watching.change(replace(watch, state=state, reason="", missing_since=None))
        await answer(interaction, (words.PAUSED if state == "paused" else words.RESUMED).format(id=watch.id))


def require_manager(user: discord.User | discord.Member) -> discord.Member:
    """The member who asks, if they may.

    Raises:
        WatchError: They may not manage this server.
    """
    if not isinstance(user, discord.Member) or not user.guild_permissions.manage_guild:
        raise WatchError(NEEDED)
    return user


def require_place(member: discord.Member, channel: object) -> Place:
    """The channel, if both the member and the bot may write there.

    Raises:
        WatchError: One of both may not.
    """
    if not isinstance(channel, Place):
        raise WatchError(NO_CHANNEL)
    for who, refusal in ((member, NOT_THERE), (channel.guild.me, I_MAY_NOT)):
        may = channel.permissions_for(who)
        writes = may.send_messages_in_threads if isinstance(channel, discord.Thread) else may.send_messages
        if not (may.view_channel and writes):
            raise WatchError(refusal.format(channel=channel.mention))
    return channel


def split_words(text: str) -> tuple[str, ...]:
    """Words and phrases, each once.

    Raises:
        WatchError: There are too many, or too long ones.
    """
    found = tuple(dict.fromkeys(" ".join(each.split()) for each in text.split(",") if each.strip()))
    if len(found) > 10 or any(len(each) > 50 for each in found):
        raise WatchError(MANY_WORDS)
    return found


async def setup(bot: commands.Bot) -> None:
    """Load the cog."""
    await bot.add_cog(WatchCog(bot))

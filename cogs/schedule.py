"""ScheduleCog: what is done at a time, or again and again: `/schedule`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import core

if getattr(core, "PARLEY", None) != "parley":
    raise ImportError(f"Parley's cogs need Parley's package “core”, but Python found another: {core.__file__}.")

import discord
from discord import app_commands
from discord.ext import commands

from core.bot import schedule_words as words
from core.bot.cog import ParleyCog, subcommand
from core.bot.replies import answer
from core.bot.schedule_acts import FEATURE, KINDS, ScheduleActs
from core.bot.schedule_adding import What, add_schedule, chosen
from core.bot.schedule_rights import require_manager, require_place
from core.discord_limits import CHOICES
from core.errors import ScheduleError
from core.events import FeatureReleased
from core.lockdown import Feature, PausePolicy
from core.names import plain
from core.persona.autonomous import FEATURE as AUTONOMOUS
from core.schedule import zones

if TYPE_CHECKING:
    from core.store.schedules import Late, Schedule

NO_TEXT_CHANNEL = "I speak up by myself in text channels and threads only."
LONGEST = 1800  # characters of a text
REMOVED = "Removed **#{id}**: {does}."
PAUSED = "**#{id}** is paused. `/schedule resume` lets it go on."
PAUSED_ALREADY = "**#{id}** is paused already."
RESUMED = "**#{id}** goes on, from now on by your rights. Next: {next}."
GOES_ON_ALREADY = "**#{id}** is not paused."
ZONE = "The time zone of this server is {zone}: it is {now} there."
ZONE_SET = "The time zone of this server is {zone} now: it is {now} there.{moved}"
MOVED = " {count} schedule(s) that repeat by the clock follow it; single times stay as they are."

Text = app_commands.Range[str, 1, LONGEST]
Channel = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread


class ScheduleCog(ParleyCog, name="Schedule"):
    """Commands of schedules. They live in `runtime.schedules`; without this cog they wait."""

    async def cog_load(self) -> None:
        """Attach, do what is due from now on, and give way in sessions."""
        await super().cog_load()
        self._acts = ScheduleActs(self.runtime)
        for handle in self._acts.handles():
            self.until_unload(handle)
        self.give_way(Feature(FEATURE, "Schedules", PausePolicy(self._acts.pause, self._acts.resume)))
        self.give_way(Feature(AUTONOMOUS, "Messages of my own", PausePolicy(_nothing, _nothing)))
        self.tasks.start(self.runtime.autonomous.watch(), "autonomous")
        self.subscribe(FeatureReleased, self._released)
        self.tasks.start(asyncio.to_thread(zones.names), "read zones")  # suggestions come from memory

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """What was due while Discord was away is looked at at once."""
        self.runtime.schedules.look()

    def _released(self, event: FeatureReleased) -> None:
        """Its door opens after it was told to go on."""
        if event.feature == FEATURE:
            self.runtime.schedules.look()

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Whoever writes ends a silence."""
        await self.runtime.autonomous.seen(message)

    # Suggestions ------------------------------------------------------------------------------------------------------

    async def _numbers(self, interaction: discord.Interaction, partial: str) -> list[app_commands.Choice[str]]:
        if not interaction.permissions.manage_guild:
            return []
        wanted = partial.strip().casefold()
        named = [(words.choice(each), each) for each in self.runtime.schedules.of(interaction.guild_id, KINDS)]
        found = [(name, each) for name, each in named if wanted in name.casefold()]
        return [app_commands.Choice(name=name, value=str(each.id)) for name, each in found[:CHOICES]]

    async def _zones(self, interaction: discord.Interaction, partial: str) -> list[app_commands.Choice[str]]:
        del interaction
        return [app_commands.Choice(name=each, value=each) for each in zones.matching(partial, CHOICES)]

    async def _files(self, interaction: discord.Interaction, partial: str) -> list[app_commands.Choice[str]]:
        del interaction
        found = await self.runtime.music.matching(partial)
        return [app_commands.Choice(name=plain(name), value=name) for name in found if plain(name)]

    # Commands ---------------------------------------------------------------------------------------------------------

    @subcommand("schedule", "add", "Have me do something at a time, or again and again.")
    @app_commands.describe(
        when="every Monday 18:00, every 2 hours, tomorrow 18:00, 2026-12-24 18:00, in 20 minutes, or a cron line",
        what="What to do",
        text="What to say, what to ask the model, or what stands with the picture",
        channel="Where; here by default. A recording needs a voice channel",
        file="A file of the sounds folder, to play in the voice channel that I am in then",
        picture="A picture to post",
        late="What becomes of a time that I miss",
        grace_min="How many minutes late it may be made up",
    )
    @app_commands.choices(
        what=[
            app_commands.Choice(name="say a text", value="say"),
            app_commands.Choice(name="ask the model, and post its answer", value="ask"),
            app_commands.Choice(name="play a sound file", value="play"),
            app_commands.Choice(name="post a picture", value="picture"),
            app_commands.Choice(name="start a recording", value="record"),
        ],
        late=[
            app_commands.Choice(name="skip it", value="skip"),
            app_commands.Choice(name="make it up once", value="once"),
        ],
    )
    @app_commands.autocomplete(file=_files)
    async def add(
        self,
        interaction: discord.Interaction,
        when: app_commands.Range[str, 1, 100],
        what: str,
        text: Text | None = None,
        channel: Channel | None = None,
        file: str | None = None,
        picture: discord.Attachment | None = None,
        late: str | None = None,
        grace_min: app_commands.Range[int, 1, 43_200] | None = None,
    ) -> None:
        """Check all of it, keep it, and say when it comes."""
        require_manager(interaction.user)
        await interaction.response.defer(ephemeral=True, thinking=True)
        told = await add_schedule(
            self.runtime,
            interaction,
            when,
            _what(what),
            options={"text": text, "file": file, "picture": picture},
            channel=channel,
            late=_late(late),
            grace_min=grace_min,
        )
        await answer(interaction, told)

    @subcommand("schedule", "list", "What is scheduled here, when it comes next, and how it went.")
    @app_commands.describe(page="Which page")
    async def list_schedules(
        self, interaction: discord.Interaction, page: app_commands.Range[int, 1, 1000] = 1
    ) -> None:
        """Show them, in each reader's own time."""
        member = require_manager(interaction.user)
        schedules = self.runtime.schedules
        found = schedules.of(member.guild.id, KINDS)
        most, zone = self.runtime.config.schedule.per_server, schedules.zone(member.guild.id).key
        await answer(interaction, words.listed(found, schedules, page, most, zone))

    @subcommand("schedule", "remove", "Remove a schedule, and its picture.")
    @app_commands.describe(schedule="Its number")
    @app_commands.autocomplete(schedule=_numbers)
    async def remove(self, interaction: discord.Interaction, schedule: str) -> None:
        """Take it away."""
        found = self._chosen(interaction, schedule)
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self.runtime.schedules.remove(found)
        await answer(interaction, REMOVED.format(id=found.id, does=words.does(found)))

    @subcommand("schedule", "pause", "Let a schedule rest.")
    @app_commands.describe(schedule="Its number")
    @app_commands.autocomplete(schedule=_numbers)
    async def pause(self, interaction: discord.Interaction, schedule: str) -> None:
        """Do it no more until it is resumed."""
        found = self._chosen(interaction, schedule)
        if found.state == "paused":
            await answer(interaction, PAUSED_ALREADY.format(id=found.id))
            return
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self.runtime.schedules.pause(found)
        await answer(interaction, PAUSED.format(id=found.id))

    @subcommand("schedule", "resume", "Let a paused schedule go on, by your rights.")
    @app_commands.describe(schedule="Its number")
    @app_commands.autocomplete(schedule=_numbers)
    async def resume(self, interaction: discord.Interaction, schedule: str) -> None:
        """Let it go on; whoever does that may do it themselves."""
        found = self._chosen(interaction, schedule)
        member = require_manager(interaction.user)
        if found.state == "active":
            await answer(interaction, GOES_ON_ALREADY.format(id=found.id))
            return
        channel = member.guild.get_channel_or_thread(found.channel_id or 0)
        require_place(self.runtime.config.recording, member, found.kind, channel)
        await interaction.response.defer(ephemeral=True, thinking=True)
        resumed = await self.runtime.schedules.resume(found, by=member.id)
        await answer(interaction, RESUMED.format(id=resumed.id, next=words.next_of(resumed)))

    @subcommand("schedule", "zone", "Show or set the time zone that times here are meant in.")
    @app_commands.describe(zone="Such as Europe/Berlin or America/New_York")
    @app_commands.autocomplete(zone=_zones)
    async def zone(self, interaction: discord.Interaction, zone: app_commands.Range[str, 1, 60] | None = None) -> None:
        """Show it to everybody; who manages the server may set it."""
        guild_id, schedules = interaction.guild_id or 0, self.runtime.schedules
        if zone is None:
            current = schedules.zone(guild_id)
            now = self.runtime.clock.now().astimezone(current)
            await answer(interaction, ZONE.format(zone=current.key, now=f"{now:%H:%M}"))
            return
        require_manager(interaction.user)
        await interaction.response.defer(ephemeral=True, thinking=True)
        current, count = await schedules.set_zone(guild_id, zone)
        now = self.runtime.clock.now().astimezone(current)
        moved = MOVED.format(count=count) if count else ""
        await answer(interaction, ZONE_SET.format(zone=current.key, now=f"{now:%H:%M}", moved=moved))

    @subcommand("persona", "autonomous", "Show or set whether I may speak up by myself in this channel.")
    @app_commands.describe(on="Whether I may")
    async def autonomous(self, interaction: discord.Interaction, on: bool | None = None) -> None:
        """Show it to everybody; who manages the server may set it."""
        channel, autonomous = interaction.channel, self.runtime.autonomous
        if not isinstance(channel, discord.TextChannel | discord.Thread):
            raise ScheduleError(NO_TEXT_CHANNEL)
        if on is not None:
            require_manager(interaction.user)
            await interaction.response.defer(ephemeral=True, thinking=True)
            await (autonomous.allow(channel) if on else autonomous.forbid(channel.id))
        await answer(interaction, autonomous.told(channel))

    def _chosen(self, interaction: discord.Interaction, schedule: str) -> Schedule:
        member = require_manager(interaction.user)
        return chosen(self.runtime, member.guild.id, schedule)


def _nothing() -> None:
    """What is asked at the moment of speaking needs no telling."""


def _what(value: str) -> What:
    """One of the choices, which Discord has checked."""
    kinds: dict[str, What] = {"say": "say", "ask": "ask", "play": "play", "picture": "picture", "record": "record"}
    return kinds[value]


def _late(value: str | None) -> Late | None:
    return None if value is None else ("once" if value == "once" else "skip")


async def setup(bot: commands.Bot) -> None:
    """Load the cog."""
    await bot.add_cog(ScheduleCog(bot))

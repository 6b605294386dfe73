"""A bot of discord.py, unmodified, that does everything an application can; and somebody who uses it."""

from __future__ import annotations

import asyncio
import contextlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import discord
import pytest
from discord import app_commands
from discord.ext import commands

from loopback.server import Loopback, Standard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from loopback.people.person import Person


class Panel(discord.ui.View):
    def __init__(self) -> None:
        super().__init__(timeout=None)

    @discord.ui.button(label="Count", custom_id="count")
    async def count(self, interaction: discord.Interaction, button: discord.ui.Button) -> None:
        await interaction.response.edit_message(content=f"{interaction.message.content}+1", view=self)

    @discord.ui.button(label="Whisper", custom_id="whisper")
    async def whisper(self, interaction: discord.Interaction, button: discord.ui.Button) -> None:
        await interaction.response.send_message("only you", ephemeral=True)

    @discord.ui.button(label="Later", custom_id="later")
    async def later(self, interaction: discord.Interaction, button: discord.ui.Button) -> None:
        await interaction.response.defer()
        await interaction.edit_original_response(content="later")

    @discord.ui.button(label="Ask", custom_id="ask")
    async def ask(self, interaction: discord.Interaction, button: discord.ui.Button) -> None:
        await interaction.response.send_modal(Question())

    @discord.ui.button(label="Off", custom_id="off", disabled=True)
    async def off(self, interaction: discord.Interaction, button: discord.ui.Button) -> None: ...

    @discord.ui.select(
        custom_id="size",
        options=[discord.SelectOption(label="Small", value="s"), discord.SelectOption(label="Big", value="b")],
    )
    async def size(self, interaction: discord.Interaction, select: discord.ui.Select) -> None:
        await interaction.response.send_message(f"size {select.values[0]}")

    @discord.ui.select(cls=discord.ui.UserSelect, custom_id="who", max_values=2)
    async def who(self, interaction: discord.Interaction, select: discord.ui.UserSelect) -> None:
        await interaction.response.send_message(" ".join(user.name for user in select.values))


class Question(discord.ui.Modal, title="Tell me"):
    name = discord.ui.TextInput(label="Name", max_length=10)
    story = discord.ui.TextInput(label="Story", style=discord.TextStyle.long, required=False)

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"{self.name.value}: {self.story.value or 'nothing'}")


class Everything(commands.Bot):
    """Registers groups, options of every type, autocomplete and menus."""

    def __init__(self, loopback: Loopback) -> None:
        intents = discord.Intents.all()
        super().__init__("!", intents=intents, connector=loopback.connector(), guild_ready_timeout=0.05)
        self.hold = asyncio.Event()
        self.arrived = asyncio.Event()
        self.interactions: list[discord.Interaction] = []
        self.errors: list[Exception] = []
        self.tree.on_error = self._keep
        for command in (say, whisper, slow, files, ask, panel, everything, place, group, Describe, Quote, late, secret):
            self.tree.add_command(command)

    async def _keep(self, interaction: discord.Interaction, error: Exception) -> None:
        self.errors.append(error)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        self.interactions.append(interaction)
        self.arrived.set()


@app_commands.command(description="Say it")
async def say(interaction: discord.Interaction, text: str) -> None:
    await interaction.response.send_message(text)


@app_commands.command(description="Say it to me only")
async def whisper(interaction: discord.Interaction) -> None:
    await interaction.response.send_message("psst", ephemeral=True, view=Panel())


@app_commands.command(description="Think, then answer twice")
async def slow(interaction: discord.Interaction, hidden: bool = False) -> None:
    await interaction.response.defer(ephemeral=hidden, thinking=True)
    await interaction.client.hold.wait()
    await interaction.edit_original_response(content="first")
    more = await interaction.followup.send("second", wait=True, ephemeral=hidden)
    await more.edit(content="second, better")
    passing = await interaction.followup.send("gone soon", wait=True, ephemeral=hidden)
    await passing.delete()


@app_commands.command(description="Send a file")
async def files(interaction: discord.Interaction) -> None:
    await interaction.response.send_message("here", file=discord.File(io.BytesIO(b"abc"), "a.txt"))
    original = await interaction.original_response()
    await original.edit(attachments=[discord.File(io.BytesIO(b"defg"), "b.txt")])


@app_commands.command(description="Open a modal")
async def ask(interaction: discord.Interaction) -> None:
    await interaction.response.send_modal(Question())


@app_commands.command(description="Show a panel")
async def panel(interaction: discord.Interaction) -> None:
    await interaction.response.send_message("panel", view=Panel())


@app_commands.command(description="Options of every type")
@app_commands.describe(word="A word")
async def everything(
    interaction: discord.Interaction,
    word: app_commands.Range[str, 2, 5],
    count: app_commands.Range[int, 1, 3],
    ratio: float,
    really: bool,
    who: discord.Member,
    role: discord.Role,
    somebody: discord.Member | discord.Role,
    where: discord.TextChannel,
    file: discord.Attachment,
    colour: Literal["red", "green"] = "red",
) -> None:
    content = await file.read()
    told = [word, count, ratio, really, who.display_name, role.name, somebody.name, where.name, content, colour]
    await interaction.response.send_message(" ".join(map(str, told)))


@app_commands.command(description="Pick a town")
async def place(interaction: discord.Interaction, country: str, town: str) -> None:
    await interaction.response.send_message(town)


@place.autocomplete("town")
async def towns(interaction: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
    known = ["Bonn", "Berlin", "Bern"] if interaction.namespace.country == "all" else ["Bonn", "Berlin"]
    if current == "many":
        return [app_commands.Choice(name=str(n), value=str(n)) for n in range(26)]
    return [app_commands.Choice(name=town, value=town.lower()) for town in known if town.startswith(current)]


group = app_commands.Group(name="voice", description="Voice")
nested = app_commands.Group(name="set", description="Settings", parent=group)


@group.command(description="Join")
async def join(interaction: discord.Interaction, channel: discord.VoiceChannel | None = None) -> None:
    await interaction.response.send_message(f"joined {channel.name if channel else 'yours'}")


@nested.command(description="Volume")
async def volume(interaction: discord.Interaction, percent: int) -> None:
    await interaction.response.send_message(f"volume {percent}")


@app_commands.context_menu(name="Describe")
async def Describe(interaction: discord.Interaction, member: discord.Member) -> None:
    await interaction.response.send_message(f"that is {member.display_name}")


@app_commands.context_menu(name="Quote")
async def Quote(interaction: discord.Interaction, message: discord.Message) -> None:
    await interaction.response.send_message(f"> {message.content}")


@app_commands.command(description="Answers when it is let")
async def late(interaction: discord.Interaction) -> None:
    await interaction.client.hold.wait()
    await interaction.response.send_message("too late")


@app_commands.command(description="Only for those who manage the server")
@app_commands.default_permissions(manage_guild=True)
async def secret(interaction: discord.Interaction) -> None:
    await interaction.response.send_message("secret")


@dataclass
class Scene:
    loopback: Loopback
    standard: Standard
    bot: Everything
    alice: Person
    bob: Person

    async def received(self) -> discord.Interaction:
        """The last interaction the bot got."""
        await asyncio.wait_for(self.bot.arrived.wait(), 30)
        return self.bot.interactions[-1]


@contextlib.asynccontextmanager
async def running(loopback: Loopback, bot: commands.Bot, token: str) -> AsyncIterator[None]:
    ready = asyncio.Event()

    async def on_ready() -> None:
        ready.set()

    bot.add_listener(on_ready)
    async with bot:
        task = asyncio.create_task(bot.start(token))
        await asyncio.wait_for(ready.wait(), 30)
        yield
    await task


@pytest.fixture
async def loopback() -> AsyncIterator[Loopback]:
    async with Loopback(voice=False) as loopback:
        loopback.redirect()
        yield loopback
        assert loopback.unknown_routes == []


@pytest.fixture
async def scene(loopback: Loopback) -> AsyncIterator[Scene]:
    standard = loopback.standard()
    bot = Everything(loopback)
    alice = await loopback.person("alice", standard.guild)
    bob = await loopback.person("bob", standard.guild)
    async with running(loopback, bot, standard.bot.token):
        await bot.tree.sync()
        yield Scene(loopback, standard, bot, alice, bob)

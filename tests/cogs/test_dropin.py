"""Parley's cogs in a bot that somebody else wrote: they come, work, and go without a trace."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import random
import sys
import threading
from typing import TYPE_CHECKING, Any

import discord
import pytest
from discord import app_commands
from discord.ext import commands

import core.bot.runtime
from core.bot.runtime import Runtime, of
from core.errors import ParleyError
from launch.bot import available_cogs

if TYPE_CHECKING:
    from pathlib import Path

LINGER_S = 0.2
COGS = available_cogs()
SHUFFLES = 6
DISCORDS_SIDE = ("RequestHandler.start", "Connection._write")  # tasks of the loopback's server: connections to it


class House(commands.Cog):
    """A cog of the host's: prefix and slash commands, some of which fail."""

    @commands.command()
    async def hello(self, context: commands.Context[Any]) -> None:
        await context.send("Hello from the host.")

    @commands.command()
    async def fail(self, context: commands.Context[Any]) -> None:
        raise RuntimeError("the host's own fault")

    @app_commands.command(description="Say hello.")
    async def greet(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message("Greetings.")

    @app_commands.command(description="Fail.")
    async def stumble(self, interaction: discord.Interaction) -> None:
        raise RuntimeError("the host's own fault")


class HostBot(commands.Bot):
    """Somebody else's bot, with error handlers of its own."""

    def __init__(self, **options: Any) -> None:
        super().__init__("!", intents=discord.Intents.all(), guild_ready_timeout=0.1, **options)
        self.handled: list[str] = []
        self.tree.error(self._on_tree_error)

    async def setup_hook(self) -> None:
        await self.add_cog(House())

    async def on_command_error(self, context: Any, error: Exception) -> None:
        self.handled.append(f"command: {type(error).__name__}")

    async def _on_tree_error(self, interaction: discord.Interaction, error: Exception) -> None:
        self.handled.append(f"tree: {type(error).__name__}")


@pytest.fixture
def settings(tmp_path, monkeypatch) -> Path:
    """The host's settings for Parley, found by the environment alone; and a short goodbye."""
    file = tmp_path / "parley.toml"
    url = f"sqlite+aiosqlite:///{(tmp_path / 'host.db').as_posix()}"
    folders = f"[recording]\nfolder = {json.dumps(str(tmp_path / 'recordings'))}\n"
    file.write_text(f"[store]\nurl = {json.dumps(url)}\n{folders}", encoding="utf-8")
    monkeypatch.setenv("PARLEY_CONFIG", str(file))
    monkeypatch.setattr(core.bot.runtime, "LINGER_S", LINGER_S)
    return file


@pytest.fixture
async def host(settings):
    """The host's bot, made but not logged in."""
    async with HostBot() as bot:
        await bot.setup_hook()
        yield bot


def traces(bot: commands.Bot) -> dict[str, Any]:
    """Everything of a bot and its process that something loaded into it could leave behind."""
    gc.collect()
    return {
        "attributes": sorted(bot.__dict__),
        "cogs": sorted(bot.cogs),
        "extensions": sorted(bot.extensions),
        "modules": sorted(name for name in sys.modules if name.startswith("cogs.")),
        "prefix commands": sorted(bot.all_commands),
        "slash commands": sorted(command.name for command in bot.tree.get_commands()),
        "guild commands": bot.tree._guild_commands,
        "listeners": {name: len(found) for name, found in bot.extra_events.items() if found},
        "checks": len(bot._checks) + len(bot._check_once),
        "hooks": [bot._before_invoke, bot._after_invoke],
        "views": len(bot.persistent_views),
        "stored views": len(bot._connection._view_store._views),
        "tree error handler": bot.tree.on_error,
        "command error handler": bot.on_command_error,
        "interaction check": bot.tree.interaction_check,
        "close": bot.close,
        "tasks": sorted(name for task in asyncio.all_tasks() if (name := _work(task)) not in DISCORDS_SIDE),
        "threads": sorted(thread.name for thread in threading.enumerate() if not _is_pooled(thread)),
    }


def _is_pooled(thread: threading.Thread) -> bool:
    """The event loop's threads, and the one on which libespeak's global state lives, stay for the next who needs them."""
    return thread.name.startswith(("asyncio_", "espeak_"))


def _work(task: asyncio.Task[Any]) -> str:
    return getattr(task.get_coro(), "__qualname__", task.get_name())


async def gone(bot: commands.Bot) -> None:
    """Wait until the runtime has closed after the last cog went."""
    async with asyncio.timeout(30):
        while hasattr(bot, "parley"):  # noqa: ASYNC110 - the end of a runtime is no event
            await asyncio.sleep(0.02)


async def assert_as_before(bot: commands.Bot, before: dict[str, Any]) -> None:
    """Nothing is left, once what is still closing has closed."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(30):
            while traces(bot) != before:  # noqa: ASYNC110 - the end of a thread is no event
                await asyncio.sleep(0.05)
    assert traces(bot) == before


async def unload_all(bot: commands.Bot) -> None:
    for name in COGS:
        if name in bot.extensions:
            await bot.unload_extension(name)
    await gone(bot)


# Loading and unloading ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COGS)
async def test_each_cog_comes_alone_and_goes_without_a_trace(host, name):
    before = traces(host)
    await host.load_extension(name)
    assert name in host.extensions
    assert traces(host)["slash commands"] != before["slash commands"] or host.parley is not None
    await unload_all(host)
    await assert_as_before(host, before)


def orders() -> list[tuple[str, ...]]:
    """Every cog before and behind every other, each alone beside another one, and some shuffles."""
    shuffle = random.Random(1)
    ring = zip(COGS, [*COGS[1:], COGS[0]], strict=True)
    shuffled = (tuple(shuffle.sample(COGS, len(COGS))) for _ in range(SHUFFLES))
    return [tuple(COGS), tuple(reversed(COGS)), *ring, *shuffled]


async def test_the_cogs_come_and_go_in_any_order(host):
    untouched = traces(host)
    keeper = await Runtime.attach(host, owner=host)  # so that each order need not open the database anew
    before = traces(host)
    everything: set[tuple[str, ...]] = set()
    for order in orders():
        for name in order:
            await host.load_extension(name)
        if len(order) == len(COGS):
            everything.add(tuple(sorted(command.qualified_name for command in host.tree.walk_commands())))
        for name in reversed(order) if len(everything) % 2 else order:
            await host.unload_extension(name)
        after = traces(host)
        assert {key: after[key] for key in after if key != "tasks"} == {
            key: before[key] for key in before if key != "tasks"
        }, order
    assert len(everything) == 1, "the same commands, whatever the order"
    keeper.detach(host)
    await gone(host)
    await assert_as_before(host, untouched)


async def test_the_last_cog_of_a_group_takes_the_group_along(host):
    for name in COGS:
        await host.load_extension(name)
    assert {"voice", "prompt", "reload", "sync"} <= {command.name for command in host.tree.get_commands()}
    await host.unload_extension("cogs.prompt")
    assert host.tree.get_command("prompt") is None
    assert host.tree.get_command("voice") is not None


async def test_a_cog_that_is_back_before_long_finds_the_same_runtime(host):
    await host.load_extension("cogs.voice")
    runtime = host.parley
    await host.unload_extension("cogs.voice")
    await asyncio.sleep(LINGER_S / 2)
    await host.load_extension("cogs.prompt")
    await asyncio.sleep(LINGER_S * 1.5)
    assert host.parley is runtime
    assert of(host) is runtime


async def test_closing_the_bot_closes_the_runtime_and_gives_close_back(settings):
    async with HostBot() as bot:
        await bot.load_extension("cogs.voice")
        runtime = bot.parley
        assert "close" in bot.__dict__
        await bot.close()
        assert not hasattr(bot, "parley")
        assert "close" not in bot.__dict__
        assert bot.is_closed()
        with pytest.raises(ParleyError, match="not open"):
            await runtime.settings.guild(1)
        with pytest.raises(ParleyError, match="not loaded"):
            of(bot)


async def test_two_bots_in_one_process_have_a_runtime_each(settings):
    async with HostBot() as one, HostBot() as two:
        for bot in (one, two):
            await bot.load_extension("cogs.voice")
            await bot.load_extension("cogs.prompt")
        assert one.parley is not two.parley
        await one.close()
        assert two.parley is of(two)
        assert await two.parley.settings.guild(1)
        assert two.tree.get_command("voice") is not None


# What stands in the way -----------------------------------------------------------------------------------------------


async def nothing(interaction: discord.Interaction) -> None:
    """Somebody else's command."""


@pytest.mark.parametrize(
    ("extension", "name", "group"),
    [
        ("cogs.voice", "voice", True),
        ("cogs.voice", "voice", False),
        ("cogs.prompt", "prompt", True),
        ("cogs.admin", "reload", False),
        ("cogs.admin", "sync", False),
    ],
)
async def test_a_command_of_the_hosts_of_the_same_name_is_named_and_kept(host, extension, name, group):
    theirs = (
        app_commands.Group(name=name, description="Theirs.")
        if group
        else app_commands.Command(name=name, description="Theirs.", callback=nothing)
    )
    host.tree.add_command(theirs)
    before = traces(host)
    with pytest.raises(commands.ExtensionFailed) as caught:
        await host.load_extension(extension)
    assert isinstance(caught.value.original, ParleyError)
    assert f"this bot already has /{name}" in str(caught.value)
    assert host.tree.get_command(name) is theirs
    if hasattr(host, "parley"):
        await gone(host)
    await assert_as_before(host, before)
    host.tree.remove_command(name)
    await host.load_extension(extension)


async def test_a_cog_that_fails_late_leaves_nothing_behind(host, monkeypatch):
    before = traces(host)

    async def broken(*_: Any) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr("core.store.settings.SettingsRepository.prompt_channels", broken)
    with pytest.raises(commands.ExtensionFailed):
        await host.load_extension("cogs.prompt")
    await gone(host)
    await assert_as_before(host, before)


async def test_settings_that_cannot_be_used_refuse_the_cog_and_leave_nothing_behind(host, settings):
    settings.write_text("[voice]\nmax_sesions = 3\n", encoding="utf-8")
    before = traces(host)
    with pytest.raises(commands.ExtensionFailed) as caught:
        await host.load_extension("cogs.voice")
    assert "parley.toml: [voice] max_sesions is not a known key" in str(caught.value)
    assert traces(host) == before


async def test_a_bot_without_the_needed_intents_is_told_which(settings):
    intents = discord.Intents.default()
    intents.voice_states = False
    async with commands.Bot("!", intents=intents) as bot:
        with pytest.raises(commands.ExtensionFailed, match=r"without the intent.*“voice_states”"):
            await bot.load_extension("cogs.voice")
        assert not hasattr(bot, "parley")


async def test_a_bot_that_may_not_read_messages_is_warned(settings, caplog):
    async with commands.Bot("!", intents=discord.Intents.default()) as bot:
        await bot.load_extension("cogs.prompt")
    assert "message_content" in caplog.text


async def test_cogs_of_the_hosts_with_usual_names_stand_beside_ours(host):
    for name in ("Voice", "Prompt", "Admin", "VoiceCog", "AdminCog"):
        await host.add_cog(type(name, (commands.Cog,), {})())
    for name in COGS:
        await host.load_extension(name)
    assert {"Voice", "Prompt", "Admin"} <= set(host.cogs)


# Logged in ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def syncs(scene, monkeypatch) -> list[tuple[str, ...]]:
    """Every bulk registration of commands that arrives at Discord."""
    seen: list[tuple[str, ...]] = []
    overwrite = scene.discord.registry.overwrite

    def spy(application_id: int, guild_id: int | None, body: Any) -> Any:
        seen.append(tuple(sorted(command["name"] for command in body)))
        return overwrite(application_id, guild_id, body)

    monkeypatch.setattr(scene.discord.registry, "overwrite", spy)
    return seen


async def test_in_a_running_bot_everything_works_and_nothing_is_left(scene, settings, syncs):
    bot = await scene.start_bot(HostBot(connector=scene.discord.connector()))
    before = traces(bot)
    for name in COGS:
        await bot.load_extension(name)
    await asyncio.sleep(0.3)
    assert syncs == [], "the host's command tree is never synced by us"
    await bot.tree.sync()
    grace = await scene.person("Grace", roles=[scene.admin_role])
    await grace.join(scene.voice)
    assert "I am in" in await scene.run(grace, "voice join")
    assert await scene.run(grace, "greet") == "Greetings."
    await grace.type(scene.text, "Read this aloud, please.")
    await grace.ears.wait_for_voice(scene.bot_user.id)
    await unload_all(bot)
    await scene.until(lambda: scene.bot_user.id not in scene.guild.voice_states)  # the session ended with the last cog
    await grace.close()
    assert len(syncs) == 1
    await assert_as_before(bot, before)


async def test_the_hosts_error_handlers_hear_of_the_hosts_errors_only(scene, settings):
    bot = await scene.start_bot(HostBot(connector=scene.discord.connector()))
    handlers = bot.tree.on_error, bot.on_command_error
    for name in COGS:
        await bot.load_extension(name)
    assert (bot.tree.on_error, bot.on_command_error) == handlers
    await bot.tree.sync()
    ada = await scene.person("Ada")
    await ada.slash(scene.text, "stumble")
    await ada.type(scene.text, "!fail")
    await scene.until(lambda: len(bot.handled) == 2)
    assert sorted(bot.handled) == ["command: CommandInvokeError", "tree: CommandInvokeError"]


async def test_prefix_commands_of_the_hosts_are_no_prompts(scene, settings):
    settings.write_text(
        f"{settings.read_text(encoding='utf-8')}\n[prompt]\ngather_idle_s = 0\n"
        f"[model.routes.default]\nbase_url = {json.dumps(scene.chat.base_url)}\nmodel = 'stand-in'\n",
        encoding="utf-8",
    )
    bot = await scene.start_bot(HostBot(connector=scene.discord.connector()))
    await bot.load_extension("cogs.prompt")
    ada = await scene.person("Ada")
    me = f"<@{scene.bot_user.id}>"
    message = await ada.type(scene.text, f"!hello {me}")
    await ada.wait_for_message(scene.text, lambda found: found.content == "Hello from the host.", 5)
    scene.chat.script(text="Hello from the model.")
    message = await ada.type(scene.text, f"{me} hello!")
    assert (await scene.reply(ada, message)).content == "Hello from the model."
    assert len(scene.chat.requests) == 1

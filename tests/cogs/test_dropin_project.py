"""Parley in somebody else's project: a folder of its own, other packages of the same names, other working directories."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.config import CHECKOUT

COGS = ("voice", "prompt", "admin")
HOST_BOT = '''
"""A bot that somebody wrote before they heard of Parley; the last cog of the list is all that they added."""
import asyncio, json, os, ssl, sys

import aiohttp, discord, yarl
from discord.ext import commands

discord.http.Route.BASE = os.environ["LOOPBACK_REST"]
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(os.environ["LOOPBACK_GATEWAY"])


class Bot(commands.Bot):
    async def setup_hook(self):
        await self.load_extension("cogs.greeter")
        await self.load_extension("cogs.voice")
        await self.tree.sync()

    async def on_ready(self):
        print("ready", flush=True)


async def main():
    trusted = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=os.environ["LOOPBACK_CA"]))
    async with Bot("!", intents=discord.Intents.all(), connector=trusted, guild_ready_timeout=0.1) as bot:
        await bot.start(os.environ["HOST_TOKEN"])


asyncio.run(main())
'''
GREETER = """
import discord
from discord import app_commands
from discord.ext import commands


class Greeter(commands.Cog):
    @app_commands.command(description="Say hello.")
    async def greet(self, interaction: discord.Interaction):
        await interaction.response.send_message("Greetings from the host.")

    @commands.command()
    async def bye(self, context):
        await self.bot.unload_extension("cogs.voice")
        await context.send("Voice is gone.")

    def __init__(self, bot):
        self.bot = bot


async def setup(bot):
    await bot.add_cog(Greeter(bot))
"""
LOAD = """
import asyncio, sys
import discord
from discord.ext import commands

async def main():
    async with commands.Bot("!", intents=discord.Intents.all()) as bot:
        for name in sys.argv[1:]:
            await bot.load_extension(name)
        print(*sorted(bot.cogs), sep=", ")
        if hasattr(bot, "parley"):
            print(bot.parley.store.url.database)

asyncio.run(main())
"""


@pytest.fixture
def project(tmp_path) -> Path:
    """A host's project: its bot and its own `cogs/` folder, without an __init__.py, as most have it."""
    folder = tmp_path / "host"
    (folder / "cogs").mkdir(parents=True)
    (folder / "bot.py").write_text(HOST_BOT, encoding="utf-8")
    (folder / "load.py").write_text(LOAD, encoding="utf-8")
    (folder / "cogs" / "greeter.py").write_text(GREETER, encoding="utf-8")
    settings(folder / "parley.toml", tmp_path)
    return folder


def settings(file: Path, data: Path) -> None:
    url = f"sqlite+aiosqlite:///{(data / 'host.db').as_posix()}"
    folder = json.dumps((data / "recordings").as_posix())
    file.write_text(f"[store]\nurl = {json.dumps(url)}\n[recording]\nfolder = {folder}\n", encoding="utf-8")


def environment(project: Path, **more: str) -> dict[str, str]:
    known = {key: value for key, value in os.environ.items() if not key.startswith(("PARLEY", "DISCORD"))}
    return {**known, "PYTHONPATH": str(CHECKOUT), "PARLEY_CONFIG": str(project / "parley.toml"), **more}


def load(project: Path, *names: str, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """Load extensions in the project's own Python process."""
    return subprocess.run(
        [sys.executable, str(project / "load.py"), *names],
        cwd=cwd or project,
        env=environment(project, **more),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def last_line(result: subprocess.CompletedProcess[str]) -> str:
    """The sentence below the stack trace."""
    assert result.returncode == 1, result.stdout
    return result.stderr.strip().splitlines()[-1]


async def test_a_hosts_bot_speaks_with_one_line_more(scene, project):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "bot.py",
        cwd=project,
        env=environment(
            project,
            LOOPBACK_REST=scene.discord.rest,
            LOOPBACK_GATEWAY=scene.discord.gateway,
            LOOPBACK_CA=str(scene.discord.certificates.ca_file),
            HOST_TOKEN=scene.bot_user.token,
        ),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            assert (await process.stdout.readline()).strip() == b"ready"
        ada = await scene.person("Ada")
        await ada.join(scene.voice)
        assert await scene.run(ada, "greet") == "Greetings from the host."
        assert "I will read it aloud" in await scene.run(ada, "voice join")
        await scene.run(ada, "voice say", text="Good evening from somebody else's bot.")
        await ada.ears.wait_for_voice(scene.bot_user.id)
        await ada.type(scene.text, "!bye")
        await ada.wait_for_message(scene.text, lambda message: message.content == "Voice is gone.", 5)
        await scene.until(lambda: scene.bot_user.id not in scene.guild.voice_states)
        assert await scene.run(ada, "greet") == "Greetings from the host."
    finally:
        process.terminate()
        await process.wait()


def test_the_hosts_cogs_and_ours_share_a_folder_name(project):
    result = load(project, "cogs.greeter", *(f"cogs.{name}" for name in COGS))
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[0] == "Greeter, Parley Admin, Parley Prompt, Parley Voice"


def test_a_package_of_cogs_of_the_hosts_takes_ours_in_by_its_path(project):
    (project / "cogs" / "__init__.py").write_text(f"__path__.append({str(CHECKOUT / 'cogs')!r})\n", encoding="utf-8")
    result = load(project, "cogs.greeter", "cogs.voice")
    assert result.returncode == 0, result.stderr


def test_copied_into_the_project_it_works_as_well(project):
    for folder in ("core", "migrations"):
        shutil.copytree(CHECKOUT / folder, project / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in COGS:
        shutil.copy(CHECKOUT / "cogs" / f"{name}.py", project / "cogs")
    result = load(project, "cogs.greeter", *(f"cogs.{name}" for name in COGS), PYTHONPATH="", PARLEY_CONFIG="")
    assert result.returncode == 0, result.stderr
    assert Path(result.stdout.splitlines()[1]) == project / "data" / "parley.db", "its data lie beside it"


# Another core ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COGS)
@pytest.mark.parametrize(
    ("file", "source"),
    [("core/__init__.py", ""), ("core.py", ""), ("core/__init__.py", 'PARLEY = "mine"\n')],
    ids=["package", "module", "with another mark"],
)
def test_a_core_of_the_hosts_is_named(project, file, source, name):
    foreign = project / file
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_text(source, encoding="utf-8")
    sentence = last_line(load(project, f"cogs.{name}"))
    assert "Parley's cogs need Parley's package “core”, but Python found another" in sentence
    assert str(foreign) in sentence


def test_a_folder_named_core_without_code_of_its_own_is_no_obstacle(project):
    (project / "core").mkdir()
    (project / "core" / "notes.txt").write_text("", encoding="utf-8")
    assert load(project, "cogs.voice").returncode == 0


# Where settings and data are ------------------------------------------------------------------------------------------


def test_the_working_directory_does_not_matter(project, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    result = load(project, "cogs.voice", cwd=elsewhere)
    assert result.returncode == 0, result.stderr
    assert Path(result.stdout.splitlines()[1]) == tmp_path / "host.db"
    assert list(elsewhere.iterdir()) == []


def test_a_relative_path_in_the_environment_starts_at_the_working_directory(project, tmp_path):
    result = load(project, "cogs.voice", cwd=project, PARLEY_CONFIG="parley.toml")
    assert result.returncode == 0, result.stderr
    assert Path(result.stdout.splitlines()[1]) == tmp_path / "host.db"


def test_relative_paths_in_the_settings_start_where_parley_is(project):
    code = (
        "from core.config import load; c = load(); print(c.path(c.recording.folder)); "
        "from core.store.store import Store; print(Store(c.store.url, base=c.base).url.database)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=project, env=environment(project), capture_output=True, text=True, check=True
    )
    recordings, database = map(Path, result.stdout.splitlines())
    assert recordings == CHECKOUT / "data" / "recordings"
    assert database == CHECKOUT / "data" / "parley.db"


def test_single_settings_come_from_the_environment(project):
    code = "from core.config import load; print(load().voice.max_sessions)"
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        env=environment(project, PARLEY_VOICE__MAX_SESSIONS="7"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "7"


def test_a_settings_file_that_is_not_there_is_named(project):
    sentence = last_line(load(project, "cogs.voice", PARLEY_CONFIG="nowhere.toml"))
    assert "nowhere.toml cannot be read: No such file or directory." in sentence

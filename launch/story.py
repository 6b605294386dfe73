"""A stage for whole journeys: a Discord on localhost here, the bot in a process of its own.

The demo and the benchmarks stand on it, so that neither the loopback and its people nor the bot hides or causes the
other's delays.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loopback.server import Loopback
from loopback.services.chat import Chat

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from loopback.server import Standard

LAUNCHER = Path(__file__).resolve().parents[1] / "launcher.py"
ONLINE_S = 30.0
STOP_SIGNAL = signal.CTRL_BREAK_EVENT if sys.platform == "win32" else signal.SIGTERM  # Windows' SIGTERM is a kill
STOP_S = 15.0  # the bot allows itself five, and the machine may be busy


class StoryError(Exception):
    """The story cannot go on; the message says what did not happen."""


@dataclass(slots=True)
class Stage:
    """Everything on it: the Discord, its usual guild, the chat server, and the bot's process."""

    discord: Loopback
    standard: Standard
    chat: Chat
    folder: Path
    cogs: str | None
    bot: asyncio.subprocess.Process = field(init=False)
    ready_s: float = 0.0  # from the start of the bot's process until it was ready

    @property
    def bot_id(self) -> int:
        """The bot's user id."""
        return self.standard.bot.id

    async def start_bot(self) -> None:
        """Start the bot's process, with the settings and files that are there, and wait until it is ready.

        Raises:
            StoryError: It is not ready in time.
        """
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        self.bot = await _start(self)
        await _until_ready(self)
        self.ready_s = loop.time() - begun_s

    async def kill_bot(self) -> None:
        """End the bot's process as a crash does: it can do nothing more."""
        self.bot.kill()
        await self.bot.wait()
        await self.discord.faults.drop_gateway(self.standard.bot, resumable=False)

    async def stop_bot(self) -> int:
        """Ask the bot's process to stop, as Ctrl-C does, and return its exit code."""
        if self.bot.returncode is None:
            self.bot.send_signal(STOP_SIGNAL)
        try:
            async with asyncio.timeout(STOP_S):
                return await self.bot.wait()
        except TimeoutError:
            self.bot.kill()
            await self.bot.wait()
            raise StoryError(f"the bot did not stop within {STOP_S:.0f} s") from None


@asynccontextmanager
async def stage(
    folder: Path, settings: Mapping[str, Mapping[str, Any]] | None = None, *, cogs: str | None = None
) -> AsyncGenerator[Stage]:
    """Build it up, hand it over, take it down.

    Args:
        folder: Where the bot keeps its settings, database and log.
        settings: Tables of `config.toml` beside those that the stage needs.
        cogs: Only these, separated by commas.
    """
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with Loopback() as discord, Chat() as chat:
        discord.redirect()
        standard = discord.standard()
        config = folder / "config.toml"
        tables = {
            "store": {"url": f"sqlite+aiosqlite:///{(folder / 'parley.db').as_posix()}"},
            "recording": {"folder": (folder / "recordings").as_posix()},
            "model.routes.default": {"base_url": chat.base_url, "model": "stand-in"},
            "hearing": {"engine": "off"},
            **(settings or {}),
        }
        config.write_text(_toml(tables), encoding="utf-8")
        scene = Stage(discord, standard, chat, folder, cogs)
        try:
            await scene.start_bot()
            yield scene
        finally:
            if hasattr(scene, "bot") and scene.bot.returncode is None:
                scene.bot.kill()
                await scene.bot.wait()


async def _start(scene: Stage) -> asyncio.subprocess.Process:
    discord, folder = scene.discord, scene.folder
    ca, config = str(discord.certificates.ca_file), str(folder / "config.toml")
    command = [sys.executable, str(LAUNCHER), "run", "--config", config, "--discord", discord.rest, "--ca", ca]
    with (folder / "bot.log").open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *command,
            *(["--cogs", scene.cogs] if scene.cogs else []),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "DISCORD_TOKEN": scene.standard.bot.token},
            creationflags=subprocess.CREATE_NEW_PROCESS_GROUP if sys.platform == "win32" else 0,
        )


async def _until_ready(scene: Stage) -> None:
    """The bot is ready once it has registered its commands and is connected to the gateway."""
    discord, bot_user, bot = scene.discord, scene.standard.bot, scene.bot
    try:
        async with asyncio.timeout(ONLINE_S):
            while not (discord.registry.offered(bot_user.id, None) and discord.sessions.sessions_of(bot_user)):
                if bot.returncode is not None:
                    raise StoryError(f"the bot ended with exit code {bot.returncode} before it was ready; see bot.log")
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise StoryError(f"the bot was not ready within {ONLINE_S:.0f} s; see bot.log") from None


def _toml(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Tables of plain values as TOML; JSON writes strings, numbers, booleans and lists the same way."""
    return "\n".join(
        f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())
        for name, table in tables.items()
    )

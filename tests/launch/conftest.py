"""The launcher as a person starts it: a process of its own, before a Discord on localhost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from core.config import CHECKOUT
from loopback.server import Loopback

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

LAUNCHER = CHECKOUT / "launcher.py"
OWN_VARIABLES = ("PARLEY_", "DISCORD_", "OPENAI_", "SPEECH_", "ELEVENLABS_", "AZURE_")


@dataclass(slots=True)
class Ended:
    """What a process left: its exit code and everything that it wrote."""

    code: int
    out: str
    err: str


@dataclass(slots=True)
class Launched:
    """A launcher that runs; its output is read while it does."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)
    _readers: list[asyncio.Task[None]] = field(default_factory=list)
    _text: dict[str, str] = field(default_factory=lambda: {"out": "", "err": ""})

    def listen(self) -> None:
        for name in ("out", "err"):
            self._readers.append(asyncio.create_task(self._read(name)))

    async def _read(self, name: str) -> None:
        stream = self.process.stdout if name == "out" else self.process.stderr
        assert stream is not None
        while line := await stream.readline():
            self._text[name] += line.decode("utf-8")

    async def says(self, text: str, timeout: float = 60) -> None:
        """Wait until it has written this."""
        async with asyncio.timeout(timeout):
            while text not in self._text["out"] + self._text["err"]:
                assert self.process.returncode is None, self._text
                await asyncio.sleep(0.01)

    async def ended(self, timeout: float = 60) -> Ended:
        async with asyncio.timeout(timeout):
            code = await self.process.wait()
            await asyncio.gather(*self._readers)
        return Ended(code, self._text["out"], self._text["err"])


class Desk:
    """Where somebody starts launchers: a folder for settings and data, and a Discord to use."""

    def __init__(self, folder: Path, stack: contextlib.AsyncExitStack) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self._stack = stack
        self.discord: Loopback | None = None
        self.write()

    def write(self, text: str = "") -> None:
        """Write the settings; the database and recordings stay in the folder."""
        database = f"sqlite+aiosqlite:///{(self.folder / 'parley.db').as_posix()}"
        recordings = (self.folder / "recordings").as_posix()
        kept = f"[store]\nurl = {json.dumps(database)}\n[recording]\nfolder = {json.dumps(recordings)}\n"
        self.config.write_text(f"{kept}{text}", encoding="utf-8")

    async def open_discord(self, **options: Any) -> Loopback:
        self.discord = await self._stack.enter_async_context(Loopback(**options))
        self.standard = self.discord.standard()
        return self.discord

    @property
    def there(self) -> list[str]:
        """The options that name this Discord."""
        assert self.discord is not None
        return ["--discord", self.discord.rest, "--ca", str(self.discord.certificates.ca_file)]

    async def start(self, *arguments: str, token: str | None = None, **environ: str) -> Launched:
        known = {key: value for key, value in os.environ.items() if not key.startswith(OWN_VARIABLES)}
        tokens = {"DISCORD_TOKEN": "" if token is None else token}  # set, so that no .env of a developer's counts
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(LAUNCHER),
            *arguments,
            cwd=self.folder,
            env={**known, **tokens, "PYTHONIOENCODING": "utf-8", **environ},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        launched = Launched(process)
        launched.listen()
        self._stack.push_async_callback(_end, launched)
        return launched

    async def run(self, *arguments: str, token: str | None = None, timeout: float = 60, **environ: str) -> Ended:
        """Start a launcher and wait for its end."""
        return await (await self.start(*arguments, token=token, **environ)).ended(timeout)

    async def bot(self, *arguments: str, **environ: str) -> Launched:
        """The bot, logged in."""
        settings = ["--config", str(self.config)]
        bot = await self.start("run", *settings, *self.there, *arguments, token=self.standard.bot.token, **environ)
        await bot.says("logged in as")
        return bot


async def _end(launched: Launched) -> None:
    if launched.process.returncode is None:
        launched.process.kill()
    await launched.process.wait()
    await asyncio.gather(*launched._readers)


@pytest.fixture
async def desk(tmp_path) -> AsyncGenerator[Desk]:
    async with contextlib.AsyncExitStack() as stack:
        yield Desk(tmp_path, stack)

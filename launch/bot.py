"""Parley's own bot: a plain discord.py bot that loads the cogs and syncs its commands when they changed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import discord
from discord.ext import commands

from core import private
from core.bot.runtime import Runtime, of
from core.config import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.config import Config, Environment

_log = logging.getLogger(__name__)

INTENTS = discord.Intents(
    guilds=True, voice_states=True, messages=True, message_content=True, reactions=True, typing=True
)


def available_cogs() -> list[str]:
    """The extensions of this checkout's `cogs/` folder."""
    return sorted(f"cogs.{path.stem}" for path in (CHECKOUT / "cogs").glob("*.py") if not path.stem.startswith("_"))


class ParleyBot(commands.Bot):
    """The bot that `launcher.py run` starts. It has no prefix commands of its own."""

    def __init__(
        self, config: Config, environ: Environment, *, cogs: Sequence[str] | None = None, connector: Any = None
    ) -> None:
        options: dict[str, Any] = {} if connector is None else {"connector": connector}
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=INTENTS,
            allowed_mentions=discord.AllowedMentions.none(),
            guild_ready_timeout=0.5,  # servers come in a stream; so long after the last one the bot is ready
            **options,
        )
        self._config = config
        self._environ = environ
        self._cogs = available_cogs() if cogs is None else list(cogs)

    async def setup_hook(self) -> None:
        """Attach the runtime with the checked settings, load the cogs, sync if the commands changed."""
        await Runtime.attach(self, config=self._config, environ=self._environ)
        for name in self._cogs:
            await self.load_extension(name)
        await self._sync_if_changed()

    async def on_command_error(self, context: commands.Context[Any], error: commands.CommandError, /) -> None:
        """A message that mentions the bot is looked up as a prefix command; one that is none is a prompt, no error."""
        if not isinstance(error, commands.CommandNotFound):
            await super().on_command_error(context, error)

    async def on_ready(self) -> None:
        """Say where the bot is."""
        _log.info("logged in as %s in %d server(s)", self.user, len(self.guilds))

    async def _sync_if_changed(self) -> None:
        """Discord allows few syncs a day; the hash of the last payload and a look at what is there say if one is needed."""
        payload = [command.to_dict(self.tree) for command in self.tree.get_commands()]
        digest = hashlib.sha256(json.dumps(payload, sort_keys=True, default=str).encode()).hexdigest()
        file = self._folder() / f"commands-{self.application_id}.sha256"
        try:
            if await asyncio.to_thread(_read, file) == digest and await self._are_known():
                return
            await self.tree.sync()
        except discord.HTTPException as error:  # the commands that Discord knows from before go on working
            _log.error("Discord did not take the commands: %s. Try /sync or a restart later.", error)
            return
        await asyncio.to_thread(_write, file, digest)
        _log.info("told Discord about %d commands", len(payload))

    async def _are_known(self) -> bool:
        """Whether Discord still has the commands: another program of the same token may have put its own there."""
        there = {command.name for command in await self.tree.fetch_commands()}
        return {command.name for command in self.tree.get_commands()} <= there

    def _folder(self) -> Path:
        """Where small files of the bot's are kept: beside its database, if that is a file."""
        url = of(self).store.url
        is_file = url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:"
        return Path(url.database).parent if is_file and url.database else self._config.path("data")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _write(file: Path, text: str) -> None:
    private.make_folder(file.parent)
    private.write_atomically(file, text.encode("ascii"))

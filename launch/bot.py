"""Parley's own bot: a plain discord.py bot that loads the cogs and syncs its commands when they changed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any

import discord
from discord.ext import commands

from core.config import CHECKOUT
from core.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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

    async def on_ready(self) -> None:
        """Say where the bot is."""
        _log.info("logged in as %s in %d server(s)", self.user, len(self.guilds))

    async def _sync_if_changed(self) -> None:
        """Discord allows few syncs a day; the hash of the last payload says whether one is needed."""
        payload = [command.to_dict(self.tree) for command in self.tree.get_commands()]
        known = json.dumps([self.application_id, payload], sort_keys=True, default=str)
        digest = hashlib.sha256(known.encode()).hexdigest()
        file = self._config.path("data/commands.sha256")
        if await asyncio.to_thread(_read, file) == digest:
            return
        await self.tree.sync()
        await asyncio.to_thread(_write, file, digest)
        _log.info("synced %d commands", len(payload))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="ascii")

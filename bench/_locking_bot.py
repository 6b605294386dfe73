"""A bot in a process of its own that says when a session's locks were taken and undone, as lines of JSON.

`at_s` is the time of `time.monotonic`, which all processes of a machine share. The end of the input ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bench.lockdown import fill
from core.bot.runtime import of
from core.config import Config, Environment
from core.config.system import StoreSection
from launch.bot import ParleyBot
from launch.run import point_at

COGS = ("cogs.voice", "cogs.lockdown")


@dataclass(frozen=True, slots=True)
class Mark:
    """A gate that only tells when it is passed; gates open in the order in which they were closed, reversed."""

    engaged: str
    released: str

    async def engage(self, session_id: str, *, guild_id: int, channel_id: int) -> None:
        """A session closes this gate."""
        del session_id, guild_id, channel_id
        tell(self.engaged)

    async def release(self, session_id: str) -> None:
        """A session opens it."""
        del session_id
        tell(self.released)


def tell(what: str) -> None:
    """Print one line."""
    print(json.dumps({"what": what, "at_s": time.monotonic()}), flush=True)


async def run(options: argparse.Namespace) -> None:
    """Log in, take part with so many features, and go on until the input ends."""
    folder = Path(options.folder)
    store = StoreSection(url=f"sqlite+aiosqlite:///{(folder / 'parley.db').as_posix()}")
    config = Config(store=store, base=folder)
    connector = await point_at(options.rest, options.ca)
    bot = ParleyBot(config, Environment({}), cogs=COGS, connector=connector)
    running = asyncio.create_task(bot.start(os.environ["DISCORD_TOKEN"]))
    ready = asyncio.create_task(bot.wait_until_ready())
    await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    runtime = of(bot)
    await fill(runtime.lockdown, options.features - len(runtime.lockdown.features))
    runtime.voice.add_gate(Mark("engaging", "undone"), first=True)
    runtime.voice.add_gate(Mark("locked", "releasing"))
    tell("ready")
    await asyncio.to_thread(sys.stdin.read)
    await bot.close()
    await running


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--rest", "--ca", "--folder"):
        parser.add_argument(name, required=True)
    parser.add_argument("--features", type=int, required=True)
    asyncio.run(run(parser.parse_args()))

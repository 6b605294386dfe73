"""A bot in a process of its own that plays a tone while so many schedules are due within a second; tells as JSON how it went.

It begins once somebody calls it into a voice channel. The end of the input ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench._loop_lag import LoopLag
from core.bot.runtime import of
from core.config import Config, Environment
from core.config.system import StoreSection
from core.events import SessionStarted
from core.schedule.rules import Once
from launch.bot import ParleyBot
from launch.run import point_at

if TYPE_CHECKING:
    from core.bot.runtime import Runtime
    from core.schedule.firing import Firing

COGS = ("cogs.voice", "cogs.schedule", "cogs.persona")
AHEAD_S, SOUND_S, AFTER_S = 8.0, 16.0, 1.0


def tell(what: str, **values: object) -> None:
    """Print one line."""
    print(json.dumps({"what": what, **values}), flush=True)


async def storm(runtime: Runtime, guild_id: int, jobs: int) -> None:
    """Play, and let the schedules fire."""
    session = runtime.voice.require(guild_id)
    line = session.player.line("bench")
    seconds = np.arange(int(SOUND_S * 48_000), dtype=np.float32) / 48_000
    line.write((0.3 * np.sin(2 * np.pi * 440 * seconds)).astype(np.float32))
    fired: list[float] = []

    async def fire(firing: Firing) -> str:
        """What each does: it looks something up, and is done."""
        firing.commit()
        await runtime.settings.guild(guild_id)
        fired.append(runtime.clock.monotonic())
        return ""

    runtime.schedules.handle("bench", fire)
    begin = runtime.clock.now() + timedelta(seconds=AHEAD_S)
    for number in range(jobs):
        at = begin + timedelta(seconds=number / jobs)
        await runtime.schedules.add("bench", Once(at).text, {}, wording="once")
    quiet_s = runtime.clock.monotonic()
    late_s = (runtime.clock.now() - begin).total_seconds()
    await asyncio.sleep(max(0.0, -late_s - 0.5))
    async with LoopLag() as lag:
        while len(fired) < jobs and (runtime.clock.now() - begin).total_seconds() < AHEAD_S:  # noqa: ASYNC110 - what is measured must not be changed by how
            await asyncio.sleep(0.05)
    took_s = round(fired[-1] - fired[0], 2) if fired else None
    tell("storm", quiet_s=quiet_s, began_s=min(fired, default=0), fired=len(fired), took_s=took_s, **lag.figures())
    await asyncio.sleep(AFTER_S)
    tell("over")


async def run(options: argparse.Namespace) -> None:
    """Log in, and go on until the input ends."""
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

    def begin(event: SessionStarted) -> None:
        runtime.tasks.start(storm(runtime, event.guild_id, options.jobs), "storm")

    runtime.hub.subscribe(SessionStarted, begin, owner=bot)
    tell("ready")
    await asyncio.to_thread(sys.stdin.read)
    await bot.close()
    await running


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--rest", "--ca", "--folder"):
        parser.add_argument(name, required=True)
    parser.add_argument("--jobs", type=int, required=True)
    asyncio.run(run(parser.parse_args()))

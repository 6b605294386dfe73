"""How long a session's locks take, and what asking costs when nothing is locked.

First the lockdown alone. Then whole calls over the loopback, the bot in a process of its own: from the moment a person
sends `/voice join` to the last lock taken, and from `/voice leave` to the last one undone. Locks are taken before the
bot connects; they are undone after it has left, so the second figure holds Discord's own leaving. No feature or hook
takes time of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.clock import SystemClock
from core.config.lockdown import LockdownSection
from core.hub import Hub
from core.lockdown import BlockPolicy, Feature, LockPolicy, PausePolicy, Policy, QueuePolicy, SilencePolicy
from core.lockdown.service import Lockdown
from core.store.store import Store
from loopback.server import Loopback

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from loopback.people.person import Person
    from loopback.server import Standard

ROOT = Path(__file__).resolve().parents[1]
GOAL_MS = 100.0
GOAL_US = 5.0


async def nothing(*_: object) -> None:
    """A callback that takes no time of its own."""


def policy(number: int) -> Policy:
    """Every policy in turn."""
    kinds = (
        BlockPolicy("no"),
        SilencePolicy(),
        PausePolicy(nothing, nothing),
        QueuePolicy(nothing, nothing),
        LockPolicy(),
    )
    return kinds[number % len(kinds)]


async def fill(lockdown: Lockdown, features: int) -> None:
    """Register so many features."""
    for number in range(features):
        lockdown.register(Feature(f"feature{number}", f"Feature {number}", policy(number)), owner="bench")
    await lockdown.settled()


# The lockdown alone -------------------------------------------------------------------------------------------------------


async def measure(features: int, rounds: int) -> list[dict[str, object]]:
    """Engage and release `rounds` sessions over `features` features, on a database on disk."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite+aiosqlite:///{Path(folder) / 'parley.db'}")
        await store.open()
        hub = Hub()
        hub.bind(asyncio.get_running_loop())
        lockdown = Lockdown(LockdownSection(), store, hub, SystemClock())
        await lockdown.open()
        await fill(lockdown, features)
        engaged: list[float] = []
        released: list[float] = []
        for number in range(rounds):
            start = time.perf_counter()
            await lockdown.engage(f"s{number}", guild_id=1, channel_id=2)
            engaged.append((time.perf_counter() - start) * 1000)
            start = time.perf_counter()
            await lockdown.release(f"s{number}")
            released.append((time.perf_counter() - start) * 1000)
        asked_us = await measure_allows(lockdown)
        await lockdown.close()
        await store.close()
    what = f"{features} features"
    return [
        line(f"session asks to all locks taken, {what}", engaged),
        line(f"session is over to all locks undone, {what}", released),
        {"what": "allows() while unlocked", "us": round(asked_us, 3), "goal": GOAL_US, "met": asked_us < GOAL_US},
    ]


async def measure_allows(lockdown: Lockdown, count: int = 100_000) -> float:
    """Microseconds an `await allows(...)` takes, the loop around it taken off."""
    start = time.perf_counter()
    for _ in range(count):
        pass
    empty_s = time.perf_counter() - start
    start = time.perf_counter()
    for _ in range(count):
        await lockdown.allows("feature0")
    return (time.perf_counter() - start - empty_s) / count * 1e6


# Whole calls --------------------------------------------------------------------------------------------------------------


class Bot:
    """The bot's process and what it tells."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def told(self, what: str) -> float:
        """When something happened, skipping what came before it.

        Raises:
            EOFError: The process has ended.
        """
        output = self._process.stdout
        while output is not None and (read := await output.readline()):
            told = json.loads(read)
            if told["what"] == what:
                return float(told["at_s"])
        raise EOFError(f"the bot ended before it was {what!r}")


@asynccontextmanager
async def bot_process(discord: Loopback, place: Standard, folder: str, features: int) -> AsyncGenerator[Bot]:
    """A bot that is ready, in a process of its own."""
    options = {"rest": discord.rest, "ca": discord.certificates.ca_file, "folder": folder, "features": features}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench._locking_bot"),
        *(str(part) for name, value in options.items() for part in (f"--{name}", value)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "DISCORD_TOKEN": place.bot.token},
    )
    try:
        bot = Bot(process)
        await bot.told("ready")
        yield bot
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()


async def measure_calls(features: int, rounds: int) -> list[dict[str, object]]:
    """Let a person call the bot in and send it away `rounds` times."""
    times: dict[str, list[float]] = {"locked": [], "joined": [], "left": [], "undone": [], "undoing": []}
    with tempfile.TemporaryDirectory() as folder:
        async with Loopback() as discord:
            discord.redirect()
            place = discord.standard()
            async with (
                bot_process(discord, place, folder, features) as bot,
                await discord.person("Ada", place.guild) as ada,
            ):
                await ada.join(place.voice)
                for _ in range(rounds):
                    await measure_call(bot, ada, place, times)
    what = f"{features} features"
    return [
        line(f"/voice join sent to all locks taken, {what}", times["locked"]),
        line(f"/voice leave sent to all locks undone, Discord's leaving included, {what}", times["undone"]),
        line("of this, from the first lock undone to the last", times["undoing"]),
        line("/voice join sent to its answer, Discord's joining included", times["joined"], None),
        line("/voice leave sent to its answer", times["left"], None),
    ]


async def measure_call(bot: Bot, ada: Person, place: Standard, times: dict[str, list[float]]) -> None:
    """One call."""
    start_s = time.monotonic()
    interaction: Any = await ada.slash(place.text, "voice join")
    times["locked"].append((await bot.told("locked") - start_s) * 1000)
    await interaction.answered(20)
    times["joined"].append((time.monotonic() - start_s) * 1000)
    start_s = time.monotonic()
    interaction = await ada.slash(place.text, "voice leave")
    releasing_s, undone_s = await bot.told("releasing"), await bot.told("undone")
    times["undone"].append((undone_s - start_s) * 1000)
    times["undoing"].append((undone_s - releasing_s) * 1000)
    await interaction.answered(20)
    times["left"].append((time.monotonic() - start_s) * 1000)


def line(what: str, times_ms: list[float], goal: float | None = GOAL_MS) -> dict[str, object]:
    """The median against the goal, and the worst."""
    middle = statistics.median(times_ms)
    found = {"what": what, "p50_ms": round(middle, 2), "max_ms": round(max(times_ms), 2), "rounds": len(times_ms)}
    return found if goal is None else {**found, "goal": goal, "met": middle < goal}


def main(argv: list[str]) -> int:
    """Print one JSON line for each figure; 1 if a goal was missed."""
    parser = argparse.ArgumentParser(prog="bench lockdown", description=__doc__)
    parser.add_argument("--features", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--calls", type=int, default=20, help="whole calls over the loopback")
    options = parser.parse_args(argv)
    results = asyncio.run(measure(options.features, options.rounds))
    results += asyncio.run(measure_calls(options.features, options.calls)) if options.calls else []
    for result in results:
        print(json.dumps({"bench": "lockdown", **result}))
    return 0 if all(result.get("met", True) for result in results) else 1

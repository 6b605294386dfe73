"""What knowing people costs: a turn's path, storing a message, a restart with many schedules, and a storm of them.

The first three run in a bot over the loopback whose database holds 100,000 messages and 1,000 profiles. The storm runs in a bot
of a process of its own, which plays a tone to a person meanwhile: real schedules, of a kind that does little; those that say
something give way during a session.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from discord.ext import commands

from bench._loop_lag import LoopLag
from core.bot.people_watch import LOOKED_BACK
from core.bot.runtime import Runtime
from core.config import CHECKOUT, Config, Environment
from core.conversation.text_sink import Unwritten
from core.conversation.turn import Prompt, Timings, Turn
from core.schedule.rules import Every
from core.store.decisions import Decided, DecisionsRepository
from core.store.observed import Observed, ObservedRepository
from core.store.persona_channels import PersonaChannel, PersonaChannelsRepository, PersonTemperatureRow
from core.store.profiles import ProfileKey, ProfileRow
from core.store.store import Store
from core.store.watches import WatchRow, WatchSourceRow
from launch.bot import INTENTS, ParleyBot
from loopback.server import Loopback

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from loopback.server import Standard

ROOT = Path(__file__).resolve().parents[1]
COGS = ("cogs.voice", "cogs.prompt", "cogs.persona")
TURN_MS = STORE_MS = 5.0
READY_S = 2.0
LAG_MS, GAP_MS = 20.0, 25.0
FIRST_PERSON = 10**6
PROFILE = {
    "tone": "dry and friendly",
    "interests": ["sourdough", "lighthouses", "tides"],
    "language": "English",
    "address": "by first name",
    "avoid": ["small talk"],
    "reply_style": "brief",
}


def line(what: str, times_ms: list[float], goal_ms: float) -> dict[str, object]:
    """Median, 95th percentile and the worst, against the goal for the second."""
    p50, p95, worst = (float(np.percentile(times_ms, each)) for each in (50, 95, 100))
    return {
        "what": what,
        "p50_ms": round(p50, 3),
        "p95_ms": round(p95, 3),
        "max_ms": round(worst, 3),
        "times": len(times_ms),
        "goal": goal_ms,
        "met": p95 <= goal_ms,
    }


def configured(folder: Path) -> Config:
    """Settings with a character that has moods."""
    url = f"sqlite+aiosqlite:///{(folder / 'parley.db').as_posix()}"
    persona: dict[str, Any] = {
        "characters": str(CHECKOUT / "characters"),
        "default": "mira",
        "joining_in": {"every": 0},
        "profiles": {"every": 1000},
    }
    tables: dict[str, Any] = {"store": {"url": url}, "persona": persona, "hearing": {"engine": "off"}}
    return Config(**tables, base=folder)


async def fill(folder: Path, place: Standard, messages: int, people: int) -> None:
    """A database as after a long time: messages, profiles, temperatures, and people who agreed."""
    store = Store(configured(folder).store.url)
    await store.open()
    repository, now = ObservedRepository(store), datetime.now(UTC)
    ids = [FIRST_PERSON + number for number in range(people)]
    for start in range(0, messages, 1000):
        rows = [
            Observed(
                number + 1,
                place.guild.id,
                place.text.id,
                ids[number % people],
                f"Message {number} is about bread, tides and the light that was left on.",
                now - timedelta(minutes=(messages - number) / 10),
            )
            for number in range(start, min(start + 1000, messages))
        ]
        await repository.apply(rows, {})
    async with store.transaction() as session:
        for user_id in ids:
            key = ProfileKey(place.guild.id, user_id)
            session.add(
                ProfileRow(
                    **key._asdict(),
                    profile=json.dumps(PROFILE),
                    corrected=json.dumps({"address": "Captain"}),
                    sources=json.dumps(list(range(30))),
                    channels=json.dumps([place.text.id]),
                    made_at=now,
                )
            )
            session.add(PersonTemperatureRow(user_id=user_id, temperature=0.9))
    await DecisionsRepository(store).save([Decided(user_id, "observed", "in", now) for user_id in ids])
    observed = PersonaChannel(place.text.id, place.guild.id, observed=True, announced_at=now)
    await PersonaChannelsRepository(store).save([observed])
    await store.close()


@asynccontextmanager
async def running_bot(discord: Loopback, place: Standard, folder: Path) -> AsyncGenerator[ParleyBot]:
    """Our bot, ready, in this process."""
    bot = ParleyBot(configured(folder), Environment({}), cogs=COGS, connector=discord.connector())
    running = asyncio.create_task(bot.start(place.bot.token))
    ready = asyncio.create_task(bot.wait_until_ready())
    try:
        await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        yield bot
    finally:
        await bot.close()
        await asyncio.wait([running])


# A turn, and a message ------------------------------------------------------------------------------------------------------


async def advise(runtime: Runtime, place: Standard, people: int) -> list[float]:
    """What all advisers add to a turn's path, for everybody once, in milliseconds."""
    order = [FIRST_PERSON + number for number in range(people)]
    random.Random(7).shuffle(order)
    times_ms: list[float] = []
    for user_id in order:
        prompt = Prompt(place.text.id, place.guild.id, place.text.id, user_id, "Ada", "What shall I bake?")
        turn = Turn(prompt, Unwritten(), Timings(time.monotonic()))
        start_s = time.perf_counter()
        advice = await runtime.conversation.advisers.ask(turn)
        times_ms.append((time.perf_counter() - start_s) * 1000)
        await asyncio.sleep(0.002)  # turns come one by one; without a rest it is measured when others get the core
        if "Captain" not in advice.notes or advice.temperature != 0.9 or advice.character is None:
            raise RuntimeError("a turn was not advised as it should be")
    return times_ms


async def keep(runtime: Runtime, place: Standard, people: int, count: int) -> list[dict[str, object]]:
    """What keeping a message takes on the path of its event, and how late the loop is while they are written."""
    times_ms: list[float] = []
    async with LoopLag() as lag:
        for number in range(count):
            user_id = FIRST_PERSON + number % people
            message = Observed(
                10**9 + number, place.guild.id, place.text.id, user_id, f"New message {number}.", datetime.now(UTC)
            )
            start_s = time.perf_counter()
            runtime.people.heard(message, worth_keeping=True, addressed=False)
            times_ms.append((time.perf_counter() - start_s) * 1000)
            await asyncio.sleep(0.002)
        await runtime.people.messages.flush()
    kept = await runtime.people.messages.repository.between(place.text.id, 10**9, 2 * 10**9)
    found = {**line("storing a message, on its event's path", times_ms, STORE_MS), "kept": len(kept), **lag.figures()}
    found["met"] = bool(found["met"]) and len(kept) == count
    return [found]


async def measure_people(messages: int, people: int, count: int) -> list[dict[str, object]]:
    """Turns and messages over a full database, and the restart after it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with Loopback() as discord:
            discord.redirect()
            place = discord.standard()
            await fill(folder, place, messages, people)
            for number in range(
                LOOKED_BACK
            ):  # else what is not in the channel counts as deleted while the bot was away
                discord.world.messages.create(place.text, place.bot, f"Before anything: {number}.")
            async with running_bot(discord, place, folder) as bot:
                runtime: Runtime = bot.parley  # pyright: ignore[reportAttributeAccessIssue] - the runtime is there once the bot is ready
                what = f"added to a turn by profile, mood and temperature, {messages} messages, {people} profiles"
                cold = line(f"{what}, after the start", await advise(runtime, place, people), TURN_MS)
                warm = line(f"{what}, a second time", await advise(runtime, place, people), TURN_MS)
                kept = await keep(runtime, place, people, count)
        return [cold, warm, *kept]


# A restart ------------------------------------------------------------------------------------------------------------------


async def add_watches(store: Store, count: int) -> None:
    """Pages that are watched and not due: nothing is asked of anybody."""
    now = datetime.now(UTC)
    async with store.transaction() as session:
        for number in range(count):
            url = f"https://watched.example/{number}"
            session.add(
                WatchRow(
                    guild_id=1 + number % 10,
                    channel_id=5,
                    added_at=now,
                    url=url,
                    selector="",
                    words="[]",
                    kind="page",
                    title=f"Page {number}",
                    state="active",
                    reason="",
                    known="0",
                    known_shown="",
                    pending="",
                )
            )
            later = now + timedelta(hours=1)
            session.add(
                WatchSourceRow(
                    url=url, asked_url=url, etag="", last_modified="", next_at=later, fails=0, last_ok_at=now, detail=""
                )
            )


async def measure_restart(schedules: int, watches: int) -> list[dict[str, object]]:
    """From nothing to a runtime that has read so many schedules and watches, and knows when each comes next."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        async def attached() -> tuple[Runtime, float]:
            bot = commands.Bot(command_prefix="!", intents=INTENTS)
            start_s = time.perf_counter()
            runtime = await Runtime.attach(bot, config=configured(folder), environ=Environment({}))
            return runtime, time.perf_counter() - start_s

        runtime, _ = await attached()
        for number in range(schedules):
            rule = Every(3600 * (1 + number % 24), datetime.now(UTC)).text
            await runtime.schedules.add("bench", rule, {}, wording="every so often")
        await add_watches(runtime.store, watches)
        await runtime.close()
        runtime, took_s = await attached()
        ready = len(runtime.schedules.all()), len(runtime.watching.all())
        await runtime.close()
    return [
        {
            "what": f"restart with {schedules} schedules and {watches} watches to ready",
            "s": round(took_s, 2),
            "ready": list(ready),
            "goal": READY_S,
            "met": took_s <= READY_S and ready == (schedules, watches),
        }
    ]


# A storm --------------------------------------------------------------------------------------------------------------------


async def measure_storm(jobs: int) -> list[dict[str, object]]:
    """So many schedules in a second, while somebody listens to the bot."""
    with tempfile.TemporaryDirectory() as folder:
        async with Loopback() as discord:
            discord.redirect()
            place = discord.standard()
            options = {"rest": discord.rest, "ca": discord.certificates.ca_file, "folder": folder, "jobs": jobs}
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bench._storm_bot"),
                *(str(part) for name, value in options.items() for part in (f"--{name}", value)),
                cwd=ROOT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={**os.environ, "DISCORD_TOKEN": place.bot.token},
            )
            try:
                await _told(process, "ready")
                async with await discord.person("Ada", place.guild) as ada:
                    await ada.join(place.voice)
                    interaction: Any = await ada.slash(place.text, "voice join")
                    await interaction.answered(20)
                    told = await _told(process, "storm")
                    await _told(process, "over")
                    frames = ada.ears.heard(place.bot.id)
            finally:
                if process.stdin is not None:
                    process.stdin.close()
                await process.wait()
    began_s, quiet_s = told.pop("began_s"), told.pop("quiet_s")
    pairs = [(a.arrival_s, (b.arrival_s - a.arrival_s) * 1000) for a, b in itertools.pairwise(frames) if not a.silence]
    before = [gap for at_s, gap in pairs if quiet_s < at_s < began_s]
    gaps = [gap for at_s, gap in pairs if began_s <= at_s <= began_s + told["took_s"]]
    p99 = float(np.percentile(gaps, 99))
    lag = {key: value for key, value in told.items() if key != "what"}
    fired = told["fired"] == jobs
    return [
        {
            "what": f"event loop in a storm of {jobs} schedules",
            **lag,
            "goal": LAG_MS,
            "met": fired and lag["lag_p99_ms"] <= LAG_MS,
        },
        {
            "what": "gaps of the playback meanwhile, as heard",
            "p99_ms": round(p99, 2),
            "max_ms": round(max(gaps), 2),
            "frames": len(gaps),
            "before_p99_ms": round(float(np.percentile(before, 99)), 2),
            "goal": GAP_MS,
            "met": p99 <= GAP_MS,
        },
    ]


async def _told(process: asyncio.subprocess.Process, what: str) -> dict[str, Any]:
    """The line that tells something, skipping those before it.

    Raises:
        EOFError: The process has ended.
    """
    while process.stdout is not None and (read := await process.stdout.readline()):
        told: dict[str, Any] = json.loads(read)
        if told["what"] == what:
            return told
    raise EOFError(f"the bot ended before it told {what!r}")


def main(argv: list[str]) -> int:
    """Print one JSON line for each figure; 1 if a goal was missed."""
    parser = argparse.ArgumentParser(prog="bench persona", description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000, help="that are kept already")
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--new", type=int, default=3000, help="messages that come")
    parser.add_argument("--schedules", type=int, default=1000)
    parser.add_argument("--watches", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=200, help="schedules in one second")
    options = parser.parse_args(argv)
    results = asyncio.run(measure_people(options.messages, options.people, options.new))
    results += asyncio.run(measure_restart(options.schedules, options.watches))
    results += asyncio.run(measure_storm(options.jobs))
    for result in results:
        print(json.dumps({"bench": "persona", **result}))
    return 0 if all(result.get("met", True) for result in results) else 1

"""How long a session's locks take, and what asking costs when nothing is locked."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path

from core.clock import SystemClock
from core.config.lockdown import LockdownSection
from core.hub import Hub
from core.lockdown import Block, Feature, Lock, Pause, Policy, Queue, Silence
from core.lockdown.service import Lockdown
from core.store.store import Store

GOAL_MS = 100.0
GOAL_US = 5.0


async def nothing(*_: object) -> None:
    """A callback that takes no time of its own."""


def policy(number: int) -> Policy:
    """Every policy in turn."""
    kinds = (Block("no"), Silence(), Pause(nothing, nothing), Queue(nothing, nothing), Lock())
    return kinds[number % len(kinds)]


async def measure(features: int, rounds: int) -> list[dict[str, object]]:
    """Engage and release `rounds` sessions over `features` features, on a database on disk."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite+aiosqlite:///{Path(folder) / 'parley.db'}")
        await store.open()
        hub = Hub()
        hub.bind(asyncio.get_running_loop())
        lockdown = Lockdown(LockdownSection(), store, hub, SystemClock())
        await lockdown.open()
        for number in range(features):
            lockdown.register(Feature(f"feature{number}", f"Feature {number}", policy(number)), owner="bench")
        await lockdown.settled()
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
        line(f"join to all locks taken, {what}", "p50_ms", engaged, GOAL_MS),
        line(f"leave to all locks undone, {what}", "p50_ms", released, GOAL_MS),
        {"what": "allows() while unlocked", "us": round(asked_us, 3), "goal": GOAL_US, "met": asked_us < GOAL_US},
    ]


def line(what: str, unit: str, times_ms: list[float], goal: float) -> dict[str, object]:
    """The median against the goal, and the worst."""
    middle = statistics.median(times_ms)
    return {"what": what, unit: round(middle, 2), "max_ms": round(max(times_ms), 2), "goal": goal, "met": middle < goal}


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


def main(argv: list[str]) -> int:
    """Print one JSON line for each figure; 1 if a goal was missed."""
    parser = argparse.ArgumentParser(prog="bench lockdown", description=__doc__)
    parser.add_argument("--features", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args(argv)
    results = asyncio.run(measure(options.features, options.rounds))
    for result in results:
        print(json.dumps({"bench": "lockdown", **result}))
    return 0 if all(result["met"] for result in results) else 1

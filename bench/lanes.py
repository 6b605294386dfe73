"""What lanes are for: a recording's work goes on beside strangers' worst files, and a job costs little by itself.

A 9 kB GIF of 400 frames of 7000 x 7000 fills the strangers' lane again and again; meanwhile short jobs go through the
rendering lane. Then the same file alone: what one look costs. Last, what a job costs in a warm process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import struct
import time
from typing import Any

import psutil

from core.config.workers import WorkersSection
from core.machine.lane import Owner
from core.machine.workers import Workers
from core.studio.limits import Limits
from core.studio.pictures import look_at

WAIT_GOAL_MS, LOOK_GOAL_S, LOOK_GOAL_MB, JOB_GOAL_MS, END_GOAL_S = 200.0, 3.0, 700.0, 5.0, 1.0
JOBS = 20


def bomb(side: int = 7000, frames: int = 400) -> bytes:
    """Frames of one dot each on a large canvas."""
    frame = (
        b"\x21\xf9\x04\x00\x01\x00\x00\x00" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x4c\x01\x00"
    )
    return b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff" + frame * frames + b";"


async def _peak_mb(pid: int) -> float:
    process, most = psutil.Process(pid), 0
    base = process.memory_info().rss
    try:
        while True:
            most = max(most, process.memory_info().rss)
            await asyncio.sleep(0.01)
    except asyncio.CancelledError:
        return (most - base) / 1e6


async def _waits(workers: Workers) -> float:
    """The longest that one of several short jobs of the rendering lane took, strangers' lane full."""
    await workers.render.run(os.getpid)
    looks = [
        asyncio.ensure_future(workers.strangers.run(look_at, bomb(), Limits(), owner=Owner(guild, guild)))
        for guild in range(1, 5)
    ]
    await asyncio.sleep(0.5)
    longest = 0.0
    for _ in range(JOBS):
        begin = time.perf_counter()
        await workers.render.run(os.getpid)
        longest = max(longest, time.perf_counter() - begin)
        await asyncio.sleep(0.05)
    begin = time.perf_counter()
    for look in looks:
        look.cancel()
    await asyncio.wait(looks)
    _say("cancelled looks are gone", END_GOAL_S, time.perf_counter() - begin, "s")
    return longest * 1e3


async def _look(workers: Workers) -> tuple[float, float]:
    """Processor seconds and memory of one look."""
    pid = await workers.strangers.run(os.getpid)
    peak = asyncio.ensure_future(_peak_mb(pid))
    await asyncio.sleep(0)
    before_s = sum(psutil.Process(pid).cpu_times()[:2])
    await workers.strangers.run(look_at, bomb(), Limits(), deadline_s=120)
    took_s = sum(psutil.Process(pid).cpu_times()[:2]) - before_s
    peak.cancel()
    return took_s, await peak


async def _run() -> bool:
    workers = Workers(WorkersSection(processes=1))
    try:
        met = _say("a rendering job beside full strangers", WAIT_GOAL_MS, await _waits(workers), "ms")
        took_s, grown_mb = await _look(workers)
        met &= _say(f"a look at a GIF of {len(bomb())} bytes", LOOK_GOAL_S, took_s, "CPU s")
        met &= _say("what that look holds", LOOK_GOAL_MB, grown_mb, "MB")
        begin = time.perf_counter()
        for _ in range(200):
            await workers.render.run(os.getpid)
        met &= _say("a job in a warm process", JOB_GOAL_MS, (time.perf_counter() - begin) / 200 * 1e3, "ms")
        return met
    finally:
        await workers.close()


def _say(what: str, goal: float, found: float, unit: str) -> bool:
    line: dict[str, Any] = {"bench": "lanes", "what": what, unit: round(found, 3), "goal": f"<= {goal:g} {unit}"}
    print(json.dumps({**line, "met": found <= goal}))
    return found <= goal


def main(argv: list[str]) -> int:
    """Run it and print JSON lines."""
    argparse.ArgumentParser(prog="bench lanes", description=__doc__).parse_args(argv)
    return 0 if asyncio.run(_run()) else 1

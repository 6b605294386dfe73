"""How long a cog takes to import beyond discord.py, and `run` until it is ready on the loopback."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from launch.bot import available_cogs
from launch.story import stage

GOAL_IMPORT_S = 0.5
GOAL_READY_S = 2.0
RUNS = 3
PROBE = """
import sys, time
import discord, discord.ext.commands
begun = time.perf_counter()
__import__(sys.argv[1])
print(time.perf_counter() - begun)
"""


def main(argv: list[str]) -> int:
    """Measure each cog in a fresh interpreter, then the launcher; print a line for each."""
    argparse.ArgumentParser(prog="python -m bench startup", description=__doc__).parse_args(argv)
    met = [_import(name) for name in available_cogs()]
    met.append(asyncio.run(_ready()))
    return 0 if all(met) else 1


def _import(name: str) -> bool:
    times_s = [_probe(name) for _ in range(RUNS)]
    return _report(name, "import_s", min(times_s), GOAL_IMPORT_S)


def _probe(name: str) -> float:
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", PROBE, name], cwd=root, capture_output=True, text=True, check=True)
    return float(done.stdout)


async def _ready() -> bool:
    times_s: list[float] = []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder:
            async with stage(Path(folder)) as scene:
                times_s.append(scene.ready_s)
                await scene.stop_bot()
    return _report("launcher.py run", "ready_s", min(times_s), GOAL_READY_S)


def _report(what: str, figure: str, value_s: float, goal_s: float) -> bool:
    met = value_s <= goal_s
    line = {"bench": "startup", "what": what, figure: round(value_s, 3), "goal": f"<= {goal_s}", "met": met}
    print(json.dumps(line), flush=True)
    return met

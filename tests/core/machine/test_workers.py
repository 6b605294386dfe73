"""The lanes beside each other: none waits for another, and all end with the bot, however that ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from core.config import CHECKOUT
from core.config.workers import LiveLane, RenderLane, StrangersLane, WorkersSection
from core.errors import ConfigError
from core.machine.workers import Workers
from tests.core.machine import jobs

if TYPE_CHECKING:
    from pathlib import Path

LANES = ("live", "render", "strangers", "models")

PARENT = """
import asyncio, sys
from core.config.workers import WorkersSection
from core.machine.workers import Workers
from tests.core.machine import jobs

async def main():
    workers = Workers(WorkersSection(processes=1))
    for lane in (workers.live, workers.render, workers.strangers, workers.models):
        await lane.run(int, "7")
    busy = [workers.render.run(jobs.hold_the_interpreter, sys.argv[1]), workers.strangers.run(jobs.sleep, 600)]
    await asyncio.gather(*busy)

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.fixture
async def workers():
    workers = Workers(WorkersSection(processes=1))
    yield workers
    await workers.close()


async def test_each_lane_has_processes_of_its_own(workers) -> None:
    pids = [await getattr(workers, name).run(os.getpid) for name in LANES]
    assert len({*pids, os.getpid()}) == 5
    assert await workers.run(os.getpid) == pids[1]


async def test_no_lane_waits_for_another(workers, tmp_path) -> None:
    held = [
        asyncio.ensure_future(workers.strangers.run(jobs.tick, str(tmp_path / str(number)), 60.0))
        for number in range(5)
    ]
    while not (tmp_path / "0").exists():  # noqa: ASYNC110 - other processes set no event
        await asyncio.sleep(0.02)
    assert [await getattr(workers, name).run(int, "7") for name in ("live", "render", "models")] == [7, 7, 7]
    assert not any(task.done() for task in held)
    for task in held:
        task.cancel()
    await asyncio.wait(held)


def test_limits_come_from_the_configuration() -> None:
    section = WorkersSection(
        processes=3,
        live=LiveLane(processes=2, deadline_s=5),
        render=RenderLane(deadline_s=60, idle_s=1),
        strangers=StrangersLane(deadline_s=2, memory_mb=256, max_waiting=9, max_waiting_guild=5, max_waiting_person=1),
    )
    workers = Workers(section)
    assert (workers.live.limits.processes, workers.live.limits.deadline_s) == (2, 5)
    assert (workers.render.limits.processes, workers.render.limits.idle_s) == (3, 1)
    limits = workers.strangers.limits
    assert (limits.deadline_s, limits.memory_mb) == (2, 256)
    assert (limits.waiting, limits.waiting_guild, limits.waiting_person) == (9, 5, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_workers_end_when_the_bot_is_killed_even_those_that_hold_the_interpreter(tmp_path: Path) -> None:
    """`kill -9` of a process with four lanes, two of them at work."""
    script, file = tmp_path / "parent.py", tmp_path / "pid"
    script.write_text(PARENT)
    environ = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    parent = subprocess.Popen([sys.executable, str(script), str(file)], env=environ, cwd=CHECKOUT)
    until = time.monotonic() + 90
    while not (file.exists() and file.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.5)  # the other one has begun too
    children = psutil.Process(parent.pid).children(recursive=True)
    assert len(children) >= 4
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    _, alive = psutil.wait_procs(children, timeout=20)
    for process in alive:
        process.kill()
    assert not alive


async def test_a_scheduler_without_dask_is_refused_with_how_to_get_it(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match="pip install dask distributed"):
        await Workers(WorkersSection(scheduler="tcp://127.0.0.1:1")).render.run(int, "7")

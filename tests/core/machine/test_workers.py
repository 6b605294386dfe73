"""Heavy work runs in another process, its errors come back, and a dead worker is replaced."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from core.errors import ConfigError
from core.machine.workers import Workers


@pytest.fixture
async def workers():
    workers = Workers(processes=1)
    yield workers
    await workers.close()


async def test_work_runs_in_another_process(workers) -> None:
    assert await workers.run(os.getpid) != os.getpid()


async def test_an_error_of_the_work_is_raised_here(workers) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        await workers.run(int, "not a number")
    assert await workers.run(int, "7") == 7


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL to kill a worker with")
async def test_a_killed_worker_is_replaced(workers) -> None:
    os.kill(await workers.run(os.getpid), signal.SIGKILL)
    assert await workers.run(int, "7") == 7


async def test_a_scheduler_without_dask_is_refused_with_how_to_get_it(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match="pip install dask distributed"):
        await Workers(scheduler="tcp://127.0.0.1:1").run(int, "7")

"""A lane: its own processes, deadlines that end a job, fair turns, and a clear word for a process that is gone."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from core.errors import ParleyError, WorkerDied, WorkerOverdue, WorkerOverMemory, WorkersBusy
from core.machine.lane import LaneLimits, Owner, Priority, ProcessLane
from core.machine.worker_process import WorkerProcess
from tests.core.machine import jobs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

BO, ANA, IDA = Owner(1, 1), Owner(1, 2), Owner(2, 3)
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(0.02)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.fixture
async def make() -> AsyncIterator[Callable[..., ProcessLane]]:
    lanes: list[ProcessLane] = []

    def make(prepare: Any = None, **limits: Any) -> ProcessLane:
        lanes.append(ProcessLane("test", LaneLimits(**limits), prepare))
        return lanes[-1]

    yield make
    for lane in lanes:
        await lane.close()


# Results --------------------------------------------------------------------------------------------------------------


async def test_an_error_of_the_work_is_raised_here_and_says_where_it_was(make: Any) -> None:
    lane = make()
    with pytest.raises(ValueError, match="invalid literal") as caught:
        await lane.run(int, "not a number")
    assert "In the worker" in "".join(caught.value.__notes__)
    assert await lane.run(int, "7") == 7


async def test_an_error_that_cannot_travel_is_told_all_the_same(make: Any) -> None:
    lane = make()
    pid = await lane.run(os.getpid)
    with pytest.raises(TypeError, match="Stubborn"):
        await lane.run(jobs.raise_stubborn)
    with pytest.raises(TypeError, match="lambda"):
        await lane.run(jobs.return_a_function)
    with pytest.raises(RuntimeError, match="SystemExit"):
        await lane.run(jobs.leave)
    with pytest.raises(Exception, match=r"[Pp]ickle"):
        await lane.run(lambda: None)
    assert await lane.run(os.getpid) == pid


async def test_large_things_go_there_and_back(make: Any) -> None:
    data = os.urandom(30_000_000)
    assert await make().run(jobs.sleep, 0, data) == data


# Deadlines and ends ---------------------------------------------------------------------------------------------------


async def test_a_job_beyond_its_deadline_ends_with_its_process(make: Any, tmp_path: Path) -> None:
    lane = make(deadline_s=0.5)
    with pytest.raises(WorkerOverdue, match=r"0\.5 s"):
        await lane.run(jobs.hold_the_interpreter, str(tmp_path / "pid"))
    assert gone(int((tmp_path / "pid").read_text()))
    assert await lane.run(int, "7") == 7


async def test_the_deadline_of_a_job_goes_over_that_of_the_lane(make: Any) -> None:
    lane = make(deadline_s=0.2)
    assert await lane.run(jobs.sleep, 0.6, "done", deadline_s=30) == "done"


async def test_waiting_is_no_part_of_the_deadline(make: Any) -> None:
    lane = make(deadline_s=2)
    answers = await asyncio.gather(*(lane.run(jobs.sleep, 0.9, number) for number in range(4)))
    assert answers == [0, 1, 2, 3]


async def test_a_cancelled_job_is_ended(make: Any, tmp_path: Path) -> None:
    lane = make()
    task = asyncio.ensure_future(lane.run(jobs.tick, str(tmp_path / "pid"), 60.0))
    await until((tmp_path / "pid").exists)
    await until(lambda: bool((tmp_path / "pid").read_text()))
    pid = int((tmp_path / "pid").read_text())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gone(pid), "it may not write any more when its caller goes on"
    assert await lane.run(os.getpid) != pid


async def test_where_a_process_is_dear_a_cancelled_job_goes_on_unheard(make: Any, tmp_path: Path) -> None:
    lane = make(ends_cancelled=False)
    pid = await lane.run(os.getpid)
    task = asyncio.ensure_future(lane.run(jobs.note, str(tmp_path / "begun"), "x", 0.5))
    await until((tmp_path / "begun").exists)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await lane.run(os.getpid) == pid


async def test_a_job_that_has_not_begun_is_taken_out(make: Any, tmp_path: Path) -> None:
    lane = make()
    first = asyncio.ensure_future(lane.run(jobs.sleep, 0.6))
    second = asyncio.ensure_future(lane.run(jobs.note, str(tmp_path / "second"), "x"))
    await asyncio.sleep(0.1)
    second.cancel()
    await first
    assert lane.waiting == 0
    assert await lane.run(int, "7") == 7
    assert not (tmp_path / "second").exists()


async def test_a_process_that_ended_itself_is_one_clear_error(make: Any) -> None:
    lane = make()
    with pytest.raises(WorkerDied) as caught:
        await lane.run(jobs.vanish)
    assert isinstance(caught.value, ParleyError)
    assert await lane.run(int, "7") == 7


async def test_a_job_whose_process_died_is_begun_again_where_that_is_wanted(make: Any, tmp_path: Path) -> None:
    assert await make(tries=2).run(jobs.vanish_once, str(tmp_path / "once")) == "done"
    with pytest.raises(WorkerDied):
        await make(tries=1).run(jobs.vanish_once, str(tmp_path / "again"))


@posix
async def test_an_idle_process_that_was_killed_costs_no_job(make: Any) -> None:
    lane = make()
    pid = await lane.run(os.getpid)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: gone(pid))
    assert await lane.run(os.getpid) != pid


@posix
async def test_a_process_killed_in_the_middle_is_one_clear_error(make: Any, tmp_path: Path) -> None:
    lane = make()
    task = asyncio.ensure_future(lane.run(jobs.tick, str(tmp_path / "pid"), 60.0))
    await until(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    with pytest.raises(WorkerDied):
        await task


async def test_closing_ends_what_runs_and_refuses_what_waits(make: Any, tmp_path: Path) -> None:
    lane = make(tries=2)
    tasks = [asyncio.ensure_future(lane.run(jobs.tick, str(tmp_path / f"{number}"), 60.0)) for number in range(2)]
    await until(lambda: (tmp_path / "0").exists() and bool((tmp_path / "0").read_text()))
    await lane.close()
    assert gone(int((tmp_path / "0").read_text()))
    outcomes = await asyncio.gather(*tasks, lane.run(int, "7"), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [WorkerDied] * 3


# Memory ---------------------------------------------------------------------------------------------------------------


async def test_a_job_gets_no_more_memory_than_its_lane_gives(make: Any) -> None:
    lane = make(memory_mb=128)
    assert await lane.run(jobs.eat, 64) == 64 * 2**20
    with pytest.raises(WorkerOverMemory, match="memory"):
        await lane.run(jobs.eat, 512)
    assert await lane.run(jobs.eat, 64) == 64 * 2**20


async def test_memory_is_watched_where_the_kernel_does_not_bound_it(make: Any, monkeypatch: Any) -> None:
    lane = make(memory_mb=128)
    monkeypatch.setattr(WorkerProcess, "_run", _unbounded(WorkerProcess._run))
    with pytest.raises(WorkerOverMemory, match="memory"):
        await lane.run(jobs.eat_slowly, 2048)


def _unbounded(run: Any) -> Any:
    """The process is told of no limit; its parent knows it."""

    def begin(process: Any) -> None:
        kind = process._kind
        process._kind = type(kind)(kind.name, kind.prepare, 0)
        start = process._start

        def started() -> Any:
            connection = start()
            process._kind = kind
            process._base_bytes = psutil.Process(process.pid).memory_info().rss
            return connection

        process._start = started
        run(process)

    return begin


# Processes ------------------------------------------------------------------------------------------------------------


async def test_nothing_runs_before_the_first_job_and_no_more_than_is_needed(make: Any) -> None:
    lane = make(processes=3)
    before = len(psutil.Process().children())
    assert len({await lane.run(os.getpid) for _ in range(3)}) == 1
    assert len(psutil.Process().children()) <= before + 2  # and multiprocessing's own
    pids = await asyncio.gather(*(lane.run(jobs.sleep, 0.3) for _ in range(3)))
    assert pids == [None] * 3


async def test_a_lane_works_on_all_its_processes(make: Any, tmp_path: Path) -> None:
    lane = make(processes=3)
    files = [tmp_path / str(number) for number in range(3)]
    tasks = [asyncio.ensure_future(lane.run(jobs.tick, str(file), 60.0)) for file in files]
    await until(lambda: all(file.exists() for file in files))
    assert lane.running == 3
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_idle_processes_end(make: Any) -> None:
    lane = make(idle_s=0.2)
    pid = await lane.run(os.getpid)
    await until(lambda: gone(pid))
    assert await lane.run(int, "7") == 7


async def test_a_process_opens_its_model_once(make: Any) -> None:
    lane = make()
    lane.prepare_with(jobs.open_model, "tiny")
    first, second = await lane.run(jobs.opened), await lane.run(jobs.opened)
    assert first == second
    assert first[1] == ["tiny"]
    lane.prepare_with(jobs.open_model, "base")
    assert (await lane.run(jobs.opened))[1] == ["base"]


async def test_a_model_that_cannot_be_opened_is_told_to_each_who_wants_it(make: Any) -> None:
    lane = make()
    lane.prepare_with(jobs.fail_to_open)
    for _ in range(2):
        with pytest.raises(LookupError, match="no such model"):
            await lane.run(int, "7")


# Turns ----------------------------------------------------------------------------------------------------------------


async def _order(lane: ProcessLane, file: Path, wanted: list[tuple[str, Owner, int]]) -> list[str]:
    """In which order jobs come to be done that were all submitted while another ran."""
    first = asyncio.ensure_future(lane.run(jobs.sleep, 0.5))
    await asyncio.sleep(0)
    await asyncio.gather(
        first,
        *(lane.run(jobs.note, str(file), text, owner=owner, priority=priority) for text, owner, priority in wanted),
    )
    return (await asyncio.to_thread(file.read_text)).split()


async def test_live_turns_go_before_captions_and_those_before_transcripts(make: Any, tmp_path: Path) -> None:
    wanted = [
        ("transcript", BO, Priority.TRANSCRIPT),
        ("caption", BO, Priority.CAPTION),
        ("turn", BO, Priority.TURN),
        ("turn2", BO, Priority.TURN),
    ]
    assert await _order(make(), tmp_path / "order", wanted) == ["turn", "turn2", "caption", "transcript"]


async def test_who_sends_much_does_not_make_others_wait_for_all_of_it(make: Any, tmp_path: Path) -> None:
    wanted = [(f"bo{number}", BO, 0) for number in range(4)] + [("ana", ANA, 0), ("ida", IDA, 0)]
    order = await _order(make(), tmp_path / "order", wanted)
    assert order == ["bo0", "ana", "ida", "bo1", "bo2", "bo3"]


async def test_what_one_person_one_server_and_all_have_waiting_is_bounded(make: Any) -> None:
    lane = make(waiting_person=2, waiting_guild=3, waiting=4)
    tasks = [asyncio.ensure_future(lane.run(jobs.sleep, 0.3, owner=owner)) for owner in (BO, BO, ANA)]
    await asyncio.sleep(0)
    with pytest.raises(WorkersBusy, match="what you sent"):
        await lane.run(int, "7", owner=BO)
    with pytest.raises(WorkersBusy, match="Too much"):
        await lane.run(int, "7", owner=Owner(1, 9))
    tasks.append(asyncio.ensure_future(lane.run(jobs.sleep, 0.3, owner=IDA)))
    await asyncio.sleep(0)
    with pytest.raises(WorkersBusy, match="Too much"):
        await lane.run(int, "7", owner=Owner(3, 4))
    await asyncio.gather(*tasks)
    assert await lane.run(int, "7", owner=BO) == 7


async def test_the_event_loop_goes_on_meanwhile(make: Any) -> None:
    lane, longest, last = make(processes=2), 0.0, time.monotonic()
    tasks = [asyncio.ensure_future(lane.run(jobs.sleep, 0.2, b"x" * 5_000_000)) for _ in range(4)]
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0.005)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    await asyncio.gather(*tasks)
    assert lane.running == lane.waiting == 0

"""Rendering on a real Dask scheduler with two workers: the same bytes as here, though one of them is killed in the middle."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from core.config import CHECKOUT
from core.config.hearing import HearingSection
from core.errors import WorkerDied, WorkerError, WorkerOverdue
from core.hearing.engines.whisper import WhisperTranscriber
from core.hearing.models import embedded_folder
from core.machine.dask_lane import DaskLane
from core.machine.lane import LaneLimits, ProcessLane
from core.machine.shared_paths import dumps, loads
from core.machine.workers import Workers
from core.recording.rendering import SESSION, Rendering
from tests.core.hearing.conftest import said
from tests.core.machine import jobs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from core.hearing.text import Transcription

pytest.importorskip("distributed")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="process groups are killed")


class Cluster:
    """A scheduler and workers, each in a process group of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shared = folder / "shared"  # the workers know it by another path
        self.shared.mkdir()
        self.elsewhere = folder / "elsewhere"
        self.elsewhere.symlink_to(self.shared)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self.start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        self.address = self._address()

    def start(self, what: str, *args: str, checkout: bool = False) -> subprocess.Popen[bytes]:
        environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environ |= {"PARLEY_ROOT_RECORDINGS": str(self.elsewhere), "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
        environ |= {"PYTHONPATH": str(CHECKOUT)} if checkout else {}
        command = [sys.executable, "-m", f"distributed.cli.{what}", *args]
        if what == "dask_scheduler":
            command += ["--scheduler-file", str(self.folder / "scheduler.json")]
        log = (self.folder / f"{len(self.processes)}.log").open("wb")
        with log:
            process = subprocess.Popen(
                command, cwd=self.folder, env=environ, stdout=log, stderr=log, start_new_session=True
            )
        self.processes.append(process)
        return process

    def add_worker(self, *, checkout: bool = True) -> subprocess.Popen[bytes]:
        return self.start(
            "dask_worker", self.address, "--nworkers", "1", "--nthreads", "1", "--no-dashboard", checkout=checkout
        )

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def close(self) -> None:
        for process in reversed(self.processes):
            self.kill(process)

    def _address(self) -> str:
        file = self.folder / "scheduler.json"
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if file.exists() and file.read_text():
                return json.loads(file.read_text())["address"]
            time.sleep(0.1)
        raise TimeoutError(f"no scheduler: {(self.folder / '0.log').read_text()}")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("dask"))
    try:
        cluster.add_worker()
        cluster.add_worker()
        yield cluster
    finally:
        cluster.close()


@pytest.fixture
async def make(cluster: Cluster) -> AsyncIterator[Callable[..., DaskLane]]:
    lanes: list[DaskLane] = []

    def make(address: str | None = None, **limits: Any) -> DaskLane:
        lanes.append(DaskLane(address or cluster.address, LaneLimits(**limits), {"recordings": cluster.shared}))
        return lanes[-1]

    yield make
    for lane in lanes:
        await lane.close()


def record(folder: Path, minutes: float) -> dict[int, str]:
    """Journals of two people who speak all the time."""
    from bench.render import write_journal

    folder.mkdir(parents=True, exist_ok=True)
    for user_id in (1, 2):
        write_journal(folder / f"{user_id}_x.ogg", minutes / 60, user_id)
    return {user_id: f"{user_id}_x.ogg" for user_id in (1, 2)}


async def render(folder: Path, journals: dict[int, str], lane: Any) -> dict[str, bytes]:
    rendering = Rendering(folder, lane, utterance_silence_s=0.8, silence_dbfs=-50.0, mix=True)
    await rendering.finish(journals, 0)
    return {name: (folder / name).read_bytes() for name in ("1_x.wav", "2_x.wav", SESSION)}


def writes_sound(root: psutil.Process) -> bool:
    """Whether a process of a worker is at work on a track."""
    try:
        return any(
            file.path.endswith(".wav") for process in root.children(recursive=True) for file in process.open_files()
        )
    except psutil.Error:
        return False


async def test_a_recording_is_rendered_there_as_here_though_a_worker_is_killed_in_the_middle(
    cluster: Cluster, make: Any, tmp_path: Path
) -> None:
    journals = await asyncio.to_thread(record, cluster.shared / "1" / "2", 4)
    await asyncio.to_thread(record, tmp_path / "here", 4)
    here = ProcessLane("render", LaneLimits(processes=2))
    expected = await render(tmp_path / "here", journals, here)
    await here.close()
    cluster.add_worker()  # so that two remain
    lane = make()
    await lane.run(os.getpid)
    begun = asyncio.ensure_future(render(cluster.shared / "1" / "2", journals, lane))
    workers = {each.pid: each for each in cluster.processes[1:]}
    async with asyncio.timeout(60):
        while True:
            busy = await asyncio.to_thread(
                lambda: next((pid for pid in workers if writes_sound(psutil.Process(pid))), None)
            )
            if busy is not None or begun.done():
                break
    assert busy is not None, "it was too fast to be killed"
    assert not begun.done()
    cluster.kill(workers[busy])
    assert await asyncio.wait_for(begun, 120) == expected
    assert len(expected[SESSION]) > 4 * 60 * 48000 * 4 * 0.9


async def test_jobs_that_look_alike_are_each_done(make: Any, tmp_path: Path) -> None:
    lane, file = make(), str(tmp_path / "lines")
    await asyncio.gather(*(lane.run(jobs.note, file, "x") for _ in range(3)))
    assert await asyncio.to_thread(Path(file).read_text) == "x\nx\nx\n"


async def test_a_path_is_that_of_the_machine_that_opens_it(cluster: Cluster, make: Any) -> None:
    assert await make().run(str.upper, str(cluster.shared / "a")) == str(cluster.elsewhere / "a").upper()
    assert await make().run(str.upper, f"{cluster.shared}_other") == f"{cluster.shared}_other".upper()


def test_paths_travel_by_name_wherever_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    value = {"a": [tmp_path / "x", str(tmp_path)], "b": (str(tmp_path / "y" / "z"), "elsewhere")}
    data = dumps(value, {"recordings": str(tmp_path)})
    assert loads(data) == value
    monkeypatch.setenv("PARLEY_ROOT_RECORDINGS", "/mnt/there")
    assert loads(data) == {
        "a": [Path("/mnt/there/x"), "/mnt/there"],
        "b": (str(Path("/mnt/there/y/z")), "elsewhere"),
    }


async def test_each_process_there_is_prepared_once_before_its_first_job(make: Any) -> None:
    lane = make()
    lane.prepare_with(jobs.open_model, "a model")
    found = await asyncio.gather(*(lane.run(jobs.opened) for _ in range(4)))
    assert [names for _, names in found] == [["a model"]] * 4
    assert (await make().run(jobs.opened))[1] == [], "others have processes of their own"
    lane.prepare_with(jobs.fail_to_open)
    with pytest.raises(LookupError, match="no such model"):
        await lane.run(jobs.opened)


@pytest.mark.skipif(embedded_folder() is None, reason="the embedded speech model is not installed")
async def test_a_recording_is_recognised_there_as_here(cluster: Cluster, make: Any, tmp_path: Path) -> None:
    sound = await said("We have seven apples and three oranges on the table.")
    section = HearingSection()

    async def heard(models: Any) -> Transcription:
        workers = Workers()
        workers.models = models
        transcriber = WhisperTranscriber(section, tmp_path, workers)
        try:
            return await transcriber.transcribe(sound, words=True, purpose="recording")
        finally:
            await transcriber.close()
            await workers.close()

    here = await heard(ProcessLane("models", LaneLimits(ends_cancelled=False)))
    there = await heard(make())
    assert "apples and" in there.text and there == here


async def test_a_jobs_own_error_comes_back_and_costs_no_worker(make: Any) -> None:
    lane = make()
    pid = await lane.run(os.getppid)
    with pytest.raises(ValueError, match="invalid literal"):
        await lane.run(int, "x")
    with pytest.raises(TypeError, match="Stubborn"):
        await lane.run(jobs.raise_stubborn)
    assert psutil.pid_exists(pid)


async def test_a_deadline_ends_a_job_there_too(make: Any, tmp_path: Path) -> None:
    lane = make(deadline_s=1)
    with pytest.raises(WorkerOverdue):
        await lane.run(jobs.hold_the_interpreter, str(tmp_path / "pid"))
    assert not psutil.pid_exists(int(await asyncio.to_thread((tmp_path / "pid").read_text)))


async def test_a_worker_that_dies_again_and_again_is_the_same_error_as_here(make: Any) -> None:
    lane = make(tries=1)
    with pytest.raises(WorkerDied):
        await lane.run(jobs.vanish)  # the process alone
    with pytest.raises(WorkerDied):
        await lane.run(jobs.kill_parent)  # Dask's own worker, which Dask tries anew and then gives up: KilledWorker
    assert await lane.run(int, "7") == 7


async def test_a_scheduler_that_is_not_there_is_told(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.machine.dask_lane.CONNECT_S", 0.5)
    with pytest.raises(WorkerDied, match="scheduler"):
        await make("tcp://127.0.0.1:1").run(int, "7")


async def test_workers_without_parley_and_a_scheduler_that_goes_are_told(tmp_path: Path, make: Any) -> None:
    other = await asyncio.to_thread(Cluster, tmp_path)
    try:
        bare = other.add_worker(checkout=False)
        lane = make(other.address, tries=1)
        with pytest.raises(WorkerError, match="cannot import Parley"):
            await lane.run(int, "7")
        other.kill(bare)
        other.add_worker()
        assert await lane.run(int, "7") == 7
        task = asyncio.ensure_future(lane.run(jobs.note, str(tmp_path / "begun"), "x", 60.0))
        async with asyncio.timeout(60):
            while not (tmp_path / "begun").exists():  # noqa: ASYNC110 - other processes set no event
                await asyncio.sleep(0.05)
        other.kill(other.scheduler)
        with pytest.raises(WorkerDied):
            await asyncio.wait_for(task, 90)
    finally:
        other.close()

"""Lanes: each kind of heavy work has processes of its own, and nobody's work makes another kind wait."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, TypeVarTuple, cast

from core.errors import WorkerDied, WorkersBusy
from core.machine.worker_main import Call
from core.machine.worker_process import Kind, NeverBegan, WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

_log = logging.getLogger(__name__)

R = TypeVar("R")
Ts = TypeVarTuple("Ts")

STARTS = 3  # processes that a job gets which are gone before they begin it

FULL = "Too much is waiting already. Please try again in a moment."
CLOSING = "I am being stopped, so that was not finished. Please ask me again when I am back."
YOURS_WAIT = "I am still working on what you sent before. Please try again in a moment."


class Priority(IntEnum):
    """What goes first in a lane: what somebody waits for while they speak, then captions, then transcripts."""

    TURN = 0
    CAPTION = 10
    TRANSCRIPT = 20


@dataclass(frozen=True, slots=True)
class Owner:
    """For whom a job is done: lanes share fairly between guilds' people, and bound what each of them may have waiting."""

    guild_id: int = 0  # 0 is a direct message
    user_id: int = 0


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """What a lane may use. 0 means without limit, of processes it means none is too few: at least one there is."""

    processes: int = 1
    deadline_s: float = 3600.0  # of one job, from when it begins
    memory_mb: int = 0  # of one process, beside what it holds when prepared
    idle_s: float = 0.0  # processes without work end after this long; 0 keeps them
    waiting: int = 0  # jobs that wait or run, of all
    waiting_guild: int = 0
    waiting_person: int = 0
    tries: int = 1  # a job whose process died is begun this often
    ends_cancelled: bool = True  # a cancelled job's process is ended; else its outcome is thrown away when it comes


class Lane(Protocol):
    """Runs top-level functions of plain, picklable arguments somewhere else."""

    async def run(
        self,
        function: Callable[[*Ts], R],
        *args: *Ts,
        deadline_s: float | None = None,
        owner: Owner | None = None,
        priority: int = Priority.TURN,
    ) -> R:
        """Run `function` there and return its result; its exception is raised here.

        Args:
            function: A top-level function.
            args: What it is called with.
            deadline_s: How long it may take once it has begun; by default as the lane's.
            owner: For whom it is: what they may have waiting is bounded, and nobody takes another's turn.
            priority: Lower ones go first.

        Raises:
            WorkersBusy: Too much waits.
            WorkerOverdue: It took too long; its process is ended.
            WorkerOverMemory: It wanted too much memory.
            WorkerDied: Its process is gone.
        """
        ...

    async def close(self) -> None:
        """Drop what waits, end what runs."""
        ...


class PreparedLane(Lane, Protocol):
    """A lane whose processes hold something that was opened once."""

    limits: LaneLimits

    def prepare_with(self, function: Callable[[*Ts], object], *args: *Ts) -> None:
        """Have each process make this call once before its first job."""
        ...


@dataclass(eq=False, slots=True)
class _Job:
    priority: int
    serial: int
    owner: Owner
    turn: asyncio.Future[WorkerProcess] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class ProcessLane:
    """A lane of processes on this machine. They start with the first jobs, one for each that would have to wait."""

    def __init__(self, name: str, limits: LaneLimits, prepare: Call | None = None) -> None:
        self.name = name
        self.limits = limits
        self._kind = Kind(name, prepare, limits.memory_mb)
        self._waiting: list[_Job] = []
        self._running: dict[WorkerProcess, _Job] = {}
        self._idle: dict[WorkerProcess, asyncio.TimerHandle | None] = {}
        self._served: dict[Owner, int] = {}
        self._serial = 0
        self._closed = False

    def prepare_with(self, function: Callable[[*Ts], object], *args: *Ts) -> None:
        """Have each process make this call once before its first job: it opens a model, say, that stays with it.

        Processes that are there without it end after what they do.
        """
        self._kind = Kind(self.name, Call(cast("Callable[..., Any]", function), args), self.limits.memory_mb)
        for process in list(self._idle):
            self._retire(process)
        for process in self._running:
            process.end()

    @property
    def waiting(self) -> int:
        """Jobs that have not begun."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Jobs at work."""
        return len(self._running)

    async def run(
        self,
        function: Callable[[*Ts], R],
        *args: *Ts,
        deadline_s: float | None = None,
        owner: Owner | None = None,
        priority: int = Priority.TURN,
    ) -> R:
        """Run `function` in one of the lane's processes; see `Lane.run`. Cancelling it takes it out or ends it."""
        call = Call(cast("Callable[..., Any]", function), args)
        limit_s = self.limits.deadline_s if deadline_s is None else deadline_s
        tries_left, starts_left = max(1, self.limits.tries), STARTS
        while True:
            try:
                return await self._once(call, limit_s, owner or Owner(), priority)
            except WorkerDied as error:
                if isinstance(error, NeverBegan):
                    starts_left -= 1
                else:
                    tries_left -= 1
                    _log.warning("a worker of %s died during %s", self.name, function.__qualname__)
                if not tries_left or not starts_left or self._closed:
                    raise

    async def close(self) -> None:
        """Drop what waits, end the processes and wait until they are gone."""
        self._closed = True
        for job in self._waiting:
            job.turn.set_exception(WorkerDied(CLOSING))
        self._waiting.clear()
        processes = [*self._idle, *self._running]
        for timer in self._idle.values():
            if timer is not None:
                timer.cancel()
        self._idle.clear()
        for process in processes:
            process.kill()
        await asyncio.gather(*(asyncio.to_thread(process.join) for process in processes))

    async def _once(self, call: Call, deadline_s: float, owner: Owner, priority: int) -> Any:
        job = self._queue(owner, priority)
        try:
            process = await job.turn
        except asyncio.CancelledError:
            self._withdraw(job)
            raise
        future = process.submit(call, deadline_s)
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: _tell(loop, self._freed, process))
        try:
            return await _outcome(future)
        except asyncio.CancelledError:
            if self.limits.ends_cancelled:
                process.kill()
                await _over(future)  # who cancelled may delete or write anew what the job was writing
            raise

    # Whose turn it is -------------------------------------------------------------------------------------------------

    def _queue(self, owner: Owner, priority: int) -> _Job:
        if self._closed:
            raise WorkerDied(CLOSING)
        self._require_room(owner)
        self._serial += 1
        job = _Job(priority, self._serial, owner)
        self._waiting.append(job)
        self._hand_out()
        return job

    def _require_room(self, owner: Owner) -> None:
        limits, owners = self.limits, [job.owner for job in (*self._waiting, *self._running.values())]
        theirs = [each for each in owners if owner.user_id and each.user_id == owner.user_id]
        if limits.waiting_person and len(theirs) >= limits.waiting_person:
            raise WorkersBusy(YOURS_WAIT)
        neighbours = [each for each in owners if owner.guild_id and each.guild_id == owner.guild_id]
        if limits.waiting_guild and len(neighbours) >= limits.waiting_guild:
            raise WorkersBusy(FULL)
        if limits.waiting and len(owners) >= limits.waiting:
            raise WorkersBusy(FULL)

    def _hand_out(self) -> None:
        """Give jobs their processes: the most urgent first, of those the owner's who was served longest ago."""
        while self._waiting and len(self._running) < max(1, self.limits.processes):
            job = min(self._waiting, key=lambda job: (job.priority, self._served.get(job.owner, 0), job.serial))
            self._waiting.remove(job)
            self._serial += 1
            self._served[job.owner] = self._serial
            process = self._take()
            self._running[process] = job
            job.turn.set_result(process)
        if not self._waiting:
            self._served.clear()

    def _withdraw(self, job: _Job) -> None:
        """A job is cancelled before it began, or in the moment it was given a process."""
        if job in self._waiting:
            self._waiting.remove(job)
        elif job.turn.done() and not job.turn.cancelled():
            self._freed(job.turn.result())

    # Processes --------------------------------------------------------------------------------------------------------

    def _take(self) -> WorkerProcess:
        while self._idle:
            process, timer = self._idle.popitem()
            if timer is not None:
                timer.cancel()
            if process.usable:
                return process
            process.end()
        return WorkerProcess(self._kind)

    def _freed(self, process: WorkerProcess) -> None:
        self._running.pop(process, None)
        if self._closed:
            return
        if process.usable:
            idle_s = self.limits.idle_s
            loop = asyncio.get_running_loop()
            self._idle[process] = loop.call_later(idle_s, self._retire, process) if idle_s else None
        self._hand_out()

    def _retire(self, process: WorkerProcess) -> None:
        timer = self._idle.pop(process, None)
        if timer is not None:
            timer.cancel()
        process.end()


def _tell(loop: asyncio.AbstractEventLoop, action: Callable[[WorkerProcess], None], process: WorkerProcess) -> None:
    with suppress(RuntimeError):  # the loop has closed: nobody waits any more
        loop.call_soon_threadsafe(action, process)


async def _outcome(future: Future[Any]) -> Any:
    """What a job gave; cancelling this leaves the job as it is."""
    waiter = asyncio.wrap_future(future)
    waiter.add_done_callback(_seen)
    return await asyncio.shield(waiter)


async def _over(future: Future[Any]) -> None:
    """Wait for the end of a job that is being ended, though one is cancelled again meanwhile."""
    waiter = asyncio.wrap_future(future)
    waiter.add_done_callback(_seen)
    while not waiter.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([waiter])


def _seen(waiter: asyncio.Future[Any]) -> None:
    """An outcome that nobody asks for any more is no fault."""
    if not waiter.cancelled():
        waiter.exception()

"""One worker process, seen from its parent: a thread hands it jobs, watches time and memory, and ends it."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import pickle
import queue
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

import psutil

from core.errors import WorkerDied, WorkerOverdue, WorkerOverMemory
from core.machine.worker_main import MIB, Call, serve

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

_log = logging.getLogger(__name__)

START_S = 120.0  # for a process to be there and prepared: a machine under load takes long, a model is read from a disk
BEGIN_S = 20.0  # for a prepared one to begin a job
END_S = 2.0  # for an idle one to end by itself
LOOK_S = 0.1  # between two looks at the memory of a limited one

DIED = "The process that worked on this was ended from outside. Please try again."
OVERDUE = "That took longer than {limit:g} s, so I stopped it."
OVER_MEMORY = "That needs more memory than I give to one job."


class NeverBegan(WorkerDied):
    """The process was gone before it began the job: another one may do it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What processes of a lane have in common."""

    name: str
    prepare: Call | None = None
    memory_mb: int = 0  # 0 is no limit


@dataclass(frozen=True, slots=True)
class _Request:
    call: Call
    deadline_s: float
    future: Future[Any]


class WorkerProcess:
    """Starts at once, in a thread of its own that stays as long as it does: Linux ends a process with its thread.

    `submit` takes one job after the other. After `kill`, `end` or a job that went over its limits it takes no more.
    """

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._process: SpawnProcess | None = None
        self._over = False
        self._base_bytes = 0
        self._thread = threading.Thread(target=self._run, name=f"worker {kind.name}", daemon=True)
        self._thread.start()

    @property
    def usable(self) -> bool:
        """Whether it takes another job."""
        with self._lock:
            return not self._over and (self._process is None or self._process.is_alive())

    @property
    def pid(self) -> int | None:
        """Its process id, once it has started."""
        return self._process.pid if self._process is not None else None

    def submit(self, call: Call, deadline_s: float) -> Future[Any]:
        """Do a job of at most `deadline_s` seconds; the future has what it returned or raised, or a `WorkerError`."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        with self._lock:
            if self._over:
                future.set_exception(WorkerDied(DIED))
            else:
                self._requests.put(_Request(call, deadline_s, future))
        return future

    def kill(self) -> None:
        """End it now, whatever it does."""
        with self._lock:
            self._over = True
            self._requests.put(None)
            if self._process is not None:
                self._process.kill()

    def end(self) -> None:
        """Let it end after what it does."""
        with self._lock:
            self._over = True
            self._requests.put(None)

    def join(self) -> None:
        """Wait until the process is gone."""
        self._thread.join()

    # In the thread ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        connection: Connection | None = None
        fault: Exception | None = None
        try:
            connection = self._start()
        except Exception as error:  # noqa: BLE001 - the jobs that wait for it raise it
            fault = error
        while (request := self._requests.get()) is not None:
            if fault is not None or connection is None:
                _fail(request.future, fault or WorkerDied(DIED))
                break
            try:
                result = self._answer(connection, request)
            except BaseException as error:  # noqa: BLE001 - raised where it was asked for
                self._finish(connection, request.future, error)
            else:
                request.future.set_result(result)
            if self._over:
                break
        self._close(connection, fault)

    def _finish(self, connection: Connection, future: Future[Any], error: BaseException) -> None:
        """Pass on an error; one of the process itself is told only when that is gone, so that nobody meets its work."""
        if isinstance(error, WorkerDied | WorkerOverdue | WorkerOverMemory):
            self._end_process(connection, at_once=True)
        _fail(future, error)

    def _close(self, connection: Connection | None, fault: Exception | None) -> None:
        with self._lock:
            self._over = True
        self._end_process(connection, at_once=False)
        while True:  # what was submitted in the moment it ended
            try:
                request = self._requests.get_nowait()
            except queue.Empty:
                return
            if request is not None:
                _fail(request.future, fault or WorkerDied(DIED))

    def _start(self) -> Connection:
        """Start the process and wait until it is prepared."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        kind = self._kind
        prepare = pickle.dumps(kind.prepare) if kind.prepare is not None else None
        name = f"parley {kind.name}"
        process = context.Process(target=serve, args=(theirs, prepare, kind.memory_mb), name=name, daemon=True)
        with theirs:
            process.start()
        with self._lock:
            self._process = process
            if self._over:
                process.kill()
        try:
            self._outcome(ours, START_S)
        except BaseException:
            self._end_process(ours, at_once=True)
            raise
        if kind.memory_mb:
            with contextlib.suppress(psutil.Error):
                self._base_bytes = psutil.Process(process.pid).memory_info().rss
        return ours

    def _answer(self, connection: Connection, request: _Request) -> Any:
        data = pickle.dumps(request.call, protocol=pickle.HIGHEST_PROTOCOL)
        # A process that stands still takes nothing: what is larger than its pipe would be sent for ever.
        alarm = threading.Timer(BEGIN_S, self._stands_still)
        alarm.daemon = True
        alarm.start()
        try:
            connection.send((request.deadline_s, data))
            self._await(connection, START_S)
            connection.recv_bytes()  # BEGUN
        except (WorkerDied, EOFError, OSError) as error:
            raise NeverBegan(DIED) from error
        finally:
            alarm.cancel()
        return self._outcome(connection, request.deadline_s)

    def _stands_still(self) -> None:
        process = self._process
        if process is not None:
            _log.warning("a worker of %s stands still and is ended", self._kind.name)
            process.kill()

    def _outcome(self, connection: Connection, limit_s: float) -> Any:
        """What the process sends within the limit.

        Raises:
            WorkerError: It sends nothing, or went beyond its memory.
            Exception: Whatever the job raised.
        """
        self._await(connection, limit_s)
        try:
            what, value = pickle.loads(connection.recv_bytes())  # noqa: S301 - from our own process
        except (EOFError, OSError) as error:
            raise WorkerDied(DIED) from error
        if what == "memory":
            raise WorkerOverMemory(OVER_MEMORY)
        if what == "failed":
            raise value
        return value

    def _await(self, connection: Connection, limit_s: float) -> None:
        sentinel = self._process.sentinel if self._process is not None else -1
        until_s = time.monotonic() + limit_s
        while (left_s := until_s - time.monotonic()) > 0:
            timeout_s = min(left_s, LOOK_S) if self._base_bytes else left_s
            ready = wait([connection, sentinel], timeout_s)
            if connection in ready:
                return
            if ready:
                raise WorkerDied(DIED)
            if self._base_bytes and self._grown() > self._kind.memory_mb * MIB:
                raise WorkerOverMemory(OVER_MEMORY)
        raise WorkerOverdue(OVERDUE.format(limit=limit_s))

    def _grown(self) -> int:
        """Bytes it holds beyond what it held when it was prepared."""
        try:
            return psutil.Process(self.pid).memory_info().rss - self._base_bytes
        except psutil.Error:  # just gone: the next wait says so
            return 0

    def _end_process(self, connection: Connection | None, *, at_once: bool) -> None:
        with self._lock:
            self._over = True
        if connection is not None:
            connection.close()  # an idle one takes that as the end
        process = self._process
        if process is None:
            return
        if not at_once:
            process.join(END_S)
        if process.is_alive():
            process.kill()
        process.join()
        if process.exitcode:
            _log.debug("a worker of %s ended with %s", self._kind.name, process.exitcode)


def _fail(future: Future[Any], error: BaseException) -> None:
    # An exception that is kept by its future and keeps that future in its traceback would live until a collection.
    future.set_exception(error)

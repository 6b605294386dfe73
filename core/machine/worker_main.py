"""Runs jobs inside a worker process, one after the other, within limits, until its parent ends."""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

MIB = 2**20
GRACE_S = 5.0  # the parent ends a job at its deadline; this long after it the process does so itself
_RESERVED_MB = 192  # addresses that threads of C libraries reserve and do not use; the kernel counts them
_PR_SET_PDEATHSIG = 1  # of prctl(2)
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # processes are what there are several of


@dataclass(frozen=True, slots=True)
class Call:
    """A top-level function and its plain arguments."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()

    def __call__(self) -> Any:
        """Its result."""
        return self.function(*self.args)


Outcome = tuple[Literal["done", "failed", "memory"], Any]
BEGUN = b"begun"  # sent before the outcome of each job: one that a process never began may be begun by another


def serve(connection: Connection, prepare: bytes | None, memory_mb: int) -> None:
    """Answer requests until the other side hangs up; each is a deadline in seconds and a pickled `Call`.

    Args:
        connection: Takes `(deadline_s, pickled)`; sends a pickled `Outcome` for `prepare`, then `BEGUN` and one for each.
        prepare: A pickled `Call` that is made once, before any other: it imports or opens what jobs need.
        memory_mb: Memory that jobs may take beside what is there after that; 0 is no limit.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the parent, which ends its workers
    os.umask(0o077)  # whatever a library writes here is nobody else's to read
    end_with_parent()
    for name in _ONE_THREAD:
        os.environ.setdefault(name, "1")
    with open(os.devnull, "w", encoding="ascii") as nowhere:
        outcome: Outcome = ("done", None) if prepare is None else _outcome_of(prepare)
        connection.send_bytes(pickled(outcome))
        if outcome[0] != "done":
            return
        if memory_mb:
            _limit_memory(memory_mb)
        while True:
            try:
                deadline_s, request = connection.recv()
                connection.send_bytes(BEGUN)
            except (EOFError, OSError):
                return
            # A thread of C's own, which needs no Python: it ends a job that holds the interpreter though nobody watches.
            faulthandler.dump_traceback_later(deadline_s + GRACE_S, exit=True, file=nowhere)
            answer = _outcome_of(request)
            faulthandler.cancel_dump_traceback_later()
            try:
                connection.send_bytes(pickled(answer))
            except OSError:
                return
            if answer[0] == "memory":
                return  # what is left of its memory is in pieces: a fresh process takes the next job


def _outcome_of(request: bytes) -> Outcome:
    """Make a call; what goes wrong with it is an outcome too."""
    try:
        return "done", pickle.loads(request)()  # noqa: S301 - from our own parent
    except MemoryError:
        return "memory", None
    except BaseException as fault:  # noqa: BLE001 - raised where it was asked for
        error = fault if isinstance(fault, Exception) else RuntimeError(f"the job raised {fault!r}")
        error.add_note("".join(["In the worker:\n", *traceback.format_exception(fault)]).rstrip())
        return "failed", error.with_traceback(None)


def pickled(outcome: Outcome) -> bytes:
    """An outcome as bytes; one that cannot be pickled, or not be made again of its pickle, becomes a `TypeError`."""
    try:
        data = pickle.dumps(outcome, protocol=pickle.HIGHEST_PROTOCOL)
        if outcome[0] == "failed":
            pickle.loads(data)  # noqa: S301 - an exception with a constructor of its own fails only here
    except MemoryError:
        return pickle.dumps(("memory", None))
    except Exception as error:  # noqa: BLE001 - whatever __reduce__ and constructors raise
        what, value = outcome
        told = f"the outcome of a job, {what} with {type(value).__name__}, cannot leave its worker ({error}): {value!r}"
        return pickle.dumps(("failed", TypeError(told[:2000])))
    return data


def end_with_parent() -> None:
    """End this process when its parent ends, however that does.

    Linux's kernel sees to it. Elsewhere a thread waits for the parent's end; only a job that holds the interpreter keeps
    it from acting, until that job's own deadline.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_await_end, args=(parent.sentinel,), daemon=True, name="parent's end").start()


def _await_end(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def _limit_memory(memory_mb: int) -> None:
    """Have the kernel refuse memory beyond the limit, where it can; the parent looks too (`WorkerProcess`)."""
    if sys.platform == "linux":
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = used + (memory_mb + _RESERVED_MB) * MIB
        if hard != resource.RLIM_INFINITY:
            wanted = min(wanted, hard)
        with contextlib.suppress(ValueError):  # a limit of the host's is lower already
            resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))

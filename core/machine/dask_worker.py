"""What runs in a Dask worker: each job in a killable process, with the limits that hold here too."""

from __future__ import annotations

import multiprocessing
import threading
from typing import Any

from core.machine.shared_paths import dumps, loads
from core.machine.worker_main import Call, pickled
from core.machine.worker_process import Kind, WorkerProcess

_lock = threading.Lock()
_idle: dict[Kind, list[WorkerProcess]] = {}


def do_there(data: bytes, deadline_s: float, memory_mb: int, prepare: bytes = b"") -> bytes:
    """Do a job that came from `DaskLane`, with a pickled `Outcome`: what a job raises is none of Dask's business.

    Args:
        data: The job's call, as a pickle.
        deadline_s: How long it may take.
        memory_mb: What it may take beside what its process holds when prepared.
        prepare: A call that each process makes once before its first job, as a pickle: it opens a model, say.
    """
    try:
        kind = Kind("dask", loads(prepare) if prepare else None, memory_mb)
        process = _take(kind)
    except Exception as error:  # noqa: BLE001 - raised where it was asked for
        return pickled(("failed", error))
    try:
        return process.submit(Call(_do, (data,)), deadline_s).result()
    except Exception as error:  # noqa: BLE001 - raised where it was asked for
        return pickled(("failed", error))
    finally:
        with _lock:
            if process.usable:
                _idle.setdefault(kind, []).append(process)
            else:
                process.end()


def _do(data: bytes) -> bytes:
    """In the process: the call of a pickle, and its outcome as one."""
    return dumps(("done", loads(data)()), {})


def _take(kind: Kind) -> WorkerProcess:
    # Dask's nanny starts its workers as daemons, which multiprocessing forbids to have processes of their own: it could
    # not end them. Ours end by themselves.
    current: Any = multiprocessing.current_process()
    current._config["daemon"] = False
    with _lock:
        waiting = _idle.setdefault(kind, [])
        while waiting:
            process = waiting.pop()
            if process.usable:
                return process
    return WorkerProcess(kind)

"""A lane whose processes are those of a Dask scheduler's workers, on this machine or others."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import pickle
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, cast

from core.errors import ConfigError, WorkerDied, WorkerError, WorkerOverMemory
from core.machine.lane import Owner, Priority
from core.machine.shared_paths import dumps, loads
from core.machine.worker_main import Call
from core.machine.worker_process import DIED, OVER_MEMORY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from core.machine.lane import LaneLimits

_log = logging.getLogger(__name__)

R = TypeVar("R")
Ts = TypeVarTuple("Ts")

CONNECT_S = 10.0
NOT_INSTALLED = "[workers] scheduler is set, but Dask is not installed: pip install dask distributed."
UNREACHABLE = "The Dask scheduler that [workers] names cannot be reached. Is it running, and is the address right?"
FOREIGN = "The Dask workers cannot import Parley of this version: start them in a checkout of it, with PYTHONPATH naming that."


class DaskLane:
    """Hands jobs to a Dask scheduler, which repeats those whose worker dies.

    Scheduler and workers trust whoever reaches them: they belong into a private network. A job's deadline and memory
    hold there as here, since each Dask worker runs it in a process of its own. A job that is cancelled is taken back if
    it has not begun; else its outcome is thrown away.

    Files are shared by a mount. A path below one of `roots` travels as the root's name and the rest; a worker looks up
    the environment variable PARLEY_ROOT_<NAME> for where it has that root, and else takes the same path as here.
    """

    def __init__(self, address: str, limits: LaneLimits, roots: Mapping[str, Path]) -> None:
        self.limits = limits
        self._address = address
        self._roots = {name: str(path) for name, path in roots.items()}
        self._prepare = b""
        self._client: Any = None
        self._opening = asyncio.Lock()
        self._closed = False

    def prepare_with(self, function: Callable[[*Ts], object], *args: *Ts) -> None:
        """Have each process there make this call once before its first job; see `ProcessLane.prepare_with`."""
        self._prepare = dumps(Call(cast("Callable[..., Any]", function), args), self._roots)

    async def run(
        self,
        function: Callable[[*Ts], R],
        *args: *Ts,
        deadline_s: float | None = None,
        owner: Owner | None = None,
        priority: int = Priority.TURN,
    ) -> R:
        """Run `function` on one of the scheduler's workers; see `Lane.run`. The scheduler shares, not by `owner`."""
        call = Call(cast("Callable[..., Any]", function), args)
        limit_s = self.limits.deadline_s if deadline_s is None else deadline_s
        for tries_left in range(max(1, self.limits.tries) - 1, -1, -1):
            try:
                return await self._once(call, limit_s, priority)
            except WorkerDied as error:
                _log.warning("a Dask worker died during %s: %r", function.__qualname__, error.__cause__ or error)
                if not tries_left or self._closed:
                    raise
        raise AssertionError("unreachable")

    async def close(self) -> None:
        """Take back what has not begun, and leave the scheduler."""
        self._closed = True
        client, self._client = self._client, None
        if client is not None:
            await asyncio.to_thread(client.close, CONNECT_S)

    async def _once(self, call: Call, deadline_s: float, priority: int) -> Any:
        client = await self._open()
        data = dumps(call, self._roots)
        try:
            what, value = loads(await self._submit(client, data, deadline_s, priority))
        except Exception as error:
            raise self._meaning(client, error) from error
        if what == "memory":
            raise WorkerOverMemory(OVER_MEMORY)
        if what == "failed":
            raise value
        return value

    async def _submit(self, client: Any, data: bytes, deadline_s: float, priority: int) -> bytes:
        over: concurrent.futures.Future[None] = concurrent.futures.Future()

        def tell(_: object) -> None:
            over.set_result(None)

        def submit() -> Any:
            # Jobs write files: two that look alike are two.
            job = data, deadline_s, self.limits.memory_mb, self._prepare
            future = client.submit(_caller(), *job, pure=False, priority=-priority, retries=0)
            future.add_done_callback(tell)
            return future

        future = await asyncio.to_thread(submit)
        try:
            await asyncio.wrap_future(over)
            return await asyncio.to_thread(_result, future)
        except asyncio.CancelledError:
            await asyncio.shield(asyncio.to_thread(future.cancel))
            raise

    def _meaning(self, client: Any, error: Exception) -> WorkerError:
        """What an error of Dask's own says about the worker."""
        if isinstance(error, ImportError | AttributeError | pickle.UnpicklingError) or "deserializ" in str(error):
            return WorkerError(FOREIGN)
        if client.status != "running" and self._client is client:
            self._client = None  # the scheduler is gone: the next job looks for it anew
            asyncio.get_running_loop().run_in_executor(None, client.close, CONNECT_S)
        return WorkerDied(DIED)

    async def _open(self) -> Any:
        async with self._opening:
            if self._client is None:
                self._client = await asyncio.to_thread(self._connect)
            return self._client

    def _connect(self) -> Any:
        try:
            import distributed
        except ImportError as error:
            raise ConfigError(NOT_INSTALLED) from error
        try:
            module: Any = distributed
            return module.Client(self._address, timeout=CONNECT_S, set_as_default=False, name="parley")
        except (OSError, TimeoutError, ValueError) as error:
            raise WorkerDied(UNREACHABLE) from error


def _caller() -> Callable[[bytes, float, int, bytes], bytes]:
    """A function that travels whole, so that the scheduler itself needs no Parley; a worker without it says so."""

    def call(data: bytes, deadline_s: float, memory_mb: int, prepare: bytes) -> bytes:
        from core.machine.dask_worker import do_there

        return do_there(data, deadline_s, memory_mb, prepare)

    return call


def _result(future: Any) -> bytes:
    """A job's outcome; that it was lost, which Dask calls a cancellation, is an error like others."""
    try:
        return future.result()
    except concurrent.futures.CancelledError as error:
        raise ConnectionError("the scheduler lost the job") from error

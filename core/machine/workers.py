"""Heavy work leaves this process: rendering, transcribing, analysing."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


class Workers:
    """Runs top-level functions of plain, picklable arguments in other processes.

    A spawned process pool by default; a Dask scheduler's executor when an address is given. The pool starts with the
    first job, and a pool that broke (a worker was killed) is replaced for the next one.
    """

    def __init__(self, processes: int = 0, scheduler: str = "") -> None:
        self._processes = processes or max(1, (os.cpu_count() or 2) - 1)
        self._scheduler = scheduler
        self._executor: Executor | None = None
        self._client: Any = None
        self._lock = asyncio.Lock()

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `function` in a worker and give its result; its exception is raised here.

        A worker that dies takes its pool along: the job is tried once more on a fresh pool.
        """
        for last in (False, True):
            executor = await self._open()
            try:
                return await asyncio.wrap_future(executor.submit(function, *args, **kwargs))
            except BrokenProcessPool:
                _log.warning("a worker died during %s", function.__qualname__)
                if self._executor is executor:
                    self._executor = None
                if last:
                    raise
        raise AssertionError("unreachable")

    async def close(self) -> None:
        """Drop what has not begun, end the workers."""
        executor, self._executor = self._executor, None
        client, self._client = self._client, None
        if executor is not None:
            await asyncio.to_thread(executor.shutdown, wait=client is None, cancel_futures=True)
        if client is not None:
            await asyncio.to_thread(client.close)

    async def _open(self) -> Executor:
        async with self._lock:
            if self._executor is None:
                self._executor = await asyncio.to_thread(self._create)
            return self._executor

    def _create(self) -> Executor:
        if not self._scheduler:
            return ProcessPoolExecutor(self._processes, mp_context=multiprocessing.get_context("spawn"))
        try:
            import distributed  # pyright: ignore[reportMissingImports] - optional
        except ImportError as error:
            raise ConfigError(
                "[workers] scheduler is set, but Dask is not installed: pip install dask distributed."
            ) from error
        client: Any = cast("Any", distributed).Client(self._scheduler)
        self._client = client
        return client.get_executor()

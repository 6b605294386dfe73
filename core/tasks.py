"""One small scheduler: every background task has a name, an owner, a log line when it fails, and somebody who ends it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

_log = logging.getLogger(__name__)

T = TypeVar("T")

AGAIN_S = 1.0  # Python 3.11's `wait_for` can swallow a cancellation that comes as it ends: such a task is told again


class Tasks:
    """Starts, names, logs and cancels the tasks of one room or one cog.

    A task started under a name that is still running is either refused (the coroutine is closed, the running task is
    given back) or, with `replace=True`, cancelled in favour of the new one.
    """

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self._tasks: dict[Hashable, asyncio.Task[Any]] = {}
        self._serial = 0

    def start(
        self, coroutine: Coroutine[Any, Any, T], name: str | None = None, *, replace: bool = False
    ) -> asyncio.Task[T]:
        """Run `coroutine` as a task of this owner."""
        self._serial += 1
        key = name if name is not None else f"task-{self._serial}"
        running = self._tasks.get(key)
        if running is not None and not running.done():
            if not replace:
                coroutine.close()
                return running
            running.cancel()
        task = asyncio.get_running_loop().create_task(coroutine, name=f"{self.owner}: {key}")
        self._tasks[key] = task
        task.add_done_callback(lambda done, key=key: self._finished(key, done))
        return task

    def after(
        self, delay_s: float, action: Callable[[], Coroutine[Any, Any, T]], name: str, *, replace: bool = True
    ) -> asyncio.Task[T]:
        """Run `action()` once `delay_s` seconds have passed, unless cancelled or replaced before."""

        async def wait() -> T:
            await asyncio.sleep(delay_s)
            return await action()

        return self.start(wait(), name, replace=replace)

    def running(self, name: Hashable) -> bool:
        """Whether a task of this name is at work."""
        task = self._tasks.get(name)
        return task is not None and not task.done()

    def cancel(self, name: Hashable) -> None:
        """Ask the task of this name to end; unknown names are fine."""
        task = self._tasks.get(name)
        if task is not None:
            task.cancel()

    async def cancel_all(self) -> None:
        """End every task and wait until all of them have ended; a task that calls this does not wait for itself."""
        current = asyncio.current_task()
        pending = {task for task in self._tasks.values() if not task.done() and task is not current}
        while pending:
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=AGAIN_S)

    async def settle(self) -> None:
        """Wait until every task has ended by itself; not for one that calls this."""
        current = asyncio.current_task()
        while tasks := [task for task in self._tasks.values() if not task.done() and task is not current]:
            await asyncio.wait(tasks)

    def __len__(self) -> int:
        return sum(not task.done() for task in self._tasks.values())

    def _finished(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            _log.error("%s failed", task.get_name(), exc_info=error)

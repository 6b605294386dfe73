"""Recordings on a disk, with workers that can be stopped in the middle and a disk that can be full."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self

from core.config.recording import RecordingSection
from core.hub import Hub
from core.recording.service import Recordings
from core.store.recordings import RecordingsRepository
from core.store.store import Store
from tests.conftest import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

FULL_BYTES = 2_000  # after this a file takes no more, in a worker whose disk is full


class Archives:
    """The service over a folder into which recordings are brought before it opens."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "recordings"
        self.clock = ManualClock()
        self._stack = AsyncExitStack()
        self._stop_at: Any = None
        self._reached, self._go_on = asyncio.Event(), asyncio.Event()
        self._pool: ProcessPoolExecutor | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._go_on.set()
        await self._stack.aclose()

    async def open(self, *, stop_at: Any = None, full: bool = False, **settings: Any) -> Recordings:
        """Open the service, as a start of the process does."""
        self._stop_at = stop_at
        if full:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_fill_disk)
            self._stack.callback(self._pool.shutdown)
        store = Store(f"sqlite+aiosqlite:///{(self.folder / 'parley.db').as_posix()}", base=self.folder)
        await store.open()
        self._stack.push_async_callback(store.close)
        hub = Hub()
        hub.bind(asyncio.get_running_loop())
        self.service = Recordings(
            RecordingSection(min_free_mb=1, **settings),
            self.root,
            hub=hub,
            clock=self.clock,
            workers=self,
            repository=RecordingsRepository(store),
        )
        await self.service.open()
        self._stack.push_async_callback(self.service.close)
        return self.service

    async def run(self, function: Callable[..., Any], *args: Any, **_: Any) -> Any:
        """Work as a lane does it: in a thread here, or where the disk is full in a process."""
        if function is self._stop_at:
            self._reached.set()
            await self._go_on.wait()
        if self._pool is not None:
            return await asyncio.wrap_future(self._pool.submit(function, *args))
        return await asyncio.to_thread(function, *args)

    async def reached(self, function: Any) -> None:
        """Wait until the work has come to this function, where it stands still."""
        assert function is self._stop_at
        await self._reached.wait()

    def go_on(self) -> None:
        """Let the work go on."""
        self._go_on.set()

    def left_over(self) -> set[str]:
        """What lies where exports are made."""
        exports = self.root / "exports"
        return {path.relative_to(exports).as_posix() for path in exports.rglob("*")} if exports.exists() else set()

    async def settle(self) -> None:
        await asyncio.sleep(0.2)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - a folder has no event
                await asyncio.sleep(0.01)


def _fill_disk() -> None:
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FULL_BYTES, FULL_BYTES))

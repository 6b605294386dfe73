"""A source that is fetched when its turn comes, not before: a list of 500 files is not 500 files on the disk."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

import numpy as np

from core.audio.frames import CHANNELS
from core.errors import AudioError, ParleyError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from numpy.typing import NDArray

    from core.music.track import Source
    from core.tasks import Tasks

LOOK_S = 0.5
CLOSED = "I am being stopped, so that was not fetched."

_NONE: NDArray[np.float32] = np.zeros((0, CHANNELS), np.float32)


class LazySource:
    """Fetched by the first who wants its sound, kept until released, and fetched anew after that."""

    def __init__(self, fetch: Callable[[], Awaitable[Source]], tasks: Tasks) -> None:
        """Nothing is asked yet.

        Args:
            fetch: Gives the real source; called on the event loop.
            tasks: Owns the fetching.
        """
        self._fetch = fetch
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._fetched: Future[Source] | None = None

    @property
    def inner(self) -> Source | None:
        """What was fetched, once it is there."""
        fetched = self._fetched
        return fetched.result() if fetched and fetched.done() and not _failed(fetched) else None

    @property
    def endless(self) -> bool:
        """Whether it has no end, as far as is known."""
        return self.inner is not None and self.inner.endless

    @property
    def size(self) -> int:
        """Bytes that it keeps on disk now."""
        return self.inner.size if self.inner is not None else 0

    @property
    def title(self) -> str:
        """What a station plays now; plain text, empty for a file."""
        return str(getattr(self.inner, "title", ""))

    @property
    def trouble(self) -> str:
        """One sentence while a station is silent; else empty."""
        return str(getattr(self.inner, "trouble", ""))

    def prepare(self) -> None:
        """Begin to fetch; from any thread."""
        self._begin()

    def blocks(self, start_s: float) -> Generator[NDArray[np.float32], None, None]:
        """Its sound, empty blocks while it is being fetched.

        Raises:
            AudioError: It cannot be fetched, or is no sound.
        """
        fetched = self._begin()
        while True:
            try:
                source = fetched.result(LOOK_S)
                break
            except TimeoutError:
                yield _NONE
            except AudioError:
                raise
            except ParleyError as error:
                raise AudioError(error.sentence) from error
        yield from source.blocks(start_s)

    def release(self) -> None:
        """Delete what is kept; what is still being fetched is deleted when it is there."""
        with self._lock:
            fetched, self._fetched = self._fetched, None
        if fetched is not None:
            fetched.add_done_callback(_release)

    def _begin(self) -> Future[Source]:
        with self._lock:
            if self._fetched is None or (self._fetched.done() and _failed(self._fetched)):
                self._fetched = Future()
                self._run(self._fetched)
            return self._fetched

    def _run(self, outcome: Future[Source]) -> None:
        async def run() -> None:
            try:
                source = await self._fetch()
            except ParleyError as error:
                outcome.set_exception(error)
            except BaseException:
                outcome.set_exception(AudioError(CLOSED))
                raise
            else:
                outcome.set_result(source)

        try:
            self._loop.call_soon_threadsafe(lambda: self._tasks.start(run()))
        except RuntimeError:  # the loop has closed
            outcome.set_exception(AudioError(CLOSED))


def _failed(outcome: Future[Source]) -> bool:
    return outcome.cancelled() or outcome.exception() is not None


def _release(outcome: Future[Source]) -> None:
    if not _failed(outcome):
        outcome.result().release()

"""Lets a person wait for something to happen, and say what came instead when it does not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PATIENCE_S: Final = 30.0
"""How long a wait lasts unless told otherwise: it ends when the thing comes, so only a failure takes this long."""


class Bell:
    """Wakes everybody who waits whenever something may have changed."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        """Let every waiter look again."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def until(
        self, look: Callable[[], T | None], timeout_s: float, awaited: str, instead: Callable[[], str]
    ) -> T:
        """Wait until `look` returns something other than None, and return that.

        Args:
            look: Called at once and after every ring.
            timeout_s: How long to wait.
            awaited: What is waited for, for the error.
            instead: Tells at the end what happened instead.

        Raises:
            TimeoutError: With both in its message.
        """
        loop = asyncio.get_running_loop()
        ends = loop.time() + timeout_s
        while (found := look()) is None:
            left_s = ends - loop.time()
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiters.add(waiter)
            try:
                await asyncio.wait_for(waiter, left_s)
            except TimeoutError:
                raise TimeoutError(f"waited {timeout_s:g} s for {awaited}; instead: {instead()}") from None
            finally:
                self._waiters.discard(waiter)
        return found

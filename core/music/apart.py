"""Runs what may take for ever on a thread that nobody has to wait for."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")


async def run_apart(function: Callable[[], R], *, within_s: float) -> R:
    """What `function` gives or raises.

    Raises:
        TimeoutError: It takes longer than `within_s`; its thread is left to itself, and keeps no process from ending.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[R] = loop.create_future()

    def tell(result: R | None, error: BaseException | None) -> None:
        if outcome.done():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(result)  # pyright: ignore[reportArgumentType] - None only if that is what it gives

    def run() -> None:
        result, error = None, None
        try:
            result = function()
        except BaseException as raised:  # noqa: BLE001 - it is raised where the outcome is waited for
            error = raised
        try:
            loop.call_soon_threadsafe(tell, result, error)
        except RuntimeError:  # the loop has closed: nobody waits any more
            return

    threading.Thread(target=run, name="parley-music-look", daemon=True).start()
    async with asyncio.timeout(within_s):
        return await outcome

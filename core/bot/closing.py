"""What a runtime closes, in reverse: a step that fails is logged by its name and keeps no other from running."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_log = logging.getLogger(__name__)


class ClosingStack(AsyncExitStack):
    """An `AsyncExitStack` whose steps have names."""

    def close_later(self, what: str, close: Callable[[], Awaitable[None] | None]) -> None:
        """Call `close()`, and await what it returns, when the stack is closed."""

        async def step() -> None:
            try:
                waits = close()
                if waits is not None:
                    await waits
            except Exception:  # noqa: BLE001 - every other step must still run; the log has the cause
                _log.exception("closing the %s failed", what)

        self.push_async_callback(step)

"""Where messages wait while the cog that takes them up is being reloaded."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from core.clock import Clock

    Taker = Callable[[Any], Awaitable[None]]

KEEP_S = 10.0  # a cog that is away for longer was unloaded on purpose
LIMIT = 200


class Inbox:
    """Hands each message to the cog that takes them; for a cog that is away for a moment, keeps them in order."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._taker: Taker | None = None
        self._kept: deque[Any] = deque(maxlen=LIMIT)
        self._shut_at_s: float | None = None

    async def put(self, message: Any) -> None:
        """A message came."""
        if self._taker is not None:
            await self._taker(message)
        elif self._waits:
            self._kept.append(message)

    def open(self, taker: Taker) -> list[Any]:
        """From now on `taker` gets every message; gives those that came while nobody was there."""
        kept = list(self._kept) if self._waits else []
        self._kept.clear()
        self._shut_at_s = None
        self._taker = taker
        return kept

    def shut(self) -> None:
        """The cog goes; what comes within `KEEP_S` is kept for the next."""
        self._taker = None
        self._shut_at_s = self._clock.monotonic()

    @property
    def _waits(self) -> bool:
        return self._shut_at_s is not None and self._clock.monotonic() - self._shut_at_s < KEEP_S

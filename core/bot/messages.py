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


from collections.abc import Awaitable, Callable
from typing import Any

Claim = Callable[[Any], Awaitable[bool]]


class Claims:
    """Who looks at a message before it becomes a prompt. The first to claim it answers it."""

    def __init__(self) -> None:
        self._claims: list[tuple[object, Claim]] = []

    def add(self, claim: Claim, *, owner: object) -> None:
        """Ask `claim` about each message that is meant for the bot; it gives whether the message is its own.

        It must return soon: what it does with the message belongs in a task.
        """
        self._claims.append((owner, claim))

    def drop(self, owner: object) -> None:
        """Ask the claims of `owner` no more."""
        self._claims = [(claimer, claim) for claimer, claim in self._claims if claimer is not owner]

    async def taken(self, message: Any) -> bool:
        """Whether somebody claims a message."""
        for _, claim in self._claims:
            if await claim(message):
                return True
        return False

"""Routes each message to whoever takes it: claims look first, and while the taker is being reloaded messages wait."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from core.handles import Handle
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from core.clock import Clock

    Taker = Callable[[Any], Awaitable[None]]
    Claim = Callable[[Any], Awaitable[bool]]

KEEP_S = 10.0  # a cog that is away for longer was unloaded on purpose
LIMIT = 200


class MessageRouter:
    """Hands each message to the one who takes them; keeps them, in order, while that one is away for a moment.

    Others claim what is theirs before it becomes a prompt: the first to claim a message answers it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.is_own: Callable[[Any], bool] = _is_nobodys  # our own voice under another name: it is handed to nobody
        self._taker: Taker | None = None
        self._kept: deque[Any] = deque(maxlen=LIMIT)
        self._left_at_s: float | None = None
        self._claims: list[tuple[object, Claim]] = []
        self._tasks = Tasks("messages")

    async def put(self, message: Any) -> None:
        """A message came."""
        if self.is_own(message):
            return
        if self._taker is not None:
            await self._taker(message)
        elif self._waits:
            self._kept.append(message)

    def take(self, taker: Taker) -> Handle:
        """Give every message to `taker` from now on, first those that came while nobody was there.

        After the handle is ended, what comes within `KEEP_S` is kept for the next one.
        """
        kept = list(self._kept) if self._waits else []
        self._kept.clear()
        self._left_at_s = None
        self._taker = taker
        for message in kept:
            self._tasks.start(_call(taker, message))
        return Handle(lambda: self._leave(taker), "taker of messages")

    def add_claim(self, claim: Claim, *, owner: object = None) -> Handle:
        """Ask `claim` about each message that is meant for the bot; it returns whether the message is its own.

        It must return soon: what it does with the message belongs in a task.
        """
        entry = (owner, claim)
        self._claims.append(entry)
        return Handle(lambda: self._withdraw(entry), "claim of messages")

    add = add_claim  # as the API page names it on `runtime.claims`

    def drop(self, owner: object) -> None:
        """Ask the claims of `owner` no more."""
        self._claims = [(claimer, claim) for claimer, claim in self._claims if claimer is not owner]

    async def claimed(self, message: Any) -> bool:
        """Whether somebody claims a message."""
        for _, claim in tuple(self._claims):
            if await claim(message):
                return True
        return False

    async def close(self) -> None:
        """Hand over nothing more."""
        self._taker = None
        self._left_at_s = None
        self._kept.clear()
        await self._tasks.cancel_all()

    def _leave(self, taker: Taker) -> None:
        if self._taker is taker:
            self._taker = None
            self._left_at_s = self._clock.monotonic()

    def _withdraw(self, entry: tuple[object, Claim]) -> None:
        self._claims = [each for each in self._claims if each is not entry]

    @property
    def _waits(self) -> bool:
        return self._left_at_s is not None and self._clock.monotonic() - self._left_at_s < KEEP_S


def _is_nobodys(_: Any) -> bool:
    return False


async def _call(taker: Taker, message: Any) -> None:
    await taker(message)

"""The reaction that says that a message waits: put on when there is time, taken off when the message waits no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from core.lockdown.courtesy_queue import CourtesyQueue


class _Markable(Protocol):
    @property
    def id(self) -> int: ...

    async def add_reaction(self, emoji: str, /) -> Any: ...


class WaitingMarks:
    """Knows which waiting messages carry the reaction. One that an earlier process kept counts as if it did."""

    def __init__(self, outbox: CourtesyQueue, reaction: str) -> None:
        self.reaction = reaction
        self._outbox = outbox
        self._due: set[int] = set()  # still in the outbox
        self._bare: set[int] = set()  # left out, or refused by Discord

    def put(self, message: _Markable) -> None:
        """Mark a message soon, or not at all if too much is to be done."""
        if self.reaction and self._outbox.put(lambda: self._show(message), dispensable=True):
            self._due.add(message.id)
        else:
            self._bare.add(message.id)

    def gone(self, message_id: int) -> bool:
        """A message waits no more: it will not be marked. Returns whether it is marked already."""
        never = not self.reaction or message_id in self._due or message_id in self._bare
        self._due.discard(message_id)
        self._bare.discard(message_id)
        return not never

    async def _show(self, message: _Markable) -> bool:
        """Returns whether there was anything to do."""
        if message.id not in self._due:
            return False
        self._due.discard(message.id)
        try:
            await message.add_reaction(self.reaction)
        except Exception:
            self._bare.add(message.id)
            raise
        return True

"""Tracks edits and deletions of messages that wait for their turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.conversation.asked import Asked

_LIMIT = 1000  # messages that are watched at once; the oldest are forgotten first


class Written:
    """Remembers edits and deletions, by message id, of those that were added."""

    def __init__(self) -> None:
        self._watched: dict[int, Asked | Written | None] = {}

    def add(self, message_id: int) -> None:
        """Watch a message from now on."""
        self._watched[message_id] = self
        while len(self._watched) > _LIMIT:
            del self._watched[next(iter(self._watched))]

    def watches(self, message_id: int) -> bool:
        """Whether a message waits."""
        return message_id in self._watched

    def changed(self, message_id: int, message: Asked | None) -> None:
        """Note that a message was edited, or deleted (None); others than those that wait do not matter."""
        if message_id in self._watched:
            self._watched[message_id] = message

    def now(self, message_id: int, message: Asked) -> Asked | None:
        """Returns a message as it is now; None if it was deleted."""
        current = self._watched.get(message_id, self)
        return message if isinstance(current, Written) else current

    def drop(self, message_ids: Iterable[int]) -> None:
        """Watch messages no more: their turn is over."""
        for message_id in message_ids:
            self._watched.pop(message_id, None)

"""Handles: whoever registers something is given one, and ends the registration with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Ending(Protocol):
    """Something that goes on until it is ended."""

    def end(self) -> None:
        """End it; a second call does nothing."""
        ...


class Handle:
    """The one way to end a registration.

    `end` may be called twice, from any task or thread, and after whatever it was registered with has closed.
    """

    __slots__ = ("__weakref__", "_undo", "what")

    def __init__(self, undo: Callable[[], object], what: str = "") -> None:
        """Nothing happens until `end`.

        Args:
            undo: Takes the registration back; called once at most.
            what: What is registered, for logs and tests.
        """
        self.what = what
        self._undo = [undo]  # a list, since its `pop` is one step: two threads never both get it

    @property
    def ended(self) -> bool:
        """Whether the registration is over."""
        return not self._undo

    def end(self) -> None:
        """Take the registration back; a second call does nothing."""
        try:
            undo = self._undo.pop()
        except IndexError:
            return
        undo()

    def __repr__(self) -> str:
        return f"<Handle {self.what or 'of something'}{', ended' if self.ended else ''}>"

"""What a person sees of an interaction: whether the application answered, with what, and who else can see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from loopback.interactions.interaction import FIRST_RESPONSE_S, Callback
from loopback.waiting import PATIENCE_S
from loopback.world.messages import LOADING

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.interactions.interaction import Interaction
    from loopback.interactions.lifecycle import Interactions
    from loopback.world.messages import Message

T = TypeVar("T")


class PersonInteraction:
    """One slash command, press, choice or submitted modal, seen by the person who did it.

    Attributes:
        raw: The interaction as this Discord keeps it.
    """

    def __init__(self, interactions: Interactions, raw: Interaction, *, source_revisions: int = 0) -> None:
        self.raw = raw
        self._interactions = interactions
        self._source_revisions = source_revisions

    @property
    def failed(self) -> bool:
        """Whether the client shows "The application did not respond"."""
        return self._interactions.failed(self.raw)

    @property
    def messages(self) -> list[Message]:
        """The answers there are now, original first; no deleted ones, none that still shows "thinking"."""
        return [message for message in self.raw.messages if not message.deleted and not message.flags & LOADING]

    @property
    def thinking(self) -> bool:
        """Whether the client shows that the application is thinking."""
        return any(message.flags & LOADING and not message.deleted for message in self.raw.messages)

    async def response(self, timeout: float = FIRST_RESPONSE_S) -> Callback:
        """Wait for the first response and return its type: MESSAGE, DEFER, DEFER_UPDATE, UPDATE, MODAL or CHOICES."""
        return await self._until(lambda: self.raw.response, timeout, "a response")

    async def answered(self, timeout: float = PATIENCE_S) -> Message:
        """Wait for the first message a person can read: the original, a follow-up, or the updated source."""
        return await self._until(self._first_answer, timeout, "a message")

    async def wait_for(self, predicate: Callable[[Message], object], timeout: float = PATIENCE_S) -> Message:
        """Wait until one of the answers fits, as it is then (edits count)."""

        def look() -> Message | None:
            return next((message for message in self._readable() if predicate(message)), None)

        return await self._until(look, timeout, "a fitting message")

    async def choices(self, timeout: float = FIRST_RESPONSE_S) -> list[dict[str, Any]]:
        """Wait for the choices of an autocomplete."""
        return await self._until(lambda: self.raw.choices, timeout, "choices")

    async def modal(self, timeout: float = FIRST_RESPONSE_S) -> dict[str, Any]:
        """Wait for a modal to open, and return it as the application sent it."""
        return await self._until(lambda: self.raw.modal, timeout, "a modal")

    def _first_answer(self) -> Message | None:
        return next(iter(self._readable()), None)

    def _readable(self) -> list[Message]:
        source = self.raw.source
        if (
            source is not None
            and self.raw.response in (Callback.UPDATE, Callback.DEFER_UPDATE)
            and len(source.revisions) > self._source_revisions
        ):
            return [source, *self.messages]
        return self.messages

    async def _until(self, look: Callable[[], T | None], timeout: float, awaited: str) -> T:
        what = f"{awaited} of {self.raw.bot.name} to {self.raw.name}"
        return await self._interactions.bell.until(look, timeout, what, self.so_far)

    def so_far(self) -> str:
        """What happened up to now, in words."""
        if self.raw.response is None:
            return "the application did not respond" if self.failed else "no response yet"
        parts = [f"response {self.raw.response.name}"]
        if self.raw.modal is not None:
            parts.append(f"a modal {self.raw.modal.get('title')!r}")
        parts += [f"message {message.content[:80]!r}" for message in self._readable()]
        if self.thinking:
            parts.append("still thinking")
        return ", ".join(parts)

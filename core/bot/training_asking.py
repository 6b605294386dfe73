"""Asks model routes for tests of the trainer; waits while models give way to a voice session."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from core.llm.messages import ChatMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.clock import Clock
    from core.llm.messages import Role
    from core.llm.models import Models
    from core.lockdown.service import Lockdown
    from core.store.training_values import Line

TRAINING = "training"  # the feature that gives way
LOOK_S = 0.5
ROLES: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant"}


class RouteAsker:
    """An `Asker` over the model routes."""

    def __init__(self, models: Models, lockdown: Lockdown, clock: Clock) -> None:
        self._models = models
        self._lockdown = lockdown
        self._clock = clock

    async def __call__(self, route: str, lines: Sequence[Line]) -> str:
        """The whole answer of a route.

        Raises:
            ModelError: There is none, or it broke off.
        """
        while self._lockdown.locked(TRAINING):
            await self._clock.sleep(LOOK_S)
        messages = [ChatMessage(ROLES[line.role], line.content, line.name or None) for line in lines]
        async with aclosing(self._models.stream(messages, route=route)) as pieces:
            return "".join([piece async for piece in pieces])

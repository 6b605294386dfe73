"""Messages that are meant for the bot but are no prompts: pictures to look at, wishes to draw."""

from __future__ import annotations

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

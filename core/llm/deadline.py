"""How long a model may take: to begin, and in all."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

from core.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from core.llm.routes import Route

T = TypeVar("T")

CUT = "My answer was cut off here, because it took too long."


class Deadline:
    """Limits how long a model is waited for. Only the waiting counts, not the time a reader takes between two pieces of text."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._spent_s = 0.0
        self._begun = False

    @property
    def left_s(self) -> float:
        """What is left, in seconds, of the limit that ends first."""
        limits = [self._route.total_timeout_s]
        if not self._begun:
            limits.append(self._route.first_token_timeout_s)
        return max(0.0, min(limits) - self._spent_s)

    def begin(self) -> None:
        """The first token has come."""
        self._begun = True

    async def wait(self, what: Awaitable[T]) -> T:
        """Awaits it, and cancels it when patience is over. Raises `ModelError` then."""
        started_s = time.monotonic()
        limit = asyncio.timeout(self.left_s)
        try:
            async with limit:
                return await what
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise ModelError(self._complaint(), spoken=CUT if self._begun else "") from error
        finally:
            self._spent_s += time.monotonic() - started_s

    def _complaint(self) -> str:
        route = self._route
        if self._begun or route.total_timeout_s <= route.first_token_timeout_s:
            limit_s = route.total_timeout_s
            return f"The model {route.model} took longer than {limit_s:g} seconds, so its answer was cut off."
        return (
            f"The model {route.model} at {route.address} did not begin to answer within "
            f"{route.first_token_timeout_s:g} seconds."
        )

"""Bursts of messages become one prompt: people write a thought in three lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from core.clock import Clock
    from core.conversation.turn import Prompt

COMPLETE = (".", "!", "?", "…", "。", "！", "？")
TYPING_S = 3.0  # somebody who types keeps the burst open this long; Discord repeats the sign every few seconds


class Gather:
    """Joins the messages that one person writes in one go.

    A message that ends like a sentence goes on at once, since most prompts are one message; any other waits
    `idle_s` for a next one, longer while its author is typing, but never more than `max_s` in all.
    """

    def __init__(
        self, deliver: Callable[[Prompt], Coroutine[Any, Any, None]], clock: Clock, *, idle_s: float, max_s: float
    ) -> None:
        self._deliver = deliver
        self._clock = clock
        self._idle_s = idle_s
        self._max_s = max_s
        self._bursts: dict[tuple[int, int], _Burst] = {}
        self._waits = Tasks("gather: wait")
        self._deliveries = Tasks("gather")
        self._flushed = False

    async def add(self, prompt: Prompt) -> None:
        """Take a message."""
        key = (prompt.conversation_id, prompt.author_id)
        complete = self._flushed or not self._idle_s or prompt.text.rstrip().endswith(COMPLETE)
        burst = self._bursts.get(key)
        if burst is not None:
            burst.prompt = burst.prompt.joined(prompt)
        elif complete:
            await self._deliver(prompt)
            return
        else:
            burst = self._bursts[key] = _Burst(prompt, self._clock.monotonic() + self._max_s)
        self._wait(key, burst, 0 if complete else self._idle_s)

    def typing(self, conversation_id: int, author_id: int) -> None:
        """Somebody is typing; a burst of theirs stays open."""
        key = (conversation_id, author_id)
        burst = self._bursts.get(key)
        if burst is not None:
            self._wait(key, burst, TYPING_S)

    async def flush(self) -> None:
        """Deliver what waits, now; what still comes afterwards is delivered at once."""
        self._flushed = True
        await self._waits.cancel_all()
        bursts, self._bursts = self._bursts, {}
        for burst in bursts.values():
            self._deliveries.start(self._deliver(burst.prompt))
        await self._deliveries.settle()

    def _wait(self, key: tuple[int, int], burst: _Burst, wait_s: float) -> None:
        """Deliver the burst after `wait_s`, or when it is as old as it may get; a later call starts the wait anew."""
        left_s = min(wait_s, burst.latest_s - self._clock.monotonic())

        async def deliver() -> None:
            await self._clock.sleep(left_s)
            del self._bursts[key]
            self._deliveries.start(self._deliver(burst.prompt))  # a wait may be cancelled, a delivery never

        self._waits.start(deliver(), f"burst {key}", replace=True)


@dataclass(slots=True)
class _Burst:
    prompt: Prompt
    latest_s: float

"""Joins bursts of messages into one prompt: people write a thought in three lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from core.clock import Clock
    from core.conversation.asked import Asked

COMPLETE = (".", "!", "?", "…", "。", "！", "？")
TYPING_S = 3.0  # somebody who types keeps the burst open this long; Discord repeats the sign every few seconds


class Gather:
    """Joins the messages that one person writes in one go.

    A message that ends like a sentence goes on at once, since most prompts are one message; any other waits
    `idle_s` for a next one, longer while its author is typing, but never more than `max_s` in all.
    """

    def __init__(
        self,
        deliver: Callable[[Sequence[Asked]], Coroutine[Any, Any, None]],
        clock: Clock,
        *,
        idle_s: float,
        max_s: float,
    ) -> None:
        self._deliver = deliver
        self._clock = clock
        self._idle_s = idle_s
        self._max_s = max_s
        self._bursts: dict[tuple[int, int], _Burst] = {}
        self._waits = Tasks("gather: wait")
        self._deliveries = Tasks("gather")
        self._closed = False

    async def add(self, asked: Asked) -> None:
        """Add a message to its author's burst, or deliver it if it is a finished sentence by itself."""
        prompt = asked.prompt
        key = (prompt.conversation_id, prompt.author_id)
        complete = self._closed or not self._idle_s or prompt.text.rstrip().endswith(COMPLETE)
        burst = self._bursts.get(key)
        if burst is not None:
            burst.messages.append(asked)
        elif complete:
            await self._deliver([asked])
            return
        else:
            burst = self._bursts[key] = _Burst([asked], self._clock.monotonic() + self._max_s)
        self._wait(key, burst, 0 if complete else self._idle_s)

    def typing(self, conversation_id: int, author_id: int) -> None:
        """Keep the burst of somebody who is typing open."""
        key = (conversation_id, author_id)
        burst = self._bursts.get(key)
        if burst is not None:
            self._wait(key, burst, TYPING_S)

    def of(self, user_id: int) -> list[Asked]:
        """Returns the messages of somebody that are not delivered yet."""
        return [asked for burst in self._bursts.values() for asked in burst.messages if user_id in asked.prompt.authors]

    def drop(self, user_id: int) -> int:
        """Drop the messages of somebody that are not delivered yet; returns how many that were."""
        keys = [key for key in self._bursts if key[1] == user_id]
        count = sum(len(self._bursts.pop(key).messages) for key in keys)
        for key in keys:
            self._waits.cancel(f"burst {key}")
        return count

    async def close(self) -> None:
        """Deliver what waits, now; what still comes afterwards is delivered at once."""
        self._closed = True
        await self.flush()

    async def flush(self) -> None:
        """Deliver what waits, now."""
        await self._waits.cancel_all()
        bursts, self._bursts = self._bursts, {}
        for burst in bursts.values():
            self._deliveries.start(self._deliver(burst.messages))
        await self._deliveries.settle()

    def _wait(self, key: tuple[int, int], burst: _Burst, wait_s: float) -> None:
        """Deliver the burst after `wait_s`, or when it is as old as it may get; a later call starts the wait anew."""
        left_s = min(wait_s, burst.latest_s - self._clock.monotonic())

        async def deliver() -> None:
            await self._clock.sleep(left_s)
            del self._bursts[key]
            self._deliveries.start(self._deliver(burst.messages))  # a wait may be cancelled, a delivery never

        self._waits.start(deliver(), f"burst {key}", replace=True)


@dataclass(slots=True)
class _Burst:
    messages: list[Asked]
    latest_s: float

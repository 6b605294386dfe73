"""Queues turns: one at a time is carried out in a voice session, or in a text channel outside of one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.conversation.backlog import MOST_READ
from core.errors import ParleyError
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.conversation.turn import Turn
    from core.voice.session import VoiceSession

FULL = "{count} prompts are waiting already. Please let me answer those first, or use `/voice stop`."
CLOSING = "I am just being stopped. Please ask again when I am back."

Work = Callable[["Turn", "VoiceSession | None"], Awaitable[None]]
Left = Callable[[int, "Sequence[Turn]", "Turn"], None]


@dataclass(slots=True)
class _Queue:
    """The turns of one conversation: the first is under way, the others wait for the lock in order."""

    turns: list[Turn] = field(default_factory=list["Turn"])
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class TurnQueues:
    """Carries turns out in order, each queue by itself."""

    def __init__(self, limit: int, left: Left) -> None:
        """Nothing waits.

        Args:
            limit: Prompts that may wait in one queue.
            left: Told of each turn that is over: the queue's key, what is left in it, and the turn.
        """
        self._limit = limit
        self._left = left
        self._queues: dict[int, _Queue] = {}
        self._tasks = Tasks("conversation")
        self._closed = False

    def __bool__(self) -> bool:
        """Whether any turn is under way or waits."""
        return bool(self._queues)

    @property
    def turns(self) -> list[Turn]:
        """Every turn that is under way or waits."""
        return [turn for queue in self._queues.values() for turn in queue.turns]

    def of(self, key: int) -> list[Turn]:
        """The turns of one queue, by the id of its server or channel; the first is under way."""
        queue = self._queues.get(key)
        return list(queue.turns) if queue is not None else []

    def put(self, turn: Turn, session: VoiceSession | None, work: Work) -> None:
        """Have `work` carry a turn out behind the others; the session is None by then if it has ended.

        Raises:
            ParleyError: Too many wait, or none is taken any more.
        """
        if self._closed:
            raise ParleyError(CLOSING)
        key = session.guild.id if session else turn.prompt.conversation_id
        queue = self._queues.setdefault(key, _Queue())
        if len(queue.turns) > (MOST_READ if turn.aloud else self._limit):
            raise ParleyError(FULL.format(count=len(queue.turns) - 1))
        queue.turns.append(turn)
        turn.task = self._tasks.start(_in_line(queue, turn, session, work), f"turn {turn.id}")
        # Not at the end of the task's own code: a task that is cancelled before it began never runs any of it.
        turn.task.add_done_callback(lambda _: self._leave(queue, key, turn))

    async def close(self) -> None:
        """Stop every turn, and take none any more."""
        self._closed = True
        for turn in self.turns:
            turn.stop()
        await self._tasks.cancel_all()

    def _leave(self, queue: _Queue, key: int, turn: Turn) -> None:
        queue.turns.remove(turn)
        if not queue.turns and self._queues.get(key) is queue:
            del self._queues[key]
        self._left(key, queue.turns, turn)


async def _in_line(queue: _Queue, turn: Turn, session: VoiceSession | None, work: Work) -> None:
    """Wait for the turn's place; leave without work if it is put off, or was deleted while it waited."""
    async with queue.lock:
        if session is not None and session.ended.is_set():
            session = None
        if session is None and turn.put_off is not None and await turn.put_off():
            turn.outcome = "silent"
            return
        renewed = turn.prompt if turn.renew is None else turn.renew()
        if renewed is None:
            turn.outcome = "silent"
            return
        turn.prompt = renewed
        await work(turn, session)

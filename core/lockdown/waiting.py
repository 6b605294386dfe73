"""Messages that wait in the store while their feature is locked, and are answered afterwards, oldest first."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Protocol

from core.errors import ParleyError, StoreError
from core.lockdown.outbox import Outbox
from core.store.lockdown import Queued
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.clock import Clock
    from core.config.lockdown import LockdownSection
    from core.lockdown.feature import Queue
    from core.store.lockdown import QueueRepository

_log = logging.getLogger(__name__)

TRIES = 3  # answers that fail this often are given up, so that the rest of the queue is answered
RETRY_S = 5.0


class _HasId(Protocol):
    @property
    def id(self) -> int: ...


class Message(Protocol):
    """A chat message, as far as the queue needs it; discord.py's fits."""

    @property
    def id(self) -> int:
        """Its own id."""
        ...

    @property
    def channel(self) -> _HasId:
        """Where it was written."""
        ...

    @property
    def guild(self) -> _HasId | None:
        """The guild of that channel; None for a direct message."""
        ...

    @property
    def author(self) -> _HasId:
        """Who wrote it."""
        ...

    async def add_reaction(self, emoji: str, /) -> Any:
        """React to it."""
        ...


class WaitingMessages:
    """The queues of all features whose policy is `Queue`.

    A message is claimed in the store before its answer begins and struck after it is out. If the process dies in
    between, the next one asks the policy's `answered` about that one message: answered ones are struck, others are
    answered. So each message is answered exactly once where `answered` can tell, and at most once where it cannot.
    """

    def __init__(self, repository: QueueRepository, section: LockdownSection, clock: Clock) -> None:
        self.outbox = Outbox(clock)
        self._repository = repository
        self._section = section
        self._clock = clock
        self._counts: dict[str, int] = {}
        self._policies: dict[str, Queue] = {}
        self._dropped: dict[str, int] = {}  # since the last answers
        self._halted: set[str] = set()
        self._closed = False
        self._push = asyncio.Lock()
        self._tasks = Tasks("replay")

    @property
    def counts(self) -> Mapping[str, int]:
        """How many messages wait, by feature."""
        return self._counts

    async def open(self) -> None:
        """Count what the last process left."""
        self._counts = await self._repository.counts()

    async def close(self) -> None:
        """Stop answering, for good; what waits, or is kept from now on, stays in the store for the next process."""
        self._closed = True
        await self._tasks.cancel_all()
        await self.outbox.close()

    async def push(self, feature: str, policy: Queue, message: Message) -> None:
        """Keep a message for later; its author sees a reaction, those of dropped ones a notice.

        Raises:
            StoreError: It cannot be kept.
        """
        queued = Queued(
            feature,
            message.guild.id if message.guild is not None else None,
            message.channel.id,
            message.id,
            message.author.id,
            self._clock.now(),
        )
        async with self._push:
            pushed = await self._repository.push(queued, policy.limit or self._section.queue_limit)
            self._counts[feature] = self._counts.get(feature, 0) + pushed.new - len(pushed.dropped)
        if pushed.dropped:
            if not self._dropped.get(feature):
                _log.warning("queue %s is full: the oldest messages are dropped", feature)
            self._dropped[feature] = self._dropped.get(feature, 0) + len(pushed.dropped)
        reaction = self._section.queue_reaction
        if pushed.new and reaction:
            self.outbox.put(lambda: message.add_reaction(reaction), dispensable=True)
        tell = policy.tell
        if tell is not None:
            for dropped in pushed.to_tell:
                self.outbox.put(lambda dropped=dropped: tell(dropped, policy.dropped), dispensable=False)

    def replay(self, feature: str, policy: Queue) -> None:
        """Begin to answer what waits, if anything does; while that goes on, a second call changes who answers the rest."""
        self._policies[feature] = policy
        self._halted.discard(feature)
        if self._counts.get(feature) and not self._closed:
            self._tasks.start(self._replay(feature), feature)

    def halt(self, feature: str) -> None:
        """Answer no more than the message that is being answered: the feature is locked again, or its cog is gone."""
        self._halted.add(feature)

    def replaying(self, feature: str) -> bool:
        """Whether answers are going out."""
        return self._tasks.running(feature)

    async def _replay(self, feature: str) -> None:
        answered = failures = 0
        _log.info("queue %s: %d messages are answered now", feature, self._counts.get(feature, 0))
        while (queued := await self._next(feature)) is not None:
            try:
                await self._answer(queued, self._policies[feature])
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001 - other people's code answers; the log has the cause, the queue goes on
                failures += 1
                known = isinstance(error, ParleyError)
                _log.warning(
                    "message %d: try %d failed", queued.message_id, failures, exc_info=None if known else error
                )
                if failures < TRIES:
                    await self._repository.claim(queued, claimed=False)
                    await self._clock.sleep(RETRY_S)
                    continue
            failures = 0
            answered += 1
            await self._strike(queued)
            await self._clock.sleep(self._section.replay_interval_s)
        dropped = self._dropped.pop(feature, 0)
        _log.info("queue %s: %d were answered; %d had been dropped", feature, answered, dropped)

    async def _next(self, feature: str) -> Queued | None:
        async with self._push:  # so that a message stored meanwhile is either seen here or begins a new replay
            queued = None if feature in self._halted else await self._repository.oldest(feature)
            if queued is None and feature not in self._halted:
                self._counts[feature] = 0
            return queued

    async def _answer(self, queued: Queued, policy: Queue) -> None:
        message = await policy.fetch(queued)
        if message is None:
            _log.info("message %d was deleted", queued.message_id)
            return
        if queued.claimed and (policy.answered is None or await policy.answered(message)):
            return
        await self._repository.claim(queued)
        await policy.replay(message)

    async def _strike(self, queued: Queued) -> None:
        await self._repository.strike(queued)
        self._counts[queued.feature] = max(0, self._counts.get(queued.feature, 1) - 1)

"""Messages that wait in the store while their feature is locked, and are answered afterwards, oldest first."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Protocol

from core.errors import LockdownError, ParleyError, StoreError
from core.lockdown.courtesy_queue import CourtesyQueue
from core.lockdown.waiting_mark import WaitingMarks
from core.store.lockdown import QueuedMessage
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from core.clock import Clock
    from core.config.lockdown import LockdownSection
    from core.lockdown.feature import QueuePolicy
    from core.store.lockdown import QueueRepository

_log = logging.getLogger(__name__)

TRIES = 3  # answers that fail this often are given up, so that the rest of the queue is answered
RETRY_S = 5.0


class _HasId(Protocol):
    @property
    def id(self) -> int: ...


class WaitingMessage(Protocol):
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
    """The queues of all features whose policy is `QueuePolicy`.

    A message is claimed in the store before its answer begins and struck after it is out. If the process dies in
    between, the next one asks the policy's `answered` about that one message: answered ones are struck, others are
    answered. So each message is answered exactly once where `answered` can tell, and at most once where it cannot.
    """

    def __init__(
        self,
        repository: QueueRepository,
        section: LockdownSection,
        clock: Clock,
        closed_in: Callable[[str], Collection[int]] = lambda _: (),
    ) -> None:
        """Nothing is read before `open`. `closed_in` returns the servers for which alone a feature is locked now."""
        self.outbox = CourtesyQueue(clock)
        self._marks = WaitingMarks(self.outbox, section.queue_reaction)
        self._repository = repository
        self._section = section
        self._clock = clock
        self._closed_in = closed_in
        self._counts: dict[tuple[str, int | None], int] = {}  # by feature and server
        self._policies: dict[str, QueuePolicy] = {}
        self._dropped: dict[str, int] = {}  # since the last answers
        self._failures: dict[str, int] = {}  # of the message whose turn it is
        self._put_off: set[str] = set()  # nobody can answer now, and the log says so
        self._halted: set[str] = set()
        self._closed = False
        self._push = asyncio.Lock()
        self._tasks = Tasks("replay")

    @property
    def counts(self) -> Mapping[str, int]:
        """How many messages wait, by feature."""
        found: dict[str, int] = {}
        for (feature, _), count in self._counts.items():
            found[feature] = found.get(feature, 0) + count
        return found

    def count(self, feature: str, guild_id: int) -> int:
        """How many messages of one server wait."""
        return self._counts.get((feature, guild_id), 0)

    async def open(self) -> None:
        """Count what the last process left."""
        self._counts = await self._repository.counts()

    async def close(self) -> None:
        """Stop answering, for good; what waits, or is kept from now on, stays in the store for the next process."""
        self._closed = True
        await self._tasks.cancel_all()
        await self.outbox.close()

    async def push(self, feature: str, policy: QueuePolicy, message: WaitingMessage) -> None:
        """Keep a message for later; its author sees a reaction, those of dropped ones a notice.

        Raises:
            StoreError: It cannot be kept.
        """
        queued = QueuedMessage(
            feature,
            message.guild.id if message.guild is not None else None,
            message.channel.id,
            message.id,
            message.author.id,
            self._clock.now(),
        )
        async with self._push:
            pushed = await self._repository.push(queued, policy.limit or self._section.queue_limit)
            place = (feature, queued.guild_id)
            self._counts[place] = self._counts.get(place, 0) + pushed.new - len(pushed.dropped)
        if pushed.dropped:
            if not self._dropped.get(feature):
                _log.warning("queue %s is full: the oldest messages are dropped", feature)
            self._dropped[feature] = self._dropped.get(feature, 0) + len(pushed.dropped)
        if pushed.new:
            self._marks.put(message)
        unmark = policy.unmark
        for dropped in pushed.dropped:
            if self._marks.gone(dropped.message_id) and unmark is not None:
                self.outbox.put(lambda dropped=dropped: unmark(dropped, self._marks.reaction), dispensable=False)
        tell = policy.tell
        if tell is not None:
            for dropped in pushed.to_tell:
                self.outbox.put(lambda dropped=dropped: tell(dropped, policy.dropped), dispensable=False)

    def replay(self, feature: str, policy: QueuePolicy) -> None:
        """Begin to answer what waits, if anything does; while that goes on, a second call changes who answers the rest."""
        self._policies[feature] = policy
        self._halted.discard(feature)
        if self.counts.get(feature) and not self._closed:
            self._tasks.start(self._replay(feature), feature)

    def halt(self, feature: str) -> None:
        """Answer no more than the message that is being answered: the feature is locked again, or its cog is gone."""
        self._halted.add(feature)

    def replaying(self, feature: str) -> bool:
        """Whether answers are going out."""
        return self._tasks.running(feature)

    async def _replay(self, feature: str) -> None:
        _log.info("queue %s: %d messages are answered now", feature, self.counts.get(feature, 0))
        while (wait_s := await self._answer_next(feature)) is not None:
            await self._clock.sleep(wait_s)
        _log.info("queue %s: done for now; %d had been dropped", feature, self._dropped.pop(feature, 0))

    async def _answer_next(self, feature: str) -> float | None:
        """Answer the message whose turn it is; returns the pause after it, or None if there is nothing to be answered."""
        try:
            queued = await self._next(feature)
            if queued is None:
                return None
            if not await self._is_dealt_with(queued, self._policies[feature]):
                return RETRY_S
            await self._strike(queued)
        except StoreError:
            _log.exception("queue %s: the store cannot be used now", feature)
            return RETRY_S
        self._failures.pop(feature, None)
        self._put_off.discard(feature)
        return self._section.replay_interval_s

    async def _is_dealt_with(self, queued: QueuedMessage, policy: QueuePolicy) -> bool:
        """Answer a message if it can be; returns whether it waits no more."""
        feature = queued.feature
        try:
            return await self._answer(queued, policy)
        except StoreError:
            raise
        except LockdownError as error:
            if feature not in self._put_off:
                self._put_off.add(feature)
                _log.warning("queue %s: answers have to wait: %s", feature, error.sentence, exc_info=error.__cause__)
        except Exception as error:  # noqa: BLE001 - other people's code answers; the log has the cause, the queue goes on
            failures = self._failures[feature] = self._failures.get(feature, 0) + 1
            known = isinstance(error, ParleyError)
            _log.warning("message %d: try %d failed", queued.message_id, failures, exc_info=None if known else error)
            if failures >= TRIES:
                await self._give_up(queued, policy)
                return True
        if not queued.claimed:  # else an earlier process may have answered it, which is still to be asked
            await self._repository.claim(queued, claimed=False)
        return False

    async def _give_up(self, queued: QueuedMessage, policy: QueuePolicy) -> None:
        tell = policy.tell
        if tell is not None:
            self.outbox.put(lambda: tell(queued, policy.failed), dispensable=False)
        await self._unmark(queued, policy)

    async def _next(self, feature: str) -> QueuedMessage | None:
        async with self._push:  # so that a message stored meanwhile is either seen here or begins a new replay
            if feature in self._halted:
                return None
            closed = self._closed_in(feature)
            queued = await self._repository.oldest(feature, without=closed)
            if queued is None:
                for place in [place for place in self._counts if place[0] == feature and place[1] not in closed]:
                    del self._counts[place]
            return queued

    async def _answer(self, queued: QueuedMessage, policy: QueuePolicy) -> bool:
        """Returns whether the message was answered, now or before, or is gone."""
        message = await policy.fetch(queued)
        if message is None:
            _log.info("message %d was deleted", queued.message_id)
            self._marks.gone(queued.message_id)
            return True
        if not queued.claimed or (policy.answered is not None and not await policy.answered(message)):
            if queued.feature in self._halted or queued.guild_id in self._closed_in(queued.feature):
                # locked again while it was fetched
                return False
            await self._repository.claim(queued)
            await policy.replay(message)
        await self._unmark(queued, policy)
        return True

    async def _unmark(self, queued: QueuedMessage, policy: QueuePolicy) -> None:
        if not self._marks.gone(queued.message_id) or policy.unmark is None:
            return
        try:
            await policy.unmark(queued, self._marks.reaction)
        except Exception as error:  # noqa: BLE001 - a mark that stays is no reason to stop; the log has the cause
            _log.info("the mark of message %d stays: %s", queued.message_id, error)

    async def _strike(self, queued: QueuedMessage) -> None:
        await self._repository.strike(queued)
        place = (queued.feature, queued.guild_id)
        self._counts[place] = max(0, self._counts.get(place, 1) - 1)

"""The event hub: rooms that do not know each other tell each other what happened."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from core.events import Event
from core.fanout import Subscriber, Subscribers

if TYPE_CHECKING:
    from core.handles import Handle

_log = logging.getLogger(__name__)

E = TypeVar("E", bound=Event)
Handler = Callable[[E], Awaitable[None] | None]


@dataclass(slots=True, eq=False, kw_only=True)
class Subscription(Subscriber):
    """One handler's place at the hub: its own queue, its own order, its own failures."""

    event: type[Event]
    limit: int
    queue: deque[Event] = field(default_factory=lambda: deque[Event]())
    dropped: int = 0
    delivered: int = 0
    task: asyncio.Task[None] | None = None


class Hub:
    """Carries events from whoever publishes to whoever subscribed.

    `publish` never waits and never raises, from any thread. Each subscriber takes its events in the order of
    publishing, one at a time, from a queue of its own; when that queue is full its oldest event goes, counted and
    logged. A handler that fails is logged and counted and hurts nobody else. A subscription to a base class receives
    every event below it.
    """

    def __init__(self, *, queue_limit: int = 1000) -> None:
        self._queue_limit = queue_limit
        self._subscriptions = Subscribers[Subscription](_forget)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: int | None = None
        self._closed = False

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say which loop the handlers run on; called once by the runtime, from that loop."""
        self._loop = loop
        self._thread = threading.get_ident()

    def subscribe(self, event: type[E], handler: Handler[E], *, owner: object, limit: int | None = None) -> Handle:
        """Call `handler` for every event of this class (or below) from now on, until the handle is ended or `drop(owner)`.

        Args:
            event: The class of event.
            handler: A function or coroutine function of one argument.
            owner: Whose subscription it is, usually the cog or room itself.
            limit: How many events may wait for this handler, if not the hub's own limit.
        """
        subscription = Subscription(handler, owner, event=event, limit=limit or self._queue_limit)
        return self._subscriptions.add(subscription, f"subscription to {event.__name__}")

    def drop(self, owner: object) -> None:
        """End every subscription of `owner`; what waits in its queues is not delivered any more."""
        self._subscriptions.drop(owner)

    def publish(self, event: Event) -> None:
        """Hand `event` to every subscriber; returns at once, never raises, may be called from any thread."""
        if self._closed or self._loop is None:
            _log.debug("nobody to carry %s", type(event).__name__)
            return
        if threading.get_ident() == self._thread:
            self._deliver(event)
            return
        try:
            self._loop.call_soon_threadsafe(self._deliver, event)
        except RuntimeError:  # the loop has closed: the process is on its way out
            _log.debug("the loop is closed; %s was not delivered", type(event).__name__)

    async def settle(self) -> None:
        """Wait until every queue is empty and every handler idle; for tests and an orderly stop."""
        await asyncio.sleep(0)
        while tasks := [s.task for s in self._subscriptions.now if s.task is not None and not _is_current(s.task)]:
            await asyncio.wait(tasks)

    async def close(self) -> None:
        """Deliver what waits, then stop."""
        await self.settle()
        self._closed = True
        self._subscriptions = Subscribers[Subscription](_forget)

    def counts(self) -> dict[str, tuple[int, int, int]]:
        """For status: delivered, failed and dropped events by handler."""
        return {s.name: (s.delivered, s.failed, s.dropped) for s in self._subscriptions.now}

    def _deliver(self, event: Event) -> None:
        for subscription in self._subscriptions.now:
            if not isinstance(event, subscription.event):
                continue
            if len(subscription.queue) >= subscription.limit:
                subscription.queue.popleft()
                subscription.dropped += 1
                if subscription.dropped & (subscription.dropped - 1) == 0:
                    _log.warning("%r is too slow: %d events dropped", subscription.callback, subscription.dropped)
            subscription.queue.append(event)
            if subscription.task is None:
                loop = asyncio.get_running_loop()
                subscription.task = loop.create_task(
                    self._drain(subscription), name=f"hub: {subscription.event.__name__}"
                )

    async def _drain(self, subscription: Subscription) -> None:
        try:
            while subscription.queue:
                event = subscription.queue.popleft()
                try:
                    result = subscription.callback(event)
                    if inspect.isawaitable(result):
                        await result
                    subscription.delivered += 1
                except Exception:  # noqa: BLE001 - a subscriber's failure is its own: logged, counted, the next event goes on
                    subscription.fail(type(event).__name__, sparsely=False)
        finally:
            subscription.task = None


def _forget(subscription: Subscription) -> None:
    subscription.queue.clear()
    if subscription.task is not None and not _is_current(subscription.task):
        subscription.task.cancel()


def _is_current(task: asyncio.Task[None]) -> bool:
    try:
        return task is asyncio.current_task()
    except RuntimeError:  # called outside a loop: no task is current
        return False

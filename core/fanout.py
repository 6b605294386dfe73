"""One thing handed to many: who subscribed, on whose behalf, and what becomes of one that fails."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from core.handles import Handle

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Subscriber:
    """Somebody who wants to be called."""

    callback: Callable[[Any], Any]
    owner: object
    failed: int = 0

    @property
    def name(self) -> str:
        """What the callback is called, for logs and status."""
        return getattr(self.callback, "__qualname__", repr(self.callback))

    def fail(self, on: str, *, sparsely: bool) -> None:
        """Count and log the exception that is being handled; `sparsely` ever more rarely, where there may be many."""
        self.failed += 1
        if not sparsely or self.failed & (self.failed - 1) == 0:
            _log.exception("%s failed on %s (%d times)", self.name, on, self.failed)


S = TypeVar("S", bound=Subscriber)


class Subscribers(Generic[S]):
    """Everybody who subscribed. They come and go from any thread, in one step: who is being called sees the old or the new."""

    def __init__(self, ended: Callable[[S], object] = lambda _: None) -> None:
        """`ended` is told of each that goes."""
        self.now: tuple[S, ...] = ()
        self._ended = ended

    def add(self, subscriber: S, what: str) -> Handle:
        """Let somebody be called from now on, until the handle is ended or its owner dropped."""
        self.now = (*self.now, subscriber)
        return Handle(lambda: self._end(lambda each: each is subscriber), what)

    def drop(self, owner: object) -> None:
        """End everybody of `owner`."""
        self._end(lambda each: each.owner is owner)

    def _end(self, ends: Callable[[S], bool]) -> None:
        ending = [each for each in self.now if ends(each)]
        self.now = tuple(each for each in self.now if each not in ending)
        for each in ending:
            self._ended(each)


class Fanout(Generic[T]):
    """Calls everybody who subscribed, at once, on the thread that sends: they must not block.

    One that raises is logged and counted, and stops nobody.
    """

    def __init__(self, what: str) -> None:
        """`what` is one of the things that are sent, as the log calls it."""
        self._what = what
        self._subscribers = Subscribers[Subscriber]()

    def __bool__(self) -> bool:
        return bool(self._subscribers.now)

    def subscribe(self, callback: Callable[[T], object], *, owner: object = None) -> Handle:
        """Call `callback` with everything sent from now on, until the handle is ended or `drop(owner)`."""
        return self._subscribers.add(Subscriber(callback, owner), f"subscription to {self._what}")

    def drop(self, owner: object) -> None:
        """End every subscription of `owner`. What is being sent may still arrive."""
        self._subscribers.drop(owner)

    def send(self, item: T) -> None:
        """Call everybody. Never raises."""
        for subscriber in self._subscribers.now:
            try:
                subscriber.callback(item)
            except Exception:  # noqa: BLE001 - a subscriber's failure is its own: logged, counted, the others go on
                subscriber.fail(self._what, sparsely=True)

    @property
    def failed(self) -> dict[str, int]:
        """How often each subscriber failed, by name."""
        return {subscriber.name: subscriber.failed for subscriber in self._subscribers.now}

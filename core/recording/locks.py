"""One lock a recording: while it is deleted or somebody taken out of it, nothing of it is handed out."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Mapping

CHANGED = "That recording was changed or deleted in the meantime, so nothing of it is handed out. Please look again."
BUSY = "That recording is still being worked on. Please try again in a moment."


@dataclass(frozen=True, slots=True)
class Ticket:
    """Which state of which recordings something was made from."""

    versions: Mapping[str, int]


@dataclass(slots=True)
class _Lock:
    """Who uses one recording at the moment."""

    senders: int = 0
    changers: int = 0
    free: asyncio.Event = field(default_factory=asyncio.Event)  # set when a sender is done
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # one changer after the other: they read, then write


class RecordingLocks:
    """Lets many hand out a recording at once, or one change it; what was read before a change is void after it.

    Who deletes enters `changing` first: from then on every ticket given for the recording is void, and what is just
    being sent is waited for. Who hands out takes a `ticket` before the first byte is read, works for as long as it
    takes, and sends within `sending`, which asks once more.
    """

    def __init__(self) -> None:
        self._locks: dict[str, _Lock] = {}  # of recordings in use
        self._versions: Counter[str] = Counter()
        self._watching: dict[str, list[Callable[[], None]]] = {}

    def ticket(self, recording_ids: Iterable[str]) -> Ticket:
        """Begin to read recordings.

        Raises:
            RecordingError: One of them is being changed.
        """
        ids = tuple(recording_ids)
        for recording_id in ids:
            lock = self._locks.get(recording_id)
            if lock is not None and lock.changers:
                raise RecordingError(BUSY)
        return Ticket({recording_id: self._versions[recording_id] for recording_id in ids})

    def holds(self, ticket: Ticket) -> bool:
        """Whether nothing was changed since a ticket was given."""
        return all(self._versions[recording_id] == version for recording_id, version in ticket.versions.items())

    @asynccontextmanager
    async def changing(self, recording_id: str) -> AsyncGenerator[None]:
        """Delete a recording, or take somebody out of it: alone, and with every earlier ticket void. Not to be nested."""
        lock = self._locks.setdefault(recording_id, _Lock())
        lock.changers += 1
        self._versions[recording_id] += 1
        for call in list(self._watching.get(recording_id, ())):
            call()
        try:
            while lock.senders:
                lock.free.clear()
                await lock.free.wait()
            async with lock.turn:
                yield
        finally:
            lock.changers -= 1
            self._forget(recording_id)

    @asynccontextmanager
    async def sending(self, ticket: Ticket) -> AsyncGenerator[None]:
        """Send what was made with a ticket; changes wait until that is over.

        Raises:
            RecordingError: A recording was changed since, so what was made may hold somebody who is deleted.
        """
        if not self.holds(ticket):
            raise RecordingError(CHANGED)
        locks = [self._locks.setdefault(recording_id, _Lock()) for recording_id in ticket.versions]
        for lock in locks:
            lock.senders += 1
        try:
            yield
        finally:
            for lock in locks:
                lock.senders -= 1
                lock.free.set()
            for recording_id in ticket.versions:
                self._forget(recording_id)

    @asynccontextmanager
    async def watched(self, ticket: Ticket, changed: Callable[[], None]) -> AsyncGenerator[None]:
        """Have `changed` called as soon as a ticket becomes void, to stop work that is in vain."""
        async with AsyncExitStack() as stack:
            for recording_id in ticket.versions:
                calls = self._watching.setdefault(recording_id, [])
                calls.append(changed)
                stack.callback(self._unwatch, recording_id, changed)
            yield

    def _unwatch(self, recording_id: str, changed: Callable[[], None]) -> None:
        calls = self._watching[recording_id]
        calls.remove(changed)
        if not calls:
            del self._watching[recording_id]

    def _forget(self, recording_id: str) -> None:
        lock = self._locks.get(recording_id)
        if lock is not None and not lock.senders and not lock.changers:
            del self._locks[recording_id]

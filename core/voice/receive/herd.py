"""One thread reads for all voice connections when much is said at once: waking up costs more than what is done with a packet.

Beside it each connection keeps its own thread, which follows its socket and reads it as long as little is said.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_log = logging.getLogger(__name__)

# How often the herd is read: the kernel says when each datagram came, so only what is heard live waits. A processor's
# caches hold others' things when the thread wakes, which costs more than the work; so the more is said, the longer it sleeps.
LEAST_GATHER_S, MOST_GATHER_S = 0.01, 0.04
CROWDED = 5_000  # datagrams a second from which on it sleeps longest: a hundred people who speak at the same time
BUSY, CALM = 400, 300  # datagrams a second of the whole process, above and below which it reads together and apart
LOOK_S = 0.25


class Traffic:
    """How many datagrams the process gets. Counted by several threads, none of which waits for another."""

    def __init__(self) -> None:
        self.busy = False
        self.gather_s = LEAST_GATHER_S
        self._count = 0
        self._since_s = time.monotonic()

    def note(self, count: int, now_s: float) -> None:
        """So many were read."""
        self._count += count  # two threads at once may lose some: it is an estimate
        passed_s = now_s - self._since_s
        if passed_s >= LOOK_S:
            rate = self._count / passed_s
            self._count, self._since_s = 0, now_s
            self.busy = rate >= (CALM if self.busy else BUSY)
            self.gather_s = min(max(LEAST_GATHER_S, rate / CROWDED * MOST_GATHER_S), MOST_GATHER_S)


class Member:
    """A connection whose socket is read by the herd inside of `with`; outside, nobody but its own thread reads it."""

    def __init__(self, herd: Herd, read: Callable[[], int | None], gone: Callable[[], None]) -> None:
        self.alive = True
        self._herd = herd
        self._read = read
        self._gone = gone
        self._reading = threading.Lock()
        self._inside = False

    def __enter__(self) -> None:
        self._inside = True
        self._herd.add(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._herd.remove(self)
        with self._reading:  # what is being read is read to its end
            self._inside = False

    def turn(self) -> int:
        """Read what is there, on the herd's thread; gives how many datagrams that were."""
        with self._reading:
            if not self._inside or not self.alive:
                return 0
            try:
                count = self._read()
            except Exception:  # noqa: BLE001 - one connection's fault is its own: the others are read on
                _log.exception("a voice socket could not be read")
                count = None
        if count is None:
            self.alive = False
            self._gone()
            return 0
        return count


class Herd:
    """The thread, which runs while there are members."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._members: tuple[Member, ...] = ()
        self._changing = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, member: Member) -> None:
        """Read for a member from now on."""
        with self._changing:
            self._members = (*self._members, member)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="parley-voice-herd", daemon=True)
                self._thread.start()

    def remove(self, member: Member) -> None:
        """Read for a member no longer."""
        with self._changing:
            self._members = tuple(other for other in self._members if other is not member)

    def _run(self) -> None:
        while True:
            time.sleep(self._traffic.gather_s)
            members = self._members
            count = 0
            for member in members:
                count += member.turn()
            self._traffic.note(count, time.monotonic())
            if not members:
                with self._changing:
                    if not self._members:
                        self._thread = None
                        return


traffic = Traffic()
herd = Herd(traffic)

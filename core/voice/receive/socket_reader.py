"""The thread that reads the voice socket.

discord.py's own sleeps up to 30 s in `select` on a socket that was closed meanwhile, which makes a reconnect deaf for that
long; it reads one datagram a call; and `select` cannot take file numbers over 1,023, which bots with many connections
have. This one is woken when the socket changes, drains it, and keeps the NAT on the way open.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import time
from typing import TYPE_CHECKING

from discord.utils import MISSING
from discord.voice_state import SocketReader

from core.voice.receive.datagrams import datagrams_of, wall_offset_s
from core.voice.receive.herd import Member, herd, traffic

if TYPE_CHECKING:
    from collections.abc import Callable

    from discord.voice_state import SocketReaderCallback, VoiceConnectionState

    from core.voice.receive.datagrams import Datagrams
    from core.voice.receive.receiver import Receiver

_log = logging.getLogger(__name__)

KEEP_ALIVE_S = 5.0  # as Discord's own clients do; the server echoes the eight bytes
KEEP_ALIVE_SIZE = 8
DISCOVERY_SIZE, DISCOVERY_ANSWER = 74, b"\0\2"
BURST = 256  # datagrams read before the thread looks up
PAUSED_S = 0.5
TOGETHER_S = 1.0  # how often it is looked at whether the herd still reads


class VoiceSocketReader(SocketReader):
    """Reads for a `Receiver`, and for discord.py's own listeners while it discovers its address."""

    def __init__(self, state: VoiceConnectionState, receiver: Receiver) -> None:
        super().__init__(state)
        self.name = f"parley-voice-reader-{id(state):x}"
        self._receiver = receiver
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._unheard: bytes | None = None  # an address that was answered before discord.py listened
        self._keep_alive_at_s = 0.0
        self._keep_alives = 0
        self.round_trip_s: float | None = None

    # discord.py's side: it pauses before it closes a socket and resumes when there is a new one -------------------------

    def register(self, callback: SocketReaderCallback) -> None:
        """Also hand every datagram to `callback`, and the answer it waits for if that came already.

        discord.py asks for its address first and listens then: in a busy process the answer is sooner, and never sent again.
        """
        self._callbacks.append(callback)
        self.wake()

    def unregister(self, callback: SocketReaderCallback) -> None:
        """No longer do so; an unknown callback is fine."""
        with contextlib.suppress(ValueError):
            self._callbacks.remove(callback)

    def pause(self) -> None:
        """Let go of the socket."""
        self._running.clear()
        self.wake()

    def resume(self, *, force: bool = False) -> None:
        """Read the connection's present socket."""
        self._running.set()
        self.wake()

    def stop(self) -> None:
        """End the thread."""
        self._end.set()
        self._running.set()
        self.wake()

    def wake(self) -> None:
        """Make the thread look up: at its state, and at what the receiver holds."""
        # When the pipe is full or closed, the thread is awake or gone anyway.
        with contextlib.suppress(OSError):
            self._wake_in.send(b"\0")

    # The thread -------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Read until `stop`."""
        try:
            while not self._end.is_set():
                if self._running.wait(PAUSED_S):
                    self._read()
        except Exception:  # noqa: BLE001 - a thread has nobody above it; without this line it would end unseen
            _log.exception("the voice socket reader failed")
        finally:
            self._callbacks.clear()
            self._wake_in.close()
            self._wake_out.close()

    def _read(self) -> None:
        """Read one socket until it goes away or reading is paused."""
        current = self.state.socket
        if current is MISSING or current.fileno() < 0:
            time.sleep(0.01)
            return
        wait, wait_for_wake = _waiter(current, self._wake_out), _waiter(self._wake_out)
        datagrams = datagrams_of(current)
        member = Member(herd, lambda: self._drain(datagrams), self.wake)
        self._unheard = None
        while self._running.is_set() and not self._end.is_set() and self.state.socket is current and member.alive:
            self._keep_alive(current)
            until_s = max(0.0, self._keep_alive_at_s - time.monotonic())
            try:
                if traffic.busy:
                    with member:
                        readable = wait_for_wake(min(until_s, TOGETHER_S))
                else:
                    readable = wait(until_s)
                if self._wake_out.fileno() in readable:
                    self._drain_wake(current)
            except (OSError, ValueError) as error:
                _log.debug("the voice socket went away: %s", error)
                return
            if not readable:
                continue
            count = self._drain(datagrams)
            if count is None:
                return
            traffic.note(count, time.monotonic())

    def _drain(self, datagrams: Datagrams) -> int | None:
        """Hand over what has arrived; gives how many datagrams that were, or None when the socket is closed."""
        feed, callbacks, offset_s = self._receiver.feed, self._callbacks, wall_offset_s()
        count = 0
        while count < BURST:
            try:
                taken = datagrams.take(offset_s)
            except (ConnectionError, InterruptedError):
                count += 1
                continue  # an earlier datagram of ours met a closed port; the ones to come are read all the same
            except OSError as error:
                _log.debug("the voice socket was closed: %s", error)
                return None
            for datagram, arrival_s in taken:
                if len(datagram) == KEEP_ALIVE_SIZE:
                    self.round_trip_s = max(0.0, arrival_s - (self._keep_alive_at_s - KEEP_ALIVE_S))
                    continue
                feed(datagram, arrival_s)
                if callbacks:
                    self._tell(datagram)
                elif len(datagram) == DISCOVERY_SIZE and datagram.startswith(DISCOVERY_ANSWER):
                    self._unheard = datagram
            count += len(taken)
            if len(taken) < datagrams.most:
                break
        return count

    def _tell(self, datagram: bytes) -> None:
        for callback in tuple(self._callbacks):
            try:
                callback(datagram)
            except Exception:  # noqa: BLE001 - listeners of discord.py's; one that fails must not stop the reading
                _log.exception("%r failed on a datagram", callback)

    def _drain_wake(self, current: socket.socket) -> None:
        self._wake_out.recv(256)
        # Woken because there is another socket: whoever listens now asks for the address of that one.
        if self._unheard is not None and self._callbacks and self.state.socket is current:
            unheard, self._unheard = self._unheard, None
            self._tell(unheard)
        self._receiver.settle(time.monotonic())

    def _keep_alive(self, current: socket.socket) -> None:
        now_s = time.monotonic()
        if now_s < self._keep_alive_at_s:
            return
        self._keep_alive_at_s = now_s + KEEP_ALIVE_S
        self._keep_alives = (self._keep_alives + 1) & 0xFFFFFFFF
        # Before the address is known there is no peer, and a broken path shows soon enough elsewhere.
        with contextlib.suppress(OSError):
            current.send(self._keep_alives.to_bytes(KEEP_ALIVE_SIZE, "little"))


def _waiter(*sockets: socket.socket) -> Callable[[float], set[int]]:
    """A function that waits up to so many seconds until one of the sockets can be read, and says which can."""
    if not hasattr(select, "poll"):  # Windows: `select` takes any socket there
        numbers = [one.fileno() for one in sockets]
        return lambda timeout_s: set(select.select(numbers, (), (), timeout_s)[0])
    poll = select.poll()
    for one in sockets:
        poll.register(one, select.POLLIN)
    return lambda timeout_s: {number for number, _ in poll.poll(timeout_s * 1000)}

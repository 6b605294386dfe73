"""The reading thread follows the connection's socket, whatever happens to it."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from discord.utils import MISSING

from core.voice.receive import socket_reader
from core.voice.receive.socket_reader import VoiceSocketReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Bench:
    """A reader, the socket it reads, and a peer that sends."""

    def __init__(self) -> None:
        self.peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.peer.bind(("127.0.0.1", 0))
        self.peer.settimeout(5)
        self.fed: list[bytes] = []
        self.arrivals_s: list[float] = []
        self.settled = 0
        self.state: Any = SimpleNamespace(socket=MISSING)
        receiver: Any = SimpleNamespace(feed=self._feed, settle=self._settle)
        self.reader = VoiceSocketReader(self.state, receiver)
        self.reader.start()

    def new_socket(self) -> None:
        """What discord.py does on every new connection."""
        old = self.state.socket
        self.reader.pause()
        if old is not MISSING:
            old.close()
        fresh = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        fresh.setblocking(False)
        fresh.connect(self.peer.getsockname())
        fresh.send(b"here I am")
        self.state.socket = fresh
        self.reader.resume()
        while (got := self.peer.recvfrom(100))[0] != b"here I am":
            pass
        self.address = got[1]

    def send(self, *datagrams: bytes) -> None:
        for datagram in datagrams:
            self.peer.sendto(datagram, self.address)

    def until(self, condition: Callable[[], bool]) -> None:
        over_s = time.monotonic() + 5
        while not condition():
            assert time.monotonic() < over_s, "it never happened"
            time.sleep(0.002)

    def close(self) -> None:
        self.reader.stop()
        self.reader.join(5)
        assert not self.reader.is_alive()
        self.peer.close()
        if self.state.socket is not MISSING:
            self.state.socket.close()

    def _feed(self, datagram: bytes, arrival_s: float) -> None:
        self.arrivals_s.append(arrival_s)
        self.fed.append(datagram)

    def _settle(self, _now_s: float) -> None:
        self.settled += 1


@pytest.fixture(params=[False, True], ids=["alone", "together"])
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Read by its own thread, and by the herd's, as when much is said in the process."""
    monkeypatch.setattr(socket_reader, "traffic", SimpleNamespace(busy=request.param, note=lambda *_: None))
    bench = Bench()
    yield bench
    bench.close()


def test_every_datagram_is_handed_over_in_order(bench: Bench) -> None:
    bench.new_socket()
    datagrams = [b"datagram %d" % number for number in range(300)]
    for start in range(0, 300, 50):
        bench.send(*datagrams[start : start + 50])
        bench.until(lambda start=start: len(bench.fed) >= start + 50)
    assert bench.fed == datagrams


def test_a_new_socket_is_read_at_once(bench: Bench) -> None:
    for number in range(5):
        bench.new_socket()
        time.sleep(0.01)  # the thread now waits on this socket, which the next round closes
        bench.send(b"on socket %d" % number)
        bench.until(lambda number=number: len(bench.fed) == number + 1)


def test_a_socket_that_is_closed_under_the_thread_does_not_end_it(bench: Bench) -> None:
    bench.new_socket()
    bench.state.socket.close()
    bench.reader.wake()
    time.sleep(0.02)
    bench.new_socket()
    bench.send(b"still here")
    bench.until(lambda: bench.fed == [b"still here"])


def test_listeners_of_discord_py_hear_the_same_and_a_failing_one_stops_nobody(bench: Bench) -> None:
    heard: list[bytes] = []

    def failing(datagram: bytes) -> None:
        raise ValueError(datagram)

    bench.new_socket()
    bench.reader.register(failing)
    bench.reader.register(heard.append)
    bench.send(b"discovery")
    bench.until(lambda: heard == [b"discovery"])
    bench.reader.unregister(failing)
    bench.reader.unregister(heard.append)
    bench.reader.unregister(heard.append)
    bench.send(b"later")
    bench.until(lambda: bench.fed == [b"discovery", b"later"])
    assert heard == [b"discovery"]


def test_an_address_answered_before_anybody_listens_is_told_to_who_asks_late(bench: Bench) -> None:
    heard: list[bytes] = []
    answer = b"\0\2" + bytes(72)
    bench.new_socket()
    bench.send(answer, b"a datagram")
    bench.until(lambda: len(bench.fed) == 2)
    bench.reader.register(heard.append)
    bench.until(lambda: heard == [answer])
    bench.reader.unregister(heard.append)
    bench.send(answer)
    bench.until(lambda: len(bench.fed) == 3)
    bench.new_socket()  # where the address of before means nothing
    bench.reader.register(heard.append)
    bench.send(b"another")
    bench.until(lambda: heard[1:] == [b"another"])


def test_a_wake_makes_the_receiver_deliver_what_it_holds(bench: Bench) -> None:
    bench.new_socket()
    bench.settled = 0
    bench.reader.wake()
    bench.until(lambda: bench.settled > 0)


def test_the_path_is_kept_open_and_the_echo_gives_the_round_trip(bench: Bench) -> None:
    bench.new_socket()
    keep_alive = bench.peer.recv(100)
    assert len(keep_alive) == 8
    bench.send(keep_alive)
    bench.until(lambda: bench.reader.round_trip_s is not None)
    assert bench.reader.round_trip_s is not None
    assert 0 <= bench.reader.round_trip_s < 5
    assert bench.fed == []


def test_a_refused_datagram_of_ours_does_not_stop_the_reading(bench: Bench) -> None:
    bench.new_socket()
    address = bench.peer.getsockname()
    bench.peer.close()
    for _ in range(20):  # the refusal of one shows at the next call on the socket, ours or the thread's
        with contextlib.suppress(ConnectionRefusedError):
            bench.state.socket.send(b"x")
        time.sleep(0.002)
    bench.peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bench.peer.bind(address)
    bench.send(b"back")
    bench.until(lambda: bench.fed == [b"back"])


def test_stopping_ends_the_thread_even_without_a_socket() -> None:
    bench = Bench()
    name = bench.reader.name
    bench.close()
    assert name not in {thread.name for thread in threading.enumerate()}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel says when a datagram arrived")
def test_arrival_is_when_the_datagram_came_and_not_when_the_thread_got_to_it(bench: Bench) -> None:
    bench.new_socket()
    bench.reader.pause()
    time.sleep(0.02)
    sent_s = time.monotonic()
    bench.send(b"while the thread is busy")
    time.sleep(0.2)
    bench.reader.resume()
    bench.until(lambda: len(bench.fed) == 1)
    assert bench.arrivals_s[0] - sent_s == pytest.approx(0, abs=0.05)


def test_arrivals_are_on_the_monotonic_clock_and_never_in_the_future(bench: Bench) -> None:
    bench.new_socket()
    before_s = time.monotonic()
    for number in range(50):
        bench.send(b"datagram %d" % number)
        time.sleep(0.001)
    bench.until(lambda: len(bench.fed) == 50)
    assert bench.arrivals_s == sorted(bench.arrivals_s)
    assert before_s - 0.05 <= bench.arrivals_s[0]
    assert bench.arrivals_s[-1] <= time.monotonic()

"""What arrives at a socket is taken whole, in order and with its time, in every way there is to take it."""

from __future__ import annotations

import socket
import sys
import time
from typing import TYPE_CHECKING

import pytest

from core.voice.receive import datagrams
from core.voice.receive.datagrams import (
    AT_ONCE,
    DATAGRAM_BYTES,
    Datagrams,
    ManyAtOnce,
    OneByOne,
    datagrams_of,
    wall_offset_s,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.voice.receive.datagrams import Arrival

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has recvmmsg")


@pytest.fixture
def voice() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as voice:
        voice.bind(("127.0.0.1", 0))
        voice.setblocking(False)
        yield voice


@pytest.fixture(params=[pytest.param("many", marks=LINUX), "one"])
def arriving(request: pytest.FixtureRequest, voice: socket.socket) -> Datagrams:
    found = datagrams_of(voice) if request.param == "many" else OneByOne(voice)
    assert isinstance(found, ManyAtOnce if request.param == "many" else OneByOne)
    return found


def send(voice: socket.socket, *sent: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth:
        for datagram in sent:
            mouth.sendto(datagram, voice.getsockname())


def take_all(arriving: Datagrams) -> list[Arrival]:
    found: list[Arrival] = []
    while True:
        taken = arriving.take(wall_offset_s())
        found += taken
        if len(taken) < arriving.most:
            return found


def test_datagrams_of_any_size_come_whole_and_in_order(voice: socket.socket, arriving: Datagrams) -> None:
    sent = [bytes([size & 0xFF]) * size for size in (0, 1, 8, 200, 1500, DATAGRAM_BYTES)]
    for repetition in range(4):  # what an earlier one left in the buffer shows in none
        several = sent[repetition:] * 6
        send(voice, *several)
        assert [datagram for datagram, _ in take_all(arriving)] == several


@pytest.mark.parametrize("count", [AT_ONCE - 1, AT_ONCE, AT_ONCE + 1])
def test_a_burst_is_taken_to_its_end(voice: socket.socket, arriving: Datagrams, count: int) -> None:
    sent = [b"datagram %d" % number for number in range(count)]
    send(voice, *sent)
    assert [datagram for datagram, _ in take_all(arriving)] == sent
    assert list(arriving.take(wall_offset_s())) == []


@LINUX
def test_each_came_when_the_kernel_says(voice: socket.socket) -> None:
    arriving = datagrams_of(voice)
    before_s = time.monotonic()
    send(voice, b"early")
    time.sleep(0.2)
    send(voice, b"late")
    (_, early_s), (_, late_s) = arriving.take(wall_offset_s())
    assert early_s - before_s == pytest.approx(0, abs=0.05)
    assert late_s - early_s > 0.15
    assert late_s <= time.monotonic()


@LINUX
def test_where_the_kernel_says_nothing_it_is_when_it_was_taken_and_later_it_may_say_so_again(
    voice: socket.socket,
) -> None:
    arriving = datagrams_of(voice)
    for says in (1, 0, 1):
        voice.setsockopt(socket.SOL_SOCKET, 35, says)  # SO_TIMESTAMPNS
        time.sleep(0.01)
        send(voice, b"a", b"b")
        time.sleep(0.1)
        taken_s = time.monotonic()
        taken = arriving.take(wall_offset_s())
        assert [datagram for datagram, _ in taken] == [b"a", b"b"]
        assert all((taken_s - arrival_s > 0.05) == bool(says) for _, arrival_s in taken)


@LINUX
def test_a_wall_clock_that_was_set_is_not_believed(voice: socket.socket) -> None:
    arriving = datagrams_of(voice)
    for wrong_s in (-3600.0, 3600.0):
        send(voice, b"a")
        before_s = time.monotonic()
        ((_, arrival_s),) = arriving.take(wall_offset_s() + wrong_s)
        assert before_s <= arrival_s <= time.monotonic()


def test_a_closed_socket_is_told(voice: socket.socket, arriving: Datagrams) -> None:
    voice.close()
    with pytest.raises(OSError, match=r"[Bb]ad file descriptor|not a socket"):
        arriving.take(wall_offset_s())


def test_a_refusal_of_what_we_sent_is_told_and_what_comes_then_is_taken(
    voice: socket.socket, arriving: Datagrams
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        address = peer.getsockname()
        voice.connect(address)
    voice.send(b"anybody?")
    time.sleep(0.05)
    if sys.platform == "linux":
        with pytest.raises(ConnectionRefusedError):
            arriving.take(wall_offset_s())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(address)
        peer.sendto(b"back", voice.getsockname())
        assert [datagram for datagram, _ in take_all(arriving)] == [b"back"]


def test_a_system_without_it_is_read_one_by_one(voice: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datagrams.sys, "platform", "darwin")
    assert isinstance(datagrams_of(voice), OneByOne)

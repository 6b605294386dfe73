"""One thread reads for many connections: each is its own, none stops the others, and none is read twice at once."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from core.audio.frames import FRAME_S
from core.voice.receive.herd import BUSY, CALM, CROWDED, LEAST_GATHER_S, MOST_GATHER_S, Herd, Member, Traffic

if TYPE_CHECKING:
    from collections.abc import Callable


def until(condition: Callable[[], bool]) -> None:
    over_s = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < over_s, "it never happened"
        time.sleep(0.002)


def test_it_is_busy_above_a_rate_and_calm_only_well_below_it() -> None:
    traffic = Traffic()
    now_s = time.monotonic()

    def second(rate: int) -> bool:
        nonlocal now_s
        for _ in range(10):
            now_s += 0.1
            traffic.note(rate // 10, now_s)
        return traffic.busy

    middle = (BUSY + CALM) // 2
    assert [second(rate) for rate in (50, middle, 2 * BUSY, middle, CALM // 2)] == [False, False, True, True, False]


def test_the_more_is_said_the_longer_it_gathers_and_never_longer_than_two_frames() -> None:
    traffic = Traffic()
    now_s = time.monotonic()
    gathered_s: list[float] = []
    for rate in (0, BUSY, CROWDED // 2, CROWDED, 20 * CROWDED, 0):
        for _ in range(10):
            now_s += 0.1
            traffic.note(rate // 10, now_s)
        gathered_s.append(traffic.gather_s)
    least, middle, most = LEAST_GATHER_S, pytest.approx(MOST_GATHER_S / 2), pytest.approx(MOST_GATHER_S)
    assert gathered_s == [least, least, middle, most, most, least]
    assert MOST_GATHER_S <= 2 * FRAME_S


def test_the_herd_reads_as_often_as_the_traffic_says() -> None:
    traffic: Any = SimpleNamespace(gather_s=0.2, note=lambda *_: None)
    turns_s: list[float] = []

    def read() -> int:
        turns_s.append(time.monotonic())
        return 0

    with Member(Herd(traffic), read, lambda: None):
        until(lambda: len(turns_s) >= 3)
    assert all(later - earlier > 0.15 for earlier, later in pairwise(turns_s))


def test_one_that_fails_is_let_go_and_told_and_the_others_are_read_on() -> None:
    herd, gone, read = Herd(Traffic()), threading.Event(), threading.Event()

    def fail() -> int:
        raise RuntimeError("a bug")

    broken = Member(herd, fail, gone.set)
    with broken:
        assert gone.wait(5)
        sound = Member(herd, lambda: read.set() or 1, gone.clear)
        with sound:
            assert read.wait(5)
        assert sound.alive
    assert not broken.alive


def test_outside_of_its_membership_nobody_reads_for_one() -> None:
    herd, turns = Herd(Traffic()), 0
    slow = threading.Event()

    def read() -> int:
        nonlocal turns
        slow.wait(0.05)
        turns += 1
        return 1

    member = Member(herd, read, slow.set)
    for _ in range(5):
        with member:
            until(lambda before=turns: turns > before)
        before = turns
        time.sleep(0.03)
        assert turns == before


def test_the_thread_ends_when_nobody_is_left() -> None:
    herd = Herd(Traffic())
    with Member(herd, lambda: 0, lambda: None):
        until(lambda: any(thread.name == "parley-voice-herd" for thread in threading.enumerate()))
    until(lambda: herd._thread is None)

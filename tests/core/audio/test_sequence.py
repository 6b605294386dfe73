"""Every packet is taken once, whatever order and however often it comes, across wraps."""

from __future__ import annotations

import random

import pytest

from core.audio.sequence import WINDOW, SequenceWindow


@pytest.mark.parametrize("seed", range(10))
def test_reordered_lost_and_doubled_packets_are_each_taken_once_across_wraps(seed: int) -> None:
    rng = random.Random(seed)
    first = rng.randrange(1 << 16)
    sent = [number for number in range(200_000) if rng.random() > 0.05 or number == 0]
    sent[1:] = sorted(sent[1:], key=lambda number: number + rng.uniform(0, 20))
    window, taken = SequenceWindow(first), {0}
    for number in sent[1:]:
        for _ in range(rng.choice([1, 1, 1, 2])):
            verdict = window.accept((first + number) & 0xFFFF)
            assert (verdict is None) == (number not in taken)
            taken.add(number)
    assert window.lost == max(taken) + 1 - len(taken)


def test_a_packet_older_than_the_window_is_stale() -> None:
    window = SequenceWindow(5000)
    assert window.accept(5000 - WINDOW) == "stale"
    assert window.accept(5000 - WINDOW + 1) is None  # the second in a row: the sender began anew
    assert window.accept(5000 - WINDOW + 1) == "replayed"


def test_a_gap_larger_than_the_window_is_loss() -> None:
    window = SequenceWindow(0)
    assert window.accept(3000) is None
    assert window.lost == 2999
    assert window.accept(2999) is None
    assert window.lost == 2998


def test_packets_from_before_the_first_one_are_taken_and_not_counted_as_found() -> None:
    window = SequenceWindow(10)
    assert window.accept(8) is None
    assert window.accept(9) is None
    assert window.lost == 0

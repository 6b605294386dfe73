from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.audio.frames import OPUS_SILENCE, RATE_HZ, OpusFrame
from core.audio.packet_timeline import Placed, Timeline

if TYPE_CHECKING:
    from collections.abc import Callable


def packet(
    index: int, *, sequence: int = 0, clock: int = 0, at_s: float | None = None, ssrc: int = 1, silence: bool = False
) -> OpusFrame:
    """Packet `index` of a spurt, which carries its number and arrives on time unless `at_s` says otherwise."""
    arrival = index * 0.02 if at_s is None else at_s
    payload = OPUS_SILENCE if silence else b"\xfc" + index.to_bytes(4, "big")
    stamp, count = (clock + index * 960) & 0xFFFFFFFF, (sequence + index) & 0xFFFF
    return OpusFrame(1, ssrc, stamp, count, arrival, payload)


def place(frames: list[OpusFrame]) -> tuple[list[Placed], Timeline]:
    timeline = Timeline(0.0)
    placed: list[Placed] = []
    due = 0.25
    for frame in sorted(frames, key=lambda frame: frame.arrival_s):
        while frame.arrival_s > due:
            placed += timeline.drain(due)
            due += 0.25
        timeline.push(frame)
    return placed + list(timeline.drain(None)), timeline


def numbers(placed: list[Placed]) -> list[int]:
    return [int.from_bytes(each.payload[1:], "big") for each in placed if each.payload != OPUS_SILENCE]


def test_packets_of_a_spurt_follow_each_other_to_the_sample() -> None:
    rng = np.random.default_rng(1)
    frames = [packet(i, at_s=1 + i * 0.02 + rng.uniform(0, 0.03)) for i in range(100)]
    placed, timeline = place(frames)
    assert numbers(placed) == list(range(100))
    assert set(np.diff([each.position for each in placed])) == {960}
    assert placed[0].position == pytest.approx(1.015 * RATE_HZ, abs=0.005 * RATE_HZ)
    assert timeline.counts.lost == 0


def test_who_cannot_wait_gets_the_beginning_and_what_is_behind_a_loss_sooner() -> None:
    timeline = Timeline(0.0, hold_s=0.06)
    for index in range(10):
        timeline.push(packet(index, at_s=1 + index * 0.02))
    assert not list(timeline.drain(1.05))
    assert numbers(list(timeline.drain(1.07))) == list(range(10))
    for index in range(11, 14):
        timeline.push(packet(index, at_s=1 + index * 0.02))
    assert not list(timeline.drain(1.27))
    behind = list(timeline.drain(1.29))
    assert numbers(behind) == [11, 12, 13] and behind[0].lost_before == 1


@pytest.mark.parametrize("offset", range(-6, 7))
def test_both_counters_wrap_with_packets_out_of_order(offset: int) -> None:
    order = [0, 2, 1, 3, 5, 4, 8, 6, 7, 9, 11, 10]
    frames = [
        packet(i, sequence=65536 - 6 + offset, clock=2**32 - (6 - offset) * 960, at_s=1 + n * 0.02)
        for n, i in enumerate(order)
    ]
    placed, timeline = place(frames)
    assert numbers(placed) == list(range(12))
    assert set(np.diff([each.position for each in placed])) == {960}
    assert (timeline.counts.lost, timeline.counts.duplicate) == (0, 0)


def test_lost_late_and_doubled_packets_are_counted_and_leave_their_place() -> None:
    frames = [packet(i) for i in range(200) if i not in (50, 51, 120)]
    frames.append(packet(120, at_s=3.9))  # a second and a half late: its place has been written
    frames.append(packet(60, at_s=1.3))
    frames.append(packet(199, at_s=3.99))
    placed, timeline = place(frames)
    assert numbers(placed) == [i for i in range(200) if i not in (50, 51, 120)]
    assert placed[50].lost_before == 2
    assert placed[50].position - placed[49].position == 3 * 960
    counts = timeline.counts
    assert (counts.received, counts.lost, counts.late, counts.duplicate) == (197, 3, 1, 2)


def test_a_pause_on_a_running_clock_keeps_its_length() -> None:
    first = [packet(i) for i in range(50)]
    second = [packet(i, clock=5 * RATE_HZ, at_s=5 + i * 0.02) for i in range(50, 100)]
    placed, _ = place(first + second)
    assert placed[50].position - placed[49].position == pytest.approx(5 * RATE_HZ + 960, abs=1)
    assert placed[50].starts_spurt


def test_a_clock_that_stands_still_through_silence_is_corrected_by_arrival() -> None:
    first = [packet(i, silence=i >= 45) for i in range(50)]
    second = [packet(i, at_s=7 + i * 0.02) for i in range(50, 100)]
    placed, _ = place(first + second)
    assert placed[50].position == pytest.approx(8.0 * RATE_HZ, abs=0.002 * RATE_HZ)
    assert set(np.diff([each.position for each in placed[50:]])) == {960}


@pytest.mark.parametrize("pause_s", [0.02, 0.06, 0.1, 0.14, 0.5])
@pytest.mark.parametrize("length", [12, 50])
def test_silence_sent_all_at_once_takes_no_time(length: int, pause_s: float) -> None:
    frames: list[OpusFrame] = []
    for phrase in range(10):  # discord.py ends each with five frames of silence at once, and its clock counts them
        begin, at_s = phrase * (length + 5), phrase * (length * 0.02 + pause_s)
        end_s = at_s + length * 0.02
        frames += [packet(begin + i, at_s=at_s + i * 0.02) for i in range(length)]
        frames += [packet(begin + length + i, at_s=end_s + i * 1e-4, silence=True) for i in range(5)]
    placed, timeline = place(frames)
    for each in placed:
        if each.payload != OPUS_SILENCE:
            phrase, index = divmod(int.from_bytes(each.payload[1:], "big"), length + 5)
            true_s = phrase * (length * 0.02 + pause_s) + index * 0.02
            assert each.position / RATE_HZ == pytest.approx(true_s, abs=0.025)
    assert np.diff([each.position for each in placed]).min() >= 959
    assert (timeline.counts.received, timeline.counts.lost) == (10 * (length + 5), 0)


def test_a_network_that_stalls_does_not_move_anybody() -> None:
    frames = [packet(i, at_s=max(i * 0.02, 1.5) if 50 <= i < 75 else None) for i in range(200)]
    placed, timeline = place(frames)
    assert set(np.diff([each.position for each in placed])) <= {959, 960, 961}
    assert placed[-1].position == pytest.approx(199 * 960, abs=0.01 * RATE_HZ)
    assert timeline.counts.lost == 0


def test_a_sender_that_starts_anew_on_the_same_ssrc_goes_on() -> None:
    first = [packet(i, sequence=30_000, clock=10**9) for i in range(100)]
    second = [packet(i, sequence=5, clock=77, at_s=6 + i * 0.02) for i in range(100)]
    placed, timeline = place(first + second)
    assert numbers(placed) == [*range(100), *range(100)]  # the first two tell that it did, and are kept
    assert placed[-1].position == pytest.approx((6 + 99 * 0.02) * RATE_HZ, abs=0.005 * RATE_HZ)
    assert timeline.counts.lost == 0


def test_another_ssrc_continues_the_same_track() -> None:
    first = [packet(i) for i in range(100)]
    second = [packet(i, ssrc=2, sequence=9, clock=12345, at_s=4 + i * 0.02) for i in range(100)]
    placed, _ = place(first + second)
    assert len(placed) == 200
    assert placed[100].position == pytest.approx(4 * RATE_HZ, abs=0.002 * RATE_HZ)


def test_a_second_device_at_the_same_time_never_makes_the_track_overlap() -> None:
    first = [packet(i) for i in range(100)]
    second = [packet(i, ssrc=2, at_s=1.005 + i * 0.02) for i in range(100)]
    placed, timeline = place(first + second)
    assert np.diff([each.position for each in placed]).min() >= 959
    assert timeline.counts.overlapping == 50
    assert len(placed) == 150  # who speaks first goes on; the other is heard when they have ended
    assert placed[-1].position == pytest.approx((1.005 + 99 * 0.02) * RATE_HZ, abs=100)


def test_drift_is_taken_out_one_sample_at_a_time() -> None:
    rng = np.random.default_rng(5)
    count = 60_000  # twenty minutes without a pause, 100 ppm fast
    frames = [packet(i, at_s=i * 0.02 * (1 - 1e-4) + 0.05 + rng.normal(0, 0.01)) for i in range(count)]
    placed, _ = place(frames)
    assert set(np.diff([each.position for each in placed])) <= {959, 960}
    true = (count - 1) * 0.02 * (1 - 1e-4) + 0.05
    assert placed[-1].position / RATE_HZ == pytest.approx(true, abs=0.006)


def test_what_is_no_opus_is_counted_and_dropped() -> None:
    frames = [packet(0), OpusFrame(1, 1, 960, 1, 0.02, b""), OpusFrame(1, 1, 960, 1, 0.02, b"\xfb\x3f"), packet(1)]
    placed, timeline = place(frames)
    assert numbers(placed) == [0, 1]
    assert timeline.counts.malformed == 2


def test_a_flood_of_random_numbers_is_survived() -> None:
    rng = np.random.default_rng(7)
    frames = [
        OpusFrame(1, 1, int(rng.integers(2**32)), int(rng.integers(65536)), i * 0.0005, b"\xfc\1")
        for i in range(20_000)
    ]
    placed, timeline = place(frames)
    assert np.diff([each.position for each in placed]).min() >= 959
    counts = timeline.counts
    assert counts.received + counts.duplicate + counts.late == 20_000


def stalled(delay_s: Callable[[int], float], *, known: bool) -> list[OpusFrame]:
    """Somebody speaks for 10 s; from packet 300 on everything comes later by `delay_s` of the packet's number behind it."""
    frames = [packet(i, sequence=10, at_s=1 + i * 0.02 + (delay_s(i - 300) if i >= 300 else 0)) for i in range(500)]
    if known:  # a pause before, through which the clock ran on
        frames = [packet(i, clock=RATE_HZ * -3, at_s=-2 + i * 0.02) for i in range(10)] + frames
    return frames


def errors_ms(placed: list[Placed], true_s: Callable[[int], float]) -> dict[int, float]:
    found = {int.from_bytes(each.payload[1:], "big"): each.position for each in placed[-500:]}
    return {i: (position / RATE_HZ - true_s(i)) * 1000 for i, position in found.items()}


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("stall_s", [0.09, 0.4, 0.6, 0.8, 1.5])
def test_a_microphone_that_stood_still_in_mid_word_moves_the_track_within_a_second(stall_s: float, known: bool) -> None:
    rng = np.random.default_rng(3)
    jitter = rng.normal(0.03, 0.01, 500).clip(0)
    placed, timeline = place(stalled(lambda n: stall_s + jitter[n + 300] - 0.03, known=known))
    errors = errors_ms(placed, lambda i: 1 + i * 0.02 + (stall_s if i >= 300 else 0))
    assert max(abs(errors[i]) for i in range(300)) < 5
    assert max(abs(errors[i]) for i in range(350, 500)) < 60
    assert (timeline.counts.lost, len(errors)) == (0, 500)


def test_a_microphone_that_hesitates_again_and_again_is_followed() -> None:
    placed, _ = place(stalled(lambda n: 0.04 * (n // 10 + 1) if n < 100 else 0.4, known=True))
    errors = errors_ms(placed, lambda i: 1 + i * 0.02 + (0.04 * ((i - 300) // 10 + 1) if i < 400 else 0.4))
    assert max(abs(errors[i]) for i in range(450, 500)) < 60


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    "delay_s",
    [
        lambda n: max(0.0, 0.8 - n * 0.02),  # all at once
        lambda n: max(0.0, 0.6 - n * 0.01),  # twice as fast as they were spoken
        lambda n: max(0.0, 0.6 - n * 0.02 * 0.4),
        lambda n: 0.3 if n % 5 == 0 else 0.0,  # one in five, again and again
        lambda n: 0.2 if n < 15 else 0.0,
        lambda n: max(0.0, 0.5 - (n % 60) * 0.02),
    ],
)
def test_what_the_network_held_back_and_then_brings_moves_nothing(delay_s: Callable[[int], float], known: bool) -> None:
    placed, timeline = place(stalled(delay_s, known=known))
    errors = errors_ms(placed, lambda i: 1 + i * 0.02)
    assert max(abs(error) for error in errors.values()) < 10
    assert timeline.counts.lost == timeline.counts.late


FRAMES = {b"\xe0": 120, b"\xe8": 240, b"\xf0": 480, b"\xf8": 960, b"\x10": 1920, b"\x18": 2880}


def of_length(toc: bytes, count: int, number: int) -> bytes:
    return bytes((toc[0] | 3, count)) + number.to_bytes(4, "big")


@settings(max_examples=150, deadline=None)
@given(
    packets=st.lists(
        st.tuples(st.sampled_from(sorted(FRAMES)), st.integers(1, 6), st.booleans()), min_size=2, max_size=80
    ),
    clock=st.integers(0, 2**32 - 1),
)
def test_packets_of_any_length_keep_time_through_any_loss(packets: list[tuple[bytes, int, bool]], clock: int) -> None:
    frames: list[OpusFrame] = []
    true: list[int] = []
    at = 0
    for number, (toc, count, kept) in enumerate(packets):
        count = min(count, 5760 // FRAMES[toc])
        if kept or number == 0:
            stamp = (clock + at) & 0xFFFFFFFF
            frames.append(OpusFrame(1, 1, stamp, number, 1 + at / RATE_HZ, of_length(toc, count, number)))
            true.append(at)
        at += count * FRAMES[toc]
    placed, timeline = place(frames)
    assert [each.position - placed[0].position for each in placed] == pytest.approx(true, abs=3)
    assert timeline.counts.lost == frames[-1].sequence + 1 - len(frames)


def test_who_is_heard_sooner_than_the_network_first_let_them_is_pushed_back_and_not_cut() -> None:
    held = [packet(i, at_s=1.3 + i * 0.02) for i in range(50)]  # 0.3 s late, and nobody could know
    soon = [packet(i, clock=round(0.1 * RATE_HZ), at_s=1.1 + i * 0.02) for i in range(50, 100)]
    placed, timeline = place(held + soon)
    assert numbers(placed) == list(range(100))
    assert timeline.counts.overlapping == 0
    assert (np.diff([each.position for each in placed]) >= 959).all()


def test_a_track_that_moved_to_a_late_microphone_stays_with_it() -> None:
    placed, _ = place(stalled(lambda n: 0.07, known=True))
    errors = errors_ms(placed, lambda i: 1 + i * 0.02 + (0.07 if i >= 300 else 0))
    assert max(abs(errors[i]) for i in range(350, 500)) < 5

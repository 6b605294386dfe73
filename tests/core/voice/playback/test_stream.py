"""What is written to a line comes out of it, sample for sample."""

from __future__ import annotations

import asyncio
import random

import numpy as np
import pytest

from core.voice.playback.preroll import Preroll
from core.voice.playback.stream import PlaybackStream

FRAME = 960


def line(now_s: list[float] | None = None) -> PlaybackStream:
    clock = now_s or [0.0]
    return PlaybackStream("turn", "speech", preroll=Preroll(), wake=lambda: None, now=lambda: clock[0])


def drain(queue: PlaybackStream) -> np.ndarray:
    taken = []
    while queue.ready(0.0):
        excerpt = queue.take()
        assert np.abs(excerpt.samples).max() <= excerpt.peak
        taken.append(excerpt.samples[: excerpt.count])
    return np.concatenate(taken)


@pytest.mark.parametrize("seed", range(20))
def test_chunks_of_any_size_and_shape_come_out_as_one_stream(seed: int) -> None:
    rng, shapes = random.Random(seed), np.random.default_rng(seed)
    queue, expected = line(), []
    for _ in range(30):
        count, channels = rng.choice([0, 1, 7, 479, 959, 960, 961, 5000]), rng.choice([0, 1, 2])
        chunk = shapes.uniform(-1, 1, (count, channels) if channels else count).astype(np.float32)
        queue.write(chunk)
        wide = chunk if chunk.ndim == 2 else chunk[:, None]
        expected.append(np.repeat(wide, 2, axis=1) if wide.shape[1] == 1 else wide)
    queue.end()
    whole = np.concatenate(expected)
    out = drain(queue)
    assert queue.exhausted
    assert queue.written_samples == len(whole)
    np.testing.assert_array_equal(out, whole)


def test_a_remainder_is_filled_up_at_the_end_and_nowhere_else() -> None:
    queue = line()
    queue.write(np.ones(2 * FRAME + 100, np.float32))
    queue.take()
    queue.take()
    assert not queue.ready(0.0)  # 100 samples wait for more
    queue.end()
    last = queue.take()
    assert last.count == 100
    assert last.samples[:100].min() == 1
    assert not last.samples[100:].any()


def test_a_tail_takes_nothing_and_ends_in_silence() -> None:
    queue = line()
    queue.write(np.ones(300, np.float32))
    queue.write(np.ones((3000, 2), np.float32))
    tail = queue.tail()
    assert tail.count == 480
    assert tail.samples[0].tolist() == [1, 1]
    assert abs(tail.samples[479]).max() < 1e-6
    assert not tail.samples[480:].any()
    assert queue.take().samples.min() == 1


def test_the_writer_may_use_its_buffer_again() -> None:
    queue, buffer = line(), np.ones(4000, np.float32)
    queue.write(buffer)
    buffer[:] = 9
    assert queue.take().samples.max() == 1


def test_what_no_loudspeaker_can_play_becomes_silence_or_full_scale() -> None:
    queue = line()
    queue.write(np.array([np.nan, np.inf, -np.inf, 0.5] * 600, np.float32))
    assert queue.take().samples[:4, 0].tolist() == [0, 1, -1, 0.5]


@pytest.mark.parametrize("shape", [(), (2, 3), (4, 2, 1), (10, 0)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="samples must be"):
        line().write(np.zeros(shape, np.float32))


def test_nothing_can_be_written_after_the_end_but_a_stopped_line_does_not_mind() -> None:
    ended, stopped = line(), line()
    ended.end()
    with pytest.raises(ValueError, match="ended"):
        ended.write(np.zeros(10, np.float32))
    stopped.stop()
    stopped.write(np.zeros(10, np.float32))
    assert stopped.written_samples == 0


def test_sound_begins_with_two_frames_or_with_the_end_or_when_nothing_more_comes() -> None:
    now = [5.0]
    few, ended, slow = line(now), line(now), line(now)
    few.write(np.ones(1919, np.float32))
    assert not few.ready(5.0)
    few.write(np.ones(1, np.float32))
    assert few.ready(5.0)
    ended.write(np.ones(10, np.float32))
    ended.end()
    assert ended.ready(5.0)
    slow.write(np.ones(1000, np.float32))
    assert not slow.ready(5.05)
    assert slow.ready(5.2)


def test_each_underrun_asks_for_more_before_sound_goes_on() -> None:
    preroll = Preroll()
    seen = []
    for _ in range(6):
        preroll.ran_dry()
        seen.append(preroll.target_s)
    assert seen == [0.1, 0.2, 0.4, 0.5, 0.5, 0.5]
    for _ in range(10):
        preroll.went_well()
    assert preroll.target_s == 0.04


async def test_who_waits_is_told_from_another_thread() -> None:
    queue = line()
    queue.write(np.ones(48_000, np.float32))
    below, finished = asyncio.create_task(queue.below(0.5)), asyncio.create_task(queue.finished())
    await asyncio.sleep(0)
    await asyncio.to_thread(queue.sent, 20_000, 1.0)
    await asyncio.sleep(0.01)
    assert not below.done()
    await asyncio.to_thread(queue.sent, 4_000, 1.0)
    await below
    assert not finished.done()
    await asyncio.to_thread(queue.finish, "stopped")
    end = await finished
    assert (end.outcome, end.heard_samples, end.written_samples) == ("stopped", 24_000, 48_000)
    assert (await queue.finished()) == end
    await queue.below(0)
    assert queue.queued_s == 0


async def test_a_waiter_that_gives_up_leaves_nothing_behind() -> None:
    queue = line()
    waiting = asyncio.create_task(queue.finished())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert queue._waiters == []

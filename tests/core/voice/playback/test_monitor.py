"""What was sent can be listened to, with the times at which it was sent."""

from __future__ import annotations

import numpy as np

from core.audio.frames import FRAME_SAMPLES, OPUS_SILENCE

from .conftest import ended


async def play(deck, frames: int) -> None:
    line = deck.player.line("a")
    line.write(np.full(frames * FRAME_SAMPLES, 0.2, np.float32))
    line.end()
    await ended(line)
    deck.idle()


async def test_every_frame_that_goes_out_is_heard_as_it_went_out(deck) -> None:
    heard = []
    deck.player.monitor.subscribe(heard.append, owner=deck)
    await play(deck, 10)
    assert [frame.opus for frame in heard] == deck.wire.frames
    assert [frame.sent_s for frame in heard] == deck.wire.times_s
    assert heard[-1].opus == OPUS_SILENCE


async def test_frames_of_a_spurt_follow_each_other_to_the_sample_and_a_pause_keeps_its_length(deck) -> None:
    heard = []
    deck.player.monitor.subscribe(heard.append, owner=deck)
    await play(deck, 10)
    first = len(heard)
    deck.clock.now_s += 3.0
    await play(deck, 10)
    sequences = np.array([frame.sequence for frame in heard])
    assert (np.diff(sequences) == 1).all()
    steps = np.diff([frame.timestamp for frame in heard])
    assert (np.delete(steps, first - 1) == FRAME_SAMPLES).all()
    pause_s = heard[first].sent_s - heard[first - 1].sent_s
    assert abs(steps[first - 1] - pause_s * 48_000) < 48


async def test_a_frame_the_socket_refuses_is_heard_once(deck) -> None:
    heard = []
    deck.player.monitor.subscribe(heard.append, owner=deck)
    deck.wire.refuse = 3
    await play(deck, 5)
    assert [frame.opus for frame in heard] == deck.wire.frames


async def test_listeners_come_and_go_and_one_that_fails_disturbs_nobody(deck, caplog) -> None:
    heard = []
    deck.player.monitor.subscribe(lambda frame: 1 / 0, owner=caplog)
    deck.player.monitor.subscribe(heard.append, owner=deck)
    await play(deck, 30)
    count = len(heard)
    assert count == len(deck.wire.frames)
    told = [record.message for record in caplog.records if "failed on a frame of the bot's own voice" in record.message]
    assert told[0].endswith("(1 times)")
    assert len(told) == count.bit_length()  # at once, and then more and more rarely
    deck.player.monitor.drop(deck)
    await play(deck, 3)
    assert len(heard) == count


async def test_frames_tell_for_whom_they_sound_up_to_the_codecs_last_echo_of_it(deck) -> None:
    heard = []
    deck.player.monitor.subscribe(heard.append, owner=deck)
    for author in (7, 0, 8):
        line = deck.player.line(f"turn {author}", said_for=author)
        line.write(np.full(5 * FRAME_SAMPLES, 0.2, np.float32))
        line.end()
    await ended(line)
    deck.idle()
    told = [frame.said_for for frame in heard]
    assert told == [(7,)] * 6 + [()] * 4 + [(8,)] * 6 + [()] * (len(told) - 16)

"""The player sends every sample once, in order, at its pace."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.audio.frames import OPUS_SILENCE
from core.errors import AudioError, VoiceError
from core.voice.playback.player import Player

from .conftest import ended

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAME = 960


def noise(count: int, *, seed: int = 7, level: float = 0.3) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(-level, level, count).astype(np.float32)


async def test_every_sample_reaches_the_wire_in_order_and_is_counted(deck) -> None:
    sound = noise(48_000 + 123)
    line = deck.player.line("a")
    for at in range(0, len(sound), 1000):
        line.write(sound[at : at + 1000])
    line.end()
    end = await ended(line)
    deck.idle()
    sent = deck.encoder.sound
    np.testing.assert_array_equal(sent[: len(sound)], sound)
    assert not sent[len(sound) :].any()
    assert (end.outcome, end.heard_samples, end.written_samples, end.underruns) == ("played", 48_123, 48_123, 0)
    assert line.first_frame_at_s == deck.wire.times_s[0]


async def test_a_talk_spurt_ends_with_five_frames_of_silence_and_is_announced_once(deck) -> None:
    line = deck.player.line("a")
    line.write(noise(FRAME * 10))
    line.end()
    await ended(line)
    deck.idle()
    assert len(deck.wire.frames) == 16  # ten, one that carries the codec's tail, five of silence
    assert deck.wire.frames[11:] == [OPUS_SILENCE] * 5
    assert OPUS_SILENCE not in deck.wire.frames[:11]
    assert deck.wire.announced == [True, False]


async def test_frames_are_due_every_20_ms_from_the_first_on(deck) -> None:
    line = deck.player.line("a")
    line.write(noise(FRAME * 100))
    line.end()
    await ended(line)
    deck.idle()
    np.testing.assert_allclose(np.diff(deck.wire.times_s), 0.02, atol=1e-6)


async def test_after_a_stall_three_frames_go_at_once_and_the_rest_keeps_its_pace(deck) -> None:
    deck.clock.stalls[20] = 0.5
    line = deck.player.line("a")
    line.write(noise(FRAME * 100))
    line.end()
    end = await ended(line)
    deck.idle()
    gaps = np.diff(deck.wire.times_s)
    assert gaps.max() > 0.49
    assert np.count_nonzero(gaps < 0.019) == 2
    assert deck.player.stats.largest_burst == 3
    assert deck.player.stats.anchors == 1
    assert end.heard_samples == FRAME * 100  # late, not lost


async def test_a_short_delay_is_caught_up(deck) -> None:
    deck.clock.stalls[20] = 0.03
    line = deck.player.line("a")
    line.write(noise(FRAME * 50))
    line.end()
    await ended(line)
    times = np.array(deck.wire.times_s)
    assert deck.player.stats.anchors == 0
    assert times[49] - times[0] == pytest.approx(49 * 0.02)


async def test_lines_of_a_bus_follow_each_other_without_a_gap(deck) -> None:
    first, second = deck.player.line("a"), deck.player.line("b")
    one, two = noise(FRAME * 5, seed=1), noise(FRAME * 5, seed=2)
    second.write(two)
    second.end()
    first.write(one)
    first.end()
    await ended(second)
    deck.idle()
    np.testing.assert_array_equal(deck.encoder.sound[: FRAME * 10], np.concatenate([one, two]))
    assert deck.wire.announced == [True, False]


async def test_speech_sounds_over_media(deck) -> None:
    media = deck.player.line("music", bus="media")
    media.write(np.full(FRAME * 200, 0.5, np.float32))
    media.end()
    deck.until(lambda: media.heard_samples > FRAME * 10)
    speech = deck.player.line("words")
    speech.write(np.full(FRAME * 20, 0.25, np.float32))
    speech.end()
    await asyncio.gather(ended(speech), ended(media))
    deck.idle()
    sound = deck.encoder.sound
    assert sound[0] == 0.5
    assert np.any(np.isclose(sound, 0.25 + 0.1, atol=1e-5))
    assert sound[FRAME * 200 - 1] == pytest.approx(0.5)


async def test_an_underrun_becomes_silence_and_is_counted_and_nothing_is_lost(deck) -> None:
    sound = noise(FRAME * 40)
    line = deck.player.line("a")
    line.write(sound[: FRAME * 4 + 100])
    deck.until(lambda: len(deck.wire.frames) > 12)
    before = deck.player.stats
    assert before.underruns == 1
    assert before.underrun_frames >= 8
    line.write(sound[FRAME * 4 + 100 :])
    line.end()
    end = await ended(line)
    deck.idle()
    heard = np.concatenate([frame[:, 0] for frame in deck.encoder.frames if frame.any()])
    np.testing.assert_array_equal(heard[: len(sound)], sound)
    assert end.underruns == 1
    assert deck.wire.frames[6] == OPUS_SILENCE


async def test_a_line_that_stays_dry_ends_the_spurt_and_may_go_on_later(deck) -> None:
    line = deck.player.line("a")
    line.write(noise(FRAME * 3))
    deck.until(lambda: deck.wire.announced == [True, False])
    assert not line.done
    line.write(noise(FRAME * 20))
    line.end()
    end = await ended(line)
    deck.idle()
    assert end.heard_samples == FRAME * 23
    assert deck.wire.announced == [True, False, True, False]


async def test_stop_fades_out_and_the_next_line_plays(deck) -> None:
    first, second = deck.player.line("a"), deck.player.line("b")
    first.write(np.full(FRAME * 1000, 0.5, np.float32))
    second.write(np.full(FRAME * 5, -0.5, np.float32))
    second.end()
    deck.until(lambda: first.heard_samples > FRAME * 5)
    first.stop()
    end = await ended(first)
    await ended(second)
    deck.idle()
    sound = deck.encoder.sound
    fall = np.flatnonzero((sound > 0) & (sound < 0.5))
    assert len(fall) >= 400  # 10 ms of ramp instead of a click
    assert end.outcome == "stopped"
    assert end.heard_samples == np.count_nonzero(sound == 0.5) + 480 - 1  # the ramp begins at full level
    assert np.count_nonzero(sound == -0.5) == FRAME * 5


async def test_a_line_that_never_began_stops_at_once(deck) -> None:
    waiting, begun = deck.player.line("a"), deck.player.line("b")
    waiting.write(noise(10))
    begun.stop()
    waiting.stop()
    assert (await ended(waiting)).heard_samples == 0
    assert (await ended(begun)).outcome == "stopped"
    assert deck.wire.frames == []


async def test_a_line_without_a_sample_ends_as_played(deck) -> None:
    line = deck.player.line("a")
    line.end()
    assert (await ended(line)).outcome == "played"
    assert deck.wire.frames == []


async def test_pause_holds_and_resume_goes_on_at_the_same_sample(deck) -> None:
    line = deck.player.line("a")
    line.write(np.linspace(0.1, 0.9, FRAME * 400, dtype=np.float32))
    line.end()
    deck.until(lambda: line.heard_samples > FRAME * 10)
    deck.player.pause()
    deck.until(lambda: not deck.player.sending)
    held, frames = line.heard_samples, len(deck.wire.frames)
    assert 0 < held < FRAME * 400
    assert deck.wire.frames[-5:] == [OPUS_SILENCE] * 5
    await asyncio.sleep(0.02)
    assert len(deck.wire.frames) == frames
    deck.player.resume()
    end = await ended(line)
    assert end.heard_samples == FRAME * 400
    levels = [frame[-1, 0] for frame in deck.encoder.frames if frame[-1, 0]]
    assert levels == sorted(levels)
    assert len(levels) == 400  # the faded tail of the pause ends in silence


async def test_after_a_pause_the_sound_comes_up_from_silence(deck) -> None:
    line = deck.player.line("a")
    line.write(np.full(FRAME * 100, 0.5, np.float32))
    line.end()
    deck.until(lambda: line.heard_samples > FRAME * 10)
    deck.player.pause()
    deck.until(lambda: not deck.player.sending)
    before = len(deck.encoder.frames)
    deck.player.resume()
    await ended(line)
    first = deck.encoder.frames[before][:, 0]
    assert first[0] == 0
    assert np.all(np.diff(first) >= 0)
    assert first[-1] == 0.5


async def test_stopping_works_while_paused(deck) -> None:
    line = deck.player.line("a")
    line.write(noise(FRAME * 500))
    deck.until(lambda: line.heard_samples > 0)
    deck.player.pause()
    assert deck.player.stop_all() == 1
    assert (await ended(line)).outcome == "stopped"


async def test_while_the_connection_is_away_nothing_is_taken_and_nothing_lost(deck) -> None:
    sound = noise(FRAME * 50)
    deck.wire.before_send = lambda number: setattr(deck.wire, "there", number != 20)
    line = deck.player.line("a")
    line.write(sound)
    line.end()
    deck.until(lambda: not deck.wire.there)
    await asyncio.sleep(0.02)
    away_at = line.heard_samples
    await asyncio.sleep(0.02)
    assert line.heard_samples == away_at <= FRAME * 21
    deck.wire.before_send = None
    deck.wire.there = True
    end = await ended(line)
    deck.idle()
    np.testing.assert_array_equal(deck.encoder.sound[: len(sound)], sound)
    assert len(deck.wire.frames) == 56
    assert end.heard_samples == len(sound)
    assert deck.wire.announced == [True, True, False]
    assert deck.player.stats.waits == 1


async def test_what_is_stopped_while_the_connection_is_away_is_never_sent(deck) -> None:
    deck.wire.there = False
    line = deck.player.line("a")
    line.write(noise(FRAME * 50))
    deck.player.stop_all()
    assert (await ended(line)).heard_samples == 0
    deck.wire.there = True
    await asyncio.sleep(0.02)
    assert deck.wire.frames == []


async def test_a_line_that_sounded_can_be_stopped_while_the_connection_is_away(deck) -> None:
    line = deck.player.line("a")
    line.write(noise(FRAME * 500))
    deck.until(lambda: line.heard_samples > 0)
    deck.wire.there = False
    deck.player.stop_all()
    assert (await ended(line)).outcome == "stopped"
    assert not deck.wire.there


async def test_a_frame_the_socket_refuses_goes_out_later(deck) -> None:
    deck.wire.refuse = 3
    line = deck.player.line("a")
    line.write(noise(FRAME * 5))
    line.end()
    end = await ended(line)
    deck.idle()
    assert end.heard_samples == FRAME * 5
    assert len(deck.wire.frames) == 11
    assert deck.player.stats.unsent == 3


async def test_skip_takes_the_music_first(deck) -> None:
    speech, music = deck.player.line("words"), deck.player.line("song", bus="media")
    assert deck.player.skip()
    assert (await ended(music)).outcome == "stopped"
    assert not speech.done
    assert deck.player.skip()
    assert (await ended(speech)).outcome == "stopped"
    deck.idle()
    assert not deck.player.skip()


async def test_closing_ends_every_line(deck) -> None:
    playing, waiting = deck.player.line("a"), deck.player.line("b")
    playing.write(noise(FRAME * 5000))
    deck.until(lambda: playing.heard_samples > 0)
    deck.player.close()
    assert (await ended(playing)).outcome == "closed"
    assert (await ended(waiting)).outcome == "closed"
    with pytest.raises(VoiceError):
        deck.player.line("c")


async def test_a_failing_encoder_closes_the_lines_instead_of_hanging(deck, caplog) -> None:
    def fail(samples: object) -> bytes:
        raise AudioError("Opus refuses.")

    deck.encoder.encode_float = fail
    line = deck.player.line("a")
    line.write(noise(FRAME * 5))
    assert (await ended(line)).outcome == "closed"
    assert "failed" in caplog.text


async def test_the_switch_interval_is_low_only_while_a_player_sends(deck) -> None:
    normal_s, seen = 0.005, []
    sys.setswitchinterval(normal_s)
    deck.wire.before_send = lambda _number: seen.append(sys.getswitchinterval())
    line = deck.player.line("a")
    line.write(noise(FRAME * 5))
    line.end()
    await ended(line)
    deck.idle()
    assert max(seen) == pytest.approx(0.0001, abs=1e-5)
    deck.until(lambda: sys.getswitchinterval() == normal_s)


async def test_a_blocked_event_loop_does_not_hold_the_sound_up(deck) -> None:
    player = Player(deck.wire, lambda: deck.encoder)  # on the real clock
    line = player.line("a")
    line.write(noise(FRAME * 100))
    deck.until(lambda: len(deck.wire.frames) > 1)
    before = len(deck.wire.frames)
    time.sleep(0.3)  # noqa: ASYNC251 - blocking the loop is what this is about
    assert len(deck.wire.frames) - before >= 8
    player.close()
    assert (await ended(line)).outcome == "closed"
    player.join()

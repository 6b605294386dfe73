"""One stream is paused while others go on: it sinks, waits, and rises at the sample where it stopped."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from tests.core.voice.playback.conftest import ended
from tests.core.voice.playback.test_player import FRAME, noise


async def test_one_paused_stream_goes_on_at_the_very_sample_and_counts_what_was_heard(deck) -> None:
    sound = noise(FRAME * 40)
    line = deck.player.line("a")
    line.write(sound)
    line.end()
    deck.wire.before_send = lambda number: line.pause() if number == 9 else None
    deck.idle_of_sound(line)
    heard = line.heard_samples
    assert heard == FRAME * 10  # the frame at which it was paused was under way
    await asyncio.sleep(0.02)
    assert line.heard_samples == heard
    assert not deck.player.sending  # the talk-spurt ended
    deck.wire.before_send = None
    line.resume()
    assert (await ended(line)).heard_samples == len(sound)
    deck.idle()
    out = deck.encoder.frames
    before = np.concatenate(out[:10])[:, 0]
    np.testing.assert_array_equal(before, sound[:heard])
    tail = out[10][:, 0]
    np.testing.assert_allclose(tail[:480], sound[heard : heard + 480] * np.linspace(1, 0, 480), atol=1e-6)
    assert not tail[480:].any()
    again = next(index for index, frame in enumerate(out[11:], 11) if frame.any())
    after = np.concatenate(out[again:])[:, 0]
    np.testing.assert_allclose(after[:480], sound[heard : heard + 480] * np.linspace(0, 1, 480), atol=1e-6)
    np.testing.assert_array_equal(after[480 : len(sound) - heard], sound[heard + 480 :])
    assert deck.player.stats.underruns == 0


async def test_music_plays_on_while_speech_is_paused_and_comes_back_to_its_loudness(deck) -> None:
    words, music = deck.player.line("words"), deck.player.line("song", bus="media")
    words.write(np.full(FRAME * 500, 0.1, np.float32))
    music.write(np.full(FRAME * 2000, 0.5, np.float32))
    deck.until(lambda: words.heard_samples > FRAME * 20)
    words.pause()
    deck.until(lambda: words.held)
    heard, played = words.heard_samples, music.heard_samples
    deck.until(lambda: music.heard_samples > played + FRAME * 60)
    assert words.heard_samples == heard
    assert deck.encoder.frames[-1].max() == pytest.approx(0.5, abs=0.01)
    words.resume()
    deck.until(lambda: words.heard_samples > heard)
    assert deck.player.stats.underruns == 0
    deck.player.stop_all()
    await ended(words)


async def test_a_stream_that_is_paused_before_its_turn_says_nothing_until_it_is_resumed(deck) -> None:
    first, second = deck.player.line("a"), deck.player.line("b")
    second.pause()
    for line in (first, second):
        line.write(noise(FRAME * 5))
        line.end()
    await ended(first)
    await asyncio.sleep(0.02)
    assert second.heard_samples == 0
    assert not second.done
    second.resume()
    assert (await ended(second)).outcome == "played"


async def test_a_paused_stream_can_be_stopped_and_is_heard_no_more(deck) -> None:
    line, behind = deck.player.line("a"), deck.player.line("b")
    line.write(noise(FRAME * 50))
    behind.write(noise(FRAME * 5))
    behind.end()
    deck.until(lambda: line.heard_samples > FRAME)
    line.pause()
    deck.until(lambda: line.held)
    heard = line.heard_samples
    line.stop()
    end = await ended(line)
    assert (end.outcome, end.heard_samples) == ("stopped", heard)
    assert (await ended(behind)).outcome == "played"


async def test_a_stream_paused_and_resumed_within_a_frame_is_heard_whole(deck) -> None:
    sound = noise(FRAME * 20)
    line = deck.player.line("a")

    def flicker(number: int) -> None:
        if number == 5:
            line.pause()
            line.resume()

    deck.wire.before_send = flicker
    line.write(sound)
    line.end()
    await ended(line)
    deck.idle()
    np.testing.assert_array_equal(deck.encoder.sound[: len(sound)], sound)


async def test_everything_paused_and_one_stream_too_goes_on_only_when_both_are_resumed(deck) -> None:
    line = deck.player.line("a")
    line.write(noise(FRAME * 100))
    deck.until(lambda: line.heard_samples > FRAME)
    deck.player.pause()
    line.pause()
    deck.idle_of_sound(line)
    heard = line.heard_samples
    deck.player.resume()
    await asyncio.sleep(0.02)
    assert line.heard_samples == heard
    line.resume()
    deck.until(lambda: line.heard_samples > heard)
    deck.player.stop_all()
    assert (await ended(line)).outcome == "stopped"

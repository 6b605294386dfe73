"""Where somebody speaks: window by window, in a batch, and cut into stretches in constant memory."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from core.hearing.stretches import MOST_S, PAD_S, stretches
from core.hearing.vad import RATE_HZ, SPEECH, WINDOW, VadStream, voiced_s, whole_windows

from .conftest import NO_SPEECH, clicks, noise, said, silence

SENTENCE = "Good morning everybody. The meeting begins at ten o'clock."


async def test_a_stream_window_by_window_is_the_batch_to_the_last_bit():
    sound = whole_windows(np.concatenate([await said(SENTENCE), noise(1.0)]))
    one_by_one = VadStream()
    single = np.array([one_by_one.probability(window) for window in sound.reshape(-1, WINDOW)])
    batch = VadStream()
    cut = len(sound) // WINDOW // 3 * WINDOW
    together = np.concatenate([batch.probabilities(sound[:cut]), batch.probabilities(sound[cut:])])
    np.testing.assert_allclose(single, together, atol=1e-5)
    assert single.max() > 0.9
    one_by_one.reset()
    assert one_by_one.probability(sound[:WINDOW]) == pytest.approx(single[0], abs=1e-6)


async def test_streams_share_the_network_and_not_what_they_heard():
    sound = whole_windows(await said(SENTENCE)).reshape(-1, WINDOW)
    alone, disturbed, other = VadStream(), VadStream(), VadStream()
    for window in sound:
        other.probability(noise(WINDOW / RATE_HZ)[:WINDOW])
        assert disturbed.probability(window) == alone.probability(window)


async def test_the_samples_that_are_handed_in_stay_as_they_are():
    sound = await said(SENTENCE)
    before = sound.copy()
    list(stretches([sound]))
    voiced_s(sound)
    assert (sound == before).all()


@pytest.mark.parametrize("kind", NO_SPEECH)
def test_nobody_speaks_in_what_is_no_speech(kind):
    assert list(stretches([NO_SPEECH[kind](60.0)])) == []


async def test_a_stretch_has_its_place_its_first_syllable_and_its_speech():
    spoken = await said(SENTENCE)
    sound = np.concatenate([silence(7.3), spoken, silence(4), spoken, silence(2)])
    first, second = stretches([sound])
    assert first.start_s == pytest.approx(7.3, abs=0.2)
    assert second.start - first.start == pytest.approx(len(spoken) + 4 * RATE_HZ, abs=WINDOW)
    assert first.spans[0][0] >= PAD_S - 0.1
    assert 2 < first.speech_s < len(spoken) / RATE_HZ
    np.testing.assert_array_equal(first.samples, sound[first.start : first.start + len(first.samples)])


async def test_it_is_the_same_however_the_blocks_are_cut():
    sound = np.concatenate([silence(1), await said(SENTENCE), noise(3.0, 0.01), await said(SENTENCE)])
    whole = [(stretch.start, len(stretch.samples)) for stretch in stretches([sound])]
    rng = np.random.default_rng(5)
    cuts = np.sort(rng.integers(0, len(sound), 40))
    assert [(stretch.start, len(stretch.samples)) for stretch in stretches(np.split(sound, cuts))] == whole


async def test_who_never_pauses_is_cut_without_losing_a_sample():
    voiced = (await said(SENTENCE))[5000:-9000]
    sound = np.tile(voiced, 30)
    found = list(stretches([sound]))
    assert len(found) > 2
    for before, after in pairwise(found):
        assert len(before.samples) <= MOST_S * RATE_HZ
        assert after.start == before.start + len(before.samples)
    assert found[-1].start + len(found[-1].samples) == len(sound)


async def test_a_click_beside_speech_is_no_stretch():
    sound = np.concatenate([clicks(3.0), silence(2), await said(SENTENCE), silence(2), clicks(3.0)])
    assert len(list(stretches([sound]))) == 1
    assert voiced_s(clicks(3.0)) < 0.25
    assert VadStream().probability(silence(WINDOW / RATE_HZ)) < SPEECH

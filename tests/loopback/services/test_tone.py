from __future__ import annotations

import numpy as np
import pytest

from loopback.services.tone import find_words, hum, pcm16, recognise

TEXT = "The quick brown fox jumps over a lazy dog."


@pytest.mark.parametrize("rate_hz", [16000, 22050, 24000, 48000])
def test_the_words_and_their_order_are_found_again(rate_hz: int) -> None:
    words = TEXT.split()
    assert recognise(hum(TEXT, rate_hz), rate_hz, words) == words


def test_they_are_found_in_16_bit_samples_with_noise_at_half_the_volume() -> None:
    samples = np.frombuffer(pcm16(hum(TEXT, 48000)), "<i2") // 2
    noisy = samples + np.random.default_rng(1).integers(-200, 200, len(samples))
    assert recognise(noisy, 48000, TEXT.split()) == TEXT.split()


def test_length_is_proportional_to_the_text() -> None:
    assert len(hum("four" * 10, 48000)) == 40 * 0.06 * 48000


def test_words_sound_where_they_stand() -> None:
    first, second = find_words(hum("hello   world", 24000), 24000)
    assert first.start_s == pytest.approx(0, abs=0.01)
    assert first.end_s == pytest.approx(0.30, abs=0.02)
    assert second.start_s == pytest.approx(0.48, abs=0.02)


def test_a_semitone_is_a_semitone() -> None:
    (plain,) = find_words(hum("hello", 48000), 48000)
    (raised,) = find_words(hum("hello", 48000, semitones=3), 48000)
    assert 12 * np.log2(raised.pitch_hz / plain.pitch_hz) == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(3), np.zeros(48000)])
def test_silence_has_no_words(samples: np.ndarray) -> None:
    assert find_words(samples, 48000) == []

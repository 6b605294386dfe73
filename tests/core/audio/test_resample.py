"""Resampling loses no sample and leaves no seam, however the sound is cut."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from core.audio.resample import MonoResampler


def tone(samples: int, rate_hz: int, pitch_hz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * pitch_hz * np.arange(samples) / rate_hz)).astype(np.float32)


def converted(sound: np.ndarray, rate_hz: int, sizes: list[int]) -> np.ndarray:
    resampler = MonoResampler(rate_hz)
    parts, start = [], 0
    for size in sizes:
        parts.append(resampler.convert(sound[start : start + size]))
        start += size
    parts.append(resampler.convert(sound[start:]))
    return np.concatenate([*parts, resampler.flush()])


@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050, 24000, 44100, 96000])
def test_every_sample_comes_out(rate_hz: int) -> None:
    sound = tone(rate_hz + 17, rate_hz)
    assert len(converted(sound, rate_hz, [])) == math.ceil(len(sound) * 48000 / rate_hz)


@pytest.mark.parametrize("rate_hz", [8000, 22050, 24000, 44100])
def test_a_tone_stays_the_same_tone_across_uneven_chunks(rate_hz: int) -> None:
    random_ = random.Random(1)
    sound = tone(rate_hz, rate_hz)
    result = converted(sound, rate_hz, [random_.randrange(0, 700) for _ in range(60)])
    ideal = tone(len(result), 48000)
    inner = slice(480, -480)  # the filter rings at the very start and end
    assert np.abs(result - ideal)[inner].max() < 1e-4


def test_sound_at_48_khz_passes_untouched() -> None:
    sound = tone(1000, 48000)
    assert np.array_equal(converted(sound, 48000, [1, 2, 3, 400]), sound)


def test_a_resampler_can_be_used_again_after_a_flush() -> None:
    resampler = MonoResampler(24000)
    sound = tone(2400, 24000)
    first = np.concatenate([resampler.convert(sound), resampler.flush()])
    second = np.concatenate([resampler.convert(sound), resampler.flush()])
    assert np.array_equal(first, second)


def test_nothing_in_is_nothing_out() -> None:
    resampler = MonoResampler(24000)
    assert len(resampler.convert(np.zeros(0, np.float32))) == 0
    assert len(resampler.flush()) == 0

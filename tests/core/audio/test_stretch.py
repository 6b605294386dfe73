"""Pitch and speed are changed one without the other."""

from __future__ import annotations

import numpy as np
import pytest

from core.audio.stretch import TimeStretch

TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(96000) / 48000)).astype(np.float32)


def stretched(pitch: float, rate: float, block: int = 960) -> np.ndarray:
    stretch = TimeStretch(pitch=pitch, rate=rate)
    parts = [stretch.convert(TONE[start : start + block]) for start in range(0, len(TONE), block)]
    return np.concatenate([*parts, stretch.flush()])


def pitch_of(sound: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(np.argmax(spectrum)) * 48000 / len(sound)


@pytest.mark.parametrize(
    ("pitch", "rate"), [(4, 1), (-5, 1), (0, 1.5), (0, 0.6), (12, 2), (-12, 0.5), (12, 0.5), (3, 1.2)]
)
def test_pitch_and_length_are_what_was_asked_for(pitch: float, rate: float) -> None:
    result = stretched(pitch, rate)
    assert pitch_of(result) == pytest.approx(440 * 2 ** (pitch / 12), rel=0.01)
    assert len(result) == round(len(TONE) / rate)
    assert np.abs(result[-4800:]).max() > 0.2, "the end is not cut off"
    assert np.abs(result).max() <= 0.6


def test_nothing_asked_for_changes_nothing() -> None:
    assert np.array_equal(stretched(0, 1), TONE)


@pytest.mark.parametrize(("pitch", "rate"), [(4, 1), (-5, 1), (0, 0.6), (12, 0.5), (3, 1.2)])
def test_the_very_end_is_not_cut_off(pitch: float, rate: float) -> None:
    sound = np.zeros(96000, np.float32)
    sound[-1440:] = TONE[:1440]  # the last 30 ms
    stretch = TimeStretch(pitch=pitch, rate=rate)
    result = np.concatenate([stretch.convert(sound), stretch.flush()])
    assert np.sum(result**2) > 0.85 * np.sum(sound**2) / rate

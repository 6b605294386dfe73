"""Sounds that are no speech: half a minute of each from a seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
Sound = NDArray[np.float32]


def silence(seconds: float, seed: int) -> Sound:
    """A microphone that is off, or on in a quiet room."""
    return noise(seconds, seed) * np.float32(0.01 if seed % 2 else 0.0)


def noise(seconds: float, seed: int) -> Sound:
    """White to brown, by turns."""
    sound = np.random.default_rng(seed).standard_normal(int(seconds * RATE_HZ)).astype(np.float32)
    width = 1 + seed % 5 * 8
    return (0.1 * np.convolve(sound, np.ones(width) / np.sqrt(width), "same")).astype(np.float32)


def breathing(seconds: float, seed: int) -> Sound:
    """Air in and out, as soft noise without low tones."""
    sound = 0.06 * np.random.default_rng(seed).standard_normal(int(seconds * RATE_HZ))
    window = np.hanning(9) / np.hanning(9).sum()
    soft = np.convolve(sound, window, "same") - np.convolve(sound, np.ones(31) / 31, "same")
    swell = np.maximum(0.0, np.sin(2 * np.pi * np.arange(len(sound)) / RATE_HZ / (1.6 + seed % 4 * 0.3))) ** 2
    return (soft * swell).astype(np.float32)


def clicks(seconds: float, seed: int) -> Sound:
    """A keyboard: short bursts, six a second."""
    rng = np.random.default_rng(seed)
    sound = (0.001 * rng.standard_normal(int(seconds * RATE_HZ))).astype(np.float32)
    for at in rng.integers(0, len(sound) - 400, int(seconds * 6)):
        sound[at : at + 400] += (0.4 * rng.standard_normal(400) * np.exp(-np.arange(400) / 60)).astype(np.float32)
    return sound


def music(seconds: float, seed: int) -> Sound:
    """Chords with overtones, two a second, with drums."""
    rng = np.random.default_rng(seed)
    step = RATE_HZ // 2
    time_s = np.arange(step) / RATE_HZ
    parts: list[Sound] = []
    for _ in range(int(seconds * 2)):
        root = 110 * 2 ** (rng.integers(0, 12) / 12)
        tones = [np.sin(2 * np.pi * root * f * n * time_s) / n for f in (1, 1.25, 1.5) for n in (1, 2, 3, 4)]
        drum = rng.standard_normal(step) * np.exp(-time_s * 40)
        parts.append((0.06 * np.sum(tones, axis=0) * np.exp(-time_s * 3) + 0.1 * drum).astype(np.float32))
    return np.concatenate(parts)


NO_SPEECH = {"silence": silence, "noise": noise, "breathing": breathing, "clicks": clicks, "music": music}

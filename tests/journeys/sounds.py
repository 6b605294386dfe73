"""Sounds that can be found again: chirps for people, clicks for clocks, and where and how loud they are in a track."""

from __future__ import annotations

import math
import wave
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ = 48_000
FRAME = 960


def chirp(duration_s: float, start_hz: float, end_hz: float, level: float = 0.25) -> np.ndarray:
    """A tone that glides: its place is plain to the sample, wherever it is found. int16 stereo, shape (n, 2)."""
    t = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * (start_hz * t + (end_hz - start_hz) / (2 * duration_s) * t * t)
    edge = np.clip(np.minimum(t, duration_s - t) / 0.01, 0, 1)
    return _stereo(np.sin(phase) * edge * level)


def voice(number: int, duration_s: float = 1.0, level: float = 0.25) -> np.ndarray:
    """A chirp unlike those of other numbers: bands of 350 Hz, up for even and down for odd ones."""
    low = 400.0 + 350.0 * (number // 2 % 8)
    return chirp(duration_s, low, low + 300, level) if number % 2 == 0 else chirp(duration_s, low + 300, low, level)


def clicks(duration_s: float, at_s: list[float], level: int = 20_000) -> np.ndarray:
    """Single loud samples in silence."""
    samples = np.zeros((round(duration_s * RATE_HZ), 2), np.int16)
    samples[[round(each * RATE_HZ) for each in at_s]] = level
    return samples


def read_wav(path: Path) -> np.ndarray:
    """A 48 kHz 16-bit stereo WAV as int16, shape (n, 2)."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE_HZ, 2, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)


def level_dbfs(samples: np.ndarray) -> float:
    """Root mean square in dB below full scale; -inf for silence."""
    power = float(np.mean(np.square(samples.astype(np.float64)))) if len(samples) else 0.0
    return 10 * math.log10(power / 32768**2) if power else -math.inf


@dataclass(frozen=True, slots=True)
class Found:
    """Where a sound is in a track, how like itself, how much louder."""

    at: int  # sample
    likeness: float  # 1 is the same
    gain_db: float


def find(track: np.ndarray, sound: np.ndarray, near: int, reach_s: float = 0.5) -> Found:
    """The best place of `sound` within `reach_s` of sample `near`."""
    reach = round(reach_s * RATE_HZ)
    begin = max(0, near - reach)
    stretch = track[begin : near + reach + len(sound)].astype(np.float64).mean(axis=1)
    known = sound.astype(np.float64).mean(axis=1)
    if len(stretch) < len(known):
        stretch = np.pad(stretch, (0, len(known) - len(stretch)))
    size = 1 << (len(stretch) + len(known) - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(stretch, size) * np.conj(np.fft.rfft(known, size)), size)
    place = int(np.argmax(product[: len(stretch) - len(known) + 1]))
    there = stretch[place : place + len(known)]
    energy = math.sqrt(float(there @ there) * float(known @ known))
    likeness = float(there @ known) / energy if energy else 0.0
    return Found(begin + place, likeness, level_dbfs(there) - level_dbfs(known))


def peaks(track: np.ndarray, threshold: int) -> list[int]:
    """Where clicks are: the largest sample of each cluster of loud ones."""
    loud = np.abs(track[:, 0].astype(int))
    places = np.nonzero(loud > threshold)[0]
    if len(places) == 0:
        return []
    clusters = np.split(places, np.nonzero(np.diff(places) > 480)[0] + 1)
    return [int(cluster[np.argmax(loud[cluster])]) for cluster in clusters]


def _stereo(mono: np.ndarray) -> np.ndarray:
    return np.repeat((mono * 32767).astype(np.int16)[:, None], 2, axis=1)

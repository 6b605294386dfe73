"""Speech-like sound whose words can be found again: every word is a hum of its own pitch, every blank a silence."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

CHARACTER_S = 0.06
LOWEST_HZ = 180.0
STEPS = 40  # pitches a word can have, a quarter tone apart
LOUDNESS = 0.4
OVERTONES = ((1, 1.0), (2, 0.5), (3, 0.25))
WINDOW_S = 0.005
GAP_S = 0.02  # a shorter dip belongs to the word


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A hum found in a recording; times in seconds from its start."""

    start_s: float
    end_s: float
    pitch_hz: float


def pitch_of(word: str, *, semitones: float = 0.0) -> float:
    """The pitch in Hz at which a word is hummed, whatever its case and punctuation."""
    letters = "".join(character for character in word.casefold() if character.isalnum())
    return LOWEST_HZ * 2 ** ((zlib.crc32(letters.encode()) % STEPS) / 24 + semitones / 12)


def hum(text: str, rate_hz: int, *, character_s: float = CHARACTER_S, semitones: float = 0.0) -> NDArray[np.float32]:
    """The text as mono samples in -1..1: `character_s` of sound for each character, silence for each blank."""
    per_character = character_s * rate_hz
    samples = np.zeros(round(len(text) * per_character), np.float32)
    for match in re.finditer(r"\S+", text):
        start, end = round(match.start() * per_character), round(match.end() * per_character)
        time_s = np.arange(end - start) / rate_hz
        turns = 2 * np.pi * pitch_of(match[0], semitones=semitones) * time_s
        tone = sum(weight * np.sin(multiple * turns) for multiple, weight in OVERTONES)
        ramp = np.clip(np.minimum(time_s, time_s[::-1]) / min(0.008, (end - start) / rate_hz / 4), 0, 1)
        samples[start:end] = LOUDNESS / sum(weight for _, weight in OVERTONES) * tone * ramp
    return samples


def pcm16(samples: NDArray[np.float32]) -> bytes:
    """Samples in -1..1 as 16-bit little-endian."""
    return (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


def find_words(samples: NDArray[np.generic], rate_hz: int) -> list[HeardWord]:
    """The hums in a mono recording, int16 or float, in the order they sound."""
    mono = np.asarray(samples, np.float64)
    window = max(1, round(WINDOW_S * rate_hz))
    usable = len(mono) // window * window
    if not usable:
        return []
    level = np.sqrt(np.mean(mono[:usable].reshape(-1, window) ** 2, axis=1))
    loud = np.flatnonzero(level > 0.1 * level.max()) if level.max() > 0 else np.array([], int)
    if not len(loud):
        return []
    breaks = np.flatnonzero(np.diff(loud) > GAP_S / WINDOW_S)
    words: list[HeardWord] = []
    for first, last in zip(np.r_[0, breaks + 1], np.r_[breaks, len(loud) - 1], strict=True):
        start, end = int(loud[first]) * window, (int(loud[last]) + 1) * window
        words.append(HeardWord(start / rate_hz, end / rate_hz, _pitch(mono[start:end], rate_hz)))
    return words


def recognise(samples: NDArray[np.generic], rate_hz: int, vocabulary: Iterable[str]) -> list[str]:
    """The words of a recording, each the one of `vocabulary` whose pitch and length fit best."""
    known = sorted(set(vocabulary))

    def distance(word: str, heard: HeardWord) -> float:
        quarter_tones = 24 * abs(np.log2(pitch_of(word) / heard.pitch_hz))
        characters = abs((heard.end_s - heard.start_s) / CHARACTER_S - len(word))
        return float(quarter_tones + 0.3 * characters)

    return [min(known, key=lambda word: distance(word, heard)) for heard in find_words(samples, rate_hz)]


def _pitch(samples: NDArray[np.float64], rate_hz: int) -> float:
    size = 2 ** int(np.ceil(np.log2(max(len(samples), rate_hz))))  # padded to a resolution under 1 Hz
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), size))
    lowest, highest = (round(hz * size / rate_hz) for hz in (LOWEST_HZ * 0.7, LOWEST_HZ * 2 ** (STEPS / 24) * 1.4))
    return float((lowest + np.argmax(spectrum[lowest:highest])) * rate_hz / size)

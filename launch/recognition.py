"""Which sentences a listener really heard: what arrived, held against the same sentences spoken by somebody else.

No speech recogniser is needed, because the sentences are known; only whether they came, whole and in order, is not. A
sentence counts as heard if its spectrogram lies somewhere in that of the sound with little bending of time.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import numpy as np

from loopback.people.espeak import synthesise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Bands = NDArray[np.float32]  # shape (frames, bands), in dB

RATE_HZ = 48_000
STEP = 960  # 20 ms
WINDOW = 1920
BANDS_HZ = np.geomspace(200, 6000, 15)  # wide enough not to resolve the voice's pitch
FLOOR_DB = -60.0
SAME_DB = 4.3  # a sentence and itself, in another breath and over Opus, differ by 0.5 to 3.6 dB; others by 5 and more
VOICE, RATE_WPM = "en-us", 165  # the bot's own, as configured by default


async def heard_sentences(text: str, heard: bytes) -> list[str]:
    """The sentences of `text` that are in `heard` (s16le stereo PCM at 48 kHz), in the order of the text."""
    sentences = [found.strip() for found in re.findall(r"[^.!?]+[.!?]+", text)]
    spoken = [await synthesise(sentence, voice=VOICE, rate_wpm=RATE_WPM) for sentence in sentences]
    return await asyncio.to_thread(_present, sentences, spoken, heard)


def _present(sentences: Sequence[str], spoken: Sequence[bytes], heard: bytes) -> list[str]:
    sound = bands(heard)
    return [
        sentence for sentence, pcm in zip(sentences, spoken, strict=True) if distance_db(bands(pcm), sound) < SAME_DB
    ]


def bands(pcm: bytes) -> Bands:
    """The level of each band in each 20 ms, relative to the loudest, with silence at both ends cut off."""
    mono = np.frombuffer(pcm, np.int16).reshape(-1, 2).astype(np.float32).mean(axis=1)
    if len(mono) < WINDOW:
        return np.zeros((0, len(BANDS_HZ) - 1), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(mono, WINDOW)[::STEP] * np.hanning(WINDOW).astype(np.float32)
    power = np.abs(np.fft.rfft(frames)) ** 2
    edges = np.round(BANDS_HZ * WINDOW / RATE_HZ).astype(int)
    levels = np.add.reduceat(power, edges[:-1], axis=1) / np.diff(edges)
    decibels = 10 * np.log10(levels + 1e-9)
    decibels = np.maximum(decibels - decibels.max(), FLOOR_DB).astype(np.float32)
    voiced = np.flatnonzero(decibels.max(axis=1) > FLOOR_DB / 2)
    return decibels[voiced[0] : voiced[-1] + 1] if len(voiced) else decibels[:0]


def distance_db(template: Bands, sound: Bands) -> float:
    """Mean difference of the template and the place of the sound that is most like it.

    Dynamic time warping over a subsequence: the template may lie anywhere, and run at half to double speed.
    """
    if len(sound) < len(template) // 2 or not len(template):
        return float("inf")
    earlier = previous = np.full(len(sound), np.inf, np.float32)
    for row, frame in enumerate(template):
        cost = np.abs(sound - frame).mean(axis=1)
        ways = (_shifted(previous, 1), _shifted(previous, 2), _shifted(earlier, 1) + cost)
        earlier, previous = previous, cost + np.minimum.reduce(ways) if row else cost
    return float(previous.min() / len(template))


def _shifted(row: NDArray[np.float32], by: int) -> NDArray[np.float32]:
    return np.concatenate([np.full(by, np.inf, np.float32), row[:-by]])

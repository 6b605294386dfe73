"""What the tests of hearing share: real speech of espeak-ng's, sounds that are no speech, and the embedded recogniser."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.config.hearing import HearingSection
from core.hearing.engines.whisper import WhisperTranscriber
from core.hearing.models import embedded_folder
from core.machine.workers import Workers
from loopback.people.espeak import synthesise

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from numpy.typing import NDArray

RATE_HZ = 16_000
_said: dict[tuple[str, str], NDArray[np.float32]] = {}


async def said(text: str, voice: str = "en-us") -> NDArray[np.float32]:
    """Somebody says a text: mono at 16 kHz, with 300 ms of silence around it."""
    if (text, voice) not in _said:
        pcm = await synthesise(text, voice=voice, rate_wpm=150)
        sound = np.frombuffer(pcm, np.int16).reshape(-1, 2).mean(axis=1) / 32768
        sound = sound[: len(sound) // 3 * 3].reshape(-1, 3).mean(axis=1).astype(np.float32)
        _said[text, voice] = np.pad(sound, 4800)
    return _said[text, voice]


def silence(seconds: float) -> NDArray[np.float32]:
    return np.zeros(int(seconds * RATE_HZ), np.float32)


def noise(seconds: float, level: float = 0.1, seed: int = 1) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    return (level * rng.standard_normal(int(seconds * RATE_HZ))).astype(np.float32)


def clicks(seconds: float) -> NDArray[np.float32]:
    """A keyboard: short bursts, six a second."""
    rng = np.random.default_rng(2)
    sound = noise(seconds, 0.001)
    for at in rng.integers(0, len(sound) - 400, int(seconds * 6)):
        sound[at : at + 400] += (0.4 * rng.standard_normal(400) * np.exp(-np.arange(400) / 60)).astype(np.float32)
    return sound


def breathing(seconds: float) -> NDArray[np.float32]:
    """Air in and out every four seconds, as soft noise without low tones."""
    sound = noise(seconds, 0.06, 3)
    soft = np.convolve(sound, np.hanning(9) / np.hanning(9).sum(), "same") - np.convolve(
        sound, np.ones(31) / 31, "same"
    )
    swell = np.maximum(0.0, np.sin(2 * np.pi * np.arange(len(sound)) / RATE_HZ / 2)) ** 2
    return (soft * swell).astype(np.float32)


def hum(seconds: float) -> NDArray[np.float32]:
    """A badly earthed microphone."""
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return sum(0.1 / n * np.sin(2 * np.pi * 50 * n * time_s) for n in (1, 2, 3, 5, 7)).astype(np.float32)


def music(seconds: float) -> NDArray[np.float32]:
    """Chords with overtones, two a second, with drums."""
    rng = np.random.default_rng(4)
    step = RATE_HZ // 2
    time_s = np.arange(step) / RATE_HZ
    parts = []
    for _ in range(int(seconds * 2)):
        root = 110 * 2 ** (rng.integers(0, 12) / 12)
        chord = sum(np.sin(2 * np.pi * root * f * n * time_s) / n for f in (1, 1.25, 1.5) for n in (1, 2, 3, 4))
        drum = rng.standard_normal(step) * np.exp(-time_s * 40)
        parts.append(0.06 * chord * np.exp(-time_s * 3) + 0.1 * drum)
    return np.concatenate(parts).astype(np.float32)


NO_SPEECH = {"silence": silence, "noise": noise, "clicks": clicks, "breathing": breathing, "hum": hum, "music": music}


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    lanes = Workers()
    yield lanes
    asyncio.run(lanes.close())


@pytest.fixture
async def whisper(workers: Workers, tmp_path) -> AsyncIterator[WhisperTranscriber]:
    if embedded_folder() is None:
        pytest.skip("the speech model of requirements.txt is not installed")
    transcriber = WhisperTranscriber(HearingSection(), tmp_path, workers)
    await transcriber.open()
    yield transcriber
    await transcriber.close()

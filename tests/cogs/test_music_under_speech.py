"""Music gives way to speech: measured where it counts, at a listener's ear."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

RATE_HZ = 48_000
MUSIC_HZ, VOICE_HZ = 1000, 300


def tone(hz, duration_s, level):
    at = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    return (level * np.sin(2 * np.pi * hz * at)).astype(np.float32)


def level_of(hz, samples):
    """The amplitude of a tone in each 100 ms."""
    windows = samples[: len(samples) // 4800 * 4800].reshape(-1, 4800).astype(np.float64) / 32768
    wave = np.exp(-2j * np.pi * hz * np.arange(4800) / RATE_HZ) * np.hanning(4800)
    return np.abs(windows @ wave) * 4 / 4800


async def test_under_speech_music_is_a_fifth_as_loud_and_comes_back(scene):
    await scene.start()
    ada = await scene.joined()
    await scene.discord.voice.room(scene.voice.id).wait_settled(2)
    player = scene.session.player
    player.volume = 1.0
    music = player.line("tune", bus="media")
    music.write(tone(MUSIC_HZ, 4.0, 0.4))
    music.end()
    await ada.ears.wait_for_voice(scene.bot_user.id)
    await asyncio.sleep(0.8)
    speech = player.line("words")
    speech.write(tone(VOICE_HZ, 1.2, 0.2))
    speech.end()
    await music.finished()
    await asyncio.sleep(0.2)
    left = ada.ears.pcm(scene.bot_user.id)[:, 0]
    music_level, voice_level = level_of(MUSIC_HZ, left), level_of(VOICE_HZ, left)
    during = voice_level > 0.15
    assert 8 <= during.sum() <= 13
    first, last = np.flatnonzero(during)[[0, -1]]
    alone = np.median(music_level[2 : first - 1])
    under = np.median(music_level[first + 2 : last])
    assert alone == pytest.approx(0.4, rel=0.15)
    assert under / alone == pytest.approx(0.2, abs=0.04)
    assert np.median(music_level[last + 12 : -3]) == pytest.approx(alone, rel=0.1)

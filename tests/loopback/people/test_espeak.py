"""People's speech is synthesised in a child process."""

from __future__ import annotations

import asyncio
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from loopback.people.audio_file import read_audio
from loopback.people.espeak import SpeechError, synthesise, to_stereo_48k

ROOT = Path(__file__).resolve().parents[3]


async def test_speech_is_loud_stereo_and_longer_for_longer_texts() -> None:
    short, long = await asyncio.gather(synthesise("Hello."), synthesise("Hello, this is a much longer sentence."))
    samples = np.frombuffer(short, np.int16).reshape(-1, 2)
    assert np.abs(samples.astype(int)).max() > 3000
    assert (samples[:, 0] == samples[:, 1]).all()
    assert len(long) > 2 * len(short)


async def test_an_unknown_voice_is_a_sentence_not_a_traceback() -> None:
    with pytest.raises(SpeechError, match=r"^espeak-ng has no voice 'klingonese'$"):
        await synthesise("Hello", voice="klingonese")


async def test_the_command_line_writes_a_wav(tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loopback.people.espeak", "Hi", str(out), cwd=ROOT
    )
    assert await child.wait() == 0
    with wave.open(str(out)) as made:
        assert (made.getframerate(), made.getnchannels(), made.getsampwidth()) == (48_000, 2, 2)
    pcm = await asyncio.to_thread(read_audio, out, 48_000)
    assert len(pcm) == out.stat().st_size - 44


def test_resampling_keeps_pitch_and_length() -> None:
    rate_hz = 22_050
    sine = (np.sin(np.arange(rate_hz) * 2 * np.pi * 440 / rate_hz) * 9000).astype("<i2")
    samples = np.frombuffer(to_stereo_48k(sine.tobytes(), rate_hz), np.int16).reshape(-1, 2)
    assert abs(len(samples) - 48_000) < 100
    peak = np.argmax(np.abs(np.fft.rfft(samples[:, 0]))) * 48_000 / len(samples)
    assert abs(peak - 440) < 3

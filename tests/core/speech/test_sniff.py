"""Sound is recognised whatever the header says, and put together wherever it was cut."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest

from core.speech.sniff import NotSoundError, SoundReader
from loopback.services.encoded import CONTAINERS, Container, encoded
from loopback.services.speech import wav

RAMP = np.arange(-3000, 3000, dtype="<i2")
PCM = RAMP.tobytes()


def read(data: bytes, step: int, content_type: str = "", rate_hz: int = 24000) -> tuple[np.ndarray, int]:
    reader = SoundReader(rate_hz, content_type)
    parts = [reader.read(data[start : start + step]) for start in range(0, len(data), step)]
    return np.concatenate([*parts, reader.finish()]), reader.rate_hz


def assert_is_ramp(samples: np.ndarray) -> None:
    assert np.array_equal(np.round(samples * 32768).astype(int), RAMP)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1001, 100_000])
def test_raw_pcm_is_put_together_wherever_it_was_cut(step: int) -> None:
    samples, rate_hz = read(PCM, step)
    assert_is_ramp(samples)
    assert rate_hz == 24000


@pytest.mark.parametrize("step", [1, 5, 44, 100_000])
@pytest.mark.parametrize("size", [None, 0, 0xFFFFFFFF])
@pytest.mark.parametrize("extra", [b"", b"INFOsoft of odd len"])
def test_wav_is_read_whatever_its_header_says_about_its_size(step: int, size: int | None, extra: bytes) -> None:
    samples, rate_hz = read(wav(PCM, 22050, data_size=size, extra=extra), step)
    assert_is_ramp(samples)
    assert rate_hz == 22050


def test_riff_wins_over_the_content_type() -> None:
    samples, rate_hz = read(wav(PCM, 16000), 100, "audio/pcm;rate=48000")
    assert_is_ramp(samples)
    assert rate_hz == 16000


def test_the_content_type_may_tell_rate_and_channels() -> None:
    samples, rate_hz = read(RAMP.repeat(2).tobytes(), 333, "audio/L16; rate=44100; channels=2")
    assert_is_ramp(samples)
    assert rate_hz == 44100


def test_stereo_wav_becomes_mono() -> None:
    samples, _ = read(wav(RAMP.repeat(2).tobytes(), 22050, channels=2), 999)
    assert_is_ramp(samples)


def test_chunks_after_the_sound_are_no_sound() -> None:
    samples, _ = read(wav(PCM, 22050) + b"LIST\x04\0\0\0abcd", 1000)
    assert_is_ramp(samples)


def test_float_wav_is_read() -> None:
    sound = (RAMP / 32768).astype("<f4").tobytes()
    form = struct.pack("<HHIIHH", 3, 1, 24000, 96000, 4, 32)
    head = b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(sound))
    assert_is_ramp(read(head + sound, 77)[0])


@pytest.mark.parametrize(
    ("data", "content_type", "words"),
    [
        (b'{"error": "no such voice"}', "application/json", "text"),
        (b"<html>Bad gateway</html>", "audio/pcm", "text"),
        (b"ID3\x04" + bytes(50), "audio/pcm", "MP3"),
        (b"OggS" + bytes(50), "", "Ogg"),
        (b"\xff\xfb" + bytes(50), "audio/mpeg", "compressed"),
        (wav(PCM, 22050)[:30], "audio/wav", "ends before"),
        (wav(PCM, 22050).replace(b"\x01\0\x01\0", b"\x55\0\x01\0", 1), "audio/wav", "kind"),
    ],
)
def test_what_is_no_sound_is_refused(data: bytes, content_type: str, words: str) -> None:
    with pytest.raises(NotSoundError, match=words):
        read(data, 1000, content_type)


def test_an_empty_answer_is_no_samples() -> None:
    assert len(read(b"", 1)[0]) == 0


@pytest.mark.parametrize("step", [1, 700, 100_000])
def test_a_wav_of_noise_is_a_wav(step: int) -> None:
    noise = np.random.default_rng(5).integers(-32768, 32767, 6000).astype("<i2")
    samples, _ = read(wav(noise.tobytes(), 22050), step)
    assert np.array_equal(np.round(samples * 32768).astype(int), noise)


@pytest.mark.parametrize("step", [1, 700, 100_000])
@pytest.mark.parametrize("content_type", ["", "audio/pcm", "audio/L16; rate=24000"])
def test_noise_without_a_head_is_not_taken_for_samples(content_type: str, step: int) -> None:
    with pytest.raises(NotSoundError, match="no sound"):
        read(np.random.default_rng(5).bytes(12_000), step, content_type)


def test_speech_at_its_loudest_and_hissing_is_sound() -> None:
    rng = np.random.default_rng(5)
    vowel = np.sign(np.sin(np.arange(9600) * 2 * np.pi * 140 / 24000))
    hiss = np.diff(rng.uniform(-0.7, 0.7, 9601)) / 1.4
    loud = np.concatenate([vowel, hiss, np.zeros(4800), vowel])
    samples, _ = read((loud * 32767).astype("<i2").tobytes(), 1000)
    assert len(samples) == len(loud)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("content_type", ["audio/mpeg", "audio/wav", "audio/pcm", ""])
async def test_one_file_a_sentence_is_heard_to_the_end(container: Container, content_type: str) -> None:
    tone = (8000 * np.sin(np.arange(22050) / 20)).astype("<i2")
    file = encoded(tone, 22050, container)
    samples, rate_hz = read(file * 3, 1000, content_type)
    assert 2.9 < len(samples) / rate_hz < 3.5
    assert abs(samples).max() < 0.6, "no head is heard"
    reader = SoundReader(22050, content_type)
    reader.read(file * 3)
    unpacked = np.concatenate([block async for block in reader.unpack()])
    assert np.array_equal(unpacked, samples)


def test_whatever_comes_is_read_or_refused_and_nothing_else() -> None:
    rng = random.Random(11)
    seeds = [wav(PCM, 16000), wav(PCM, 24000, data_size=99) + wav(PCM, 8000, extra=b"abc"), PCM, b'{"a": "b"}' * 30]
    for _ in range(400):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(8)):
            place = rng.randrange(min(len(data), rng.choice([60, len(data)])))
            data[place : place + rng.randrange(6)] = rng.choice([rng.randbytes(4), b"RIFF", b"data", b"", bytes(9)])
        try:
            samples, rate_hz = read(bytes(data), rng.choice([1, 50, 4096]), rng.choice(["", "audio/wav", "text/html"]))
        except NotSoundError:
            continue
        assert samples.dtype == np.float32
        assert np.isfinite(samples).all()
        assert 4000 <= rate_hz <= 384000

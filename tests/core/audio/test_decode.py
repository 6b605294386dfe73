"""Any sound file becomes Discord's kind of sound; what is none, or too much, is refused with a sentence."""

from __future__ import annotations

import asyncio
import io
import os
import struct
import sys
import threading
import tracemalloc
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from core.audio.decode import decode
from core.errors import AudioError

if TYPE_CHECKING:
    from pathlib import Path


def encoded(
    container: str, codec: str, *, duration_s: float = 2.0, rate_hz: int = 48000, layout: str = "stereo"
) -> bytes:
    """A 440 Hz tone as a file."""
    out = io.BytesIO()
    file = av.open(out, "w", format=container)
    stream = file.add_stream(codec, rate=rate_hz, layout=layout)
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(duration_s * rate_hz)) / rate_hz)
    planes = np.stack([tone] * (2 if layout == "stereo" else 1)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
    frame.sample_rate = rate_hz
    size = stream.codec_context.frame_size or 1024
    fit = av.AudioResampler(stream.codec_context.format, layout, rate_hz, frame_size=size)
    for part in [*fit.resample(frame), *fit.resample(None), None]:
        for packet in stream.encode(part):
            file.mux(packet)
    file.close()
    return out.getvalue()


async def decoded(source: bytes | Path, **limits: float) -> np.ndarray:
    return np.concatenate([block async for block in decode(source, **limits)])


async def refused(source: bytes | Path, **limits: float) -> str:
    with pytest.raises(AudioError) as caught:
        await decoded(source, **limits)
    return caught.value.sentence


def silent_wav(data_bytes: int, *, rate_hz: int = 8000) -> bytes:
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + data_bytes, b"WAVE", b"fmt ", 16, 1, 1, rate_hz, rate_hz, 1, 8)
    return head + struct.pack("<4sI", b"data", data_bytes) + b"\x80" * data_bytes


def open_files() -> list[str]:
    """Paths of the files that this process has open, where the system tells."""
    numbers = os.listdir("/proc/self/fd") if sys.platform == "linux" else []
    links = [f"/proc/self/fd/{number}" for number in numbers]
    return [os.readlink(link) for link in links if os.path.lexists(link)]


@pytest.mark.parametrize(
    ("container", "codec", "rate_hz", "layout"),
    [
        ("wav", "pcm_s16le", 48000, "stereo"),
        ("wav", "pcm_s16le", 8000, "mono"),
        ("flac", "flac", 44100, "stereo"),
        ("mp3", "libmp3lame", 44100, "mono"),
        ("ogg", "libopus", 48000, "stereo"),
        ("matroska", "libopus", 48000, "stereo"),
        ("mp4", "aac", 44100, "stereo"),
    ],
)
async def test_what_people_upload_becomes_48_khz_stereo(container: str, codec: str, rate_hz: int, layout: str) -> None:
    sound = await decoded(encoded(container, codec, rate_hz=rate_hz, layout=layout))
    assert sound.dtype == np.float32
    assert sound.shape[1] == 2
    assert len(sound) / 48000 == pytest.approx(2, abs=0.06)
    middle = sound[24000:72000, 0]
    assert np.argmax(np.abs(np.fft.rfft(middle))) == pytest.approx(440, abs=1)
    assert np.abs(middle).max() == pytest.approx(0.5, abs=0.06)


async def test_no_sample_of_a_wav_is_lost() -> None:
    assert len(await decoded(encoded("wav", "pcm_s16le", duration_s=1.2345))) == round(1.2345 * 48000)


async def test_a_file_is_read_from_its_path(tmp_path: Path) -> None:
    file = tmp_path / "tone.flac"
    file.write_bytes(encoded("flac", "flac"))
    assert len(await decoded(file)) == 96000


async def test_the_sound_beside_a_picture_is_found() -> None:
    out = io.BytesIO()
    file = av.open(out, "w", format="matroska")
    video = file.add_stream("mpeg4", rate=10)
    video.width = video.height = 64
    audio = file.add_stream("pcm_s16le", rate=48000, layout="mono")
    for packet in video.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")):
        file.mux(packet)
    frame = av.AudioFrame.from_ndarray(np.ones((1, 4800), np.int16), format="s16", layout="mono")
    frame.sample_rate = 48000
    for packet in [*audio.encode(frame), *audio.encode(None), *video.encode(None)]:
        file.mux(packet)
    file.close()
    assert len(await decoded(out.getvalue())) == 4800


async def test_no_bytes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.mp3").touch()
    assert "0 bytes" in await refused(b"")
    assert "0 bytes" in await refused(tmp_path / "empty.mp3")


@pytest.mark.parametrize(
    "data", [b"hello world, this is text" * 100, bytes(range(256)) * 50, b"\x89PNG\r\n\x1a\n" + bytes(500)]
)
async def test_what_is_no_sound_is_refused(data: bytes) -> None:
    assert "no sound that can be read" in await refused(data)


async def test_a_video_without_sound_is_refused() -> None:
    out = io.BytesIO()
    file = av.open(out, "w", format="matroska")
    video = file.add_stream("mpeg4", rate=10)
    video.width = video.height = 64
    picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
    for packet in [*video.encode(picture), *video.encode(None)]:
        file.mux(packet)
    file.close()
    assert "no sound in it" in await refused(out.getvalue())


async def test_a_missing_file_is_refused_without_its_path(tmp_path: Path) -> None:
    sentence = await refused(tmp_path / "gone.wav")
    assert "not there" in sentence
    assert str(tmp_path) not in sentence


async def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "large.wav"
    with file.open("wb") as out:
        out.truncate(200_000_000)
    assert "too large: it has 200.0 MB, at most 8.0 MB" in await refused(file, max_bytes=8_000_000)


async def test_a_long_file_is_refused_at_its_start() -> None:
    blocks = decode(encoded("wav", "pcm_s16le", duration_s=5), max_s=3)
    with pytest.raises(AudioError, match="too long: at most 0:03"):
        await anext(blocks)


async def test_a_file_that_hides_its_length_is_stopped_at_the_limit() -> None:
    sound = bytearray(encoded("flac", "flac", duration_s=5))
    sound[21:26] = bytes([sound[21] & 0xF0]) + bytes(4)  # STREAMINFO: total samples unknown
    given = 0
    with pytest.raises(AudioError, match="too long"):
        async for block in decode(bytes(sound), max_s=3):
            given += len(block)
    assert 2 * 48000 <= given <= 3 * 48000


async def test_what_is_whole_in_a_damaged_file_is_played() -> None:
    sound = bytearray(encoded("mp3", "libmp3lame", duration_s=4))
    sound[len(sound) // 2 : len(sound) // 2 + 300] = bytes(300)
    assert 3.5 < len(await decoded(bytes(sound))) / 48000 < 4.1


async def test_a_file_that_is_damaged_for_good_says_from_where_on() -> None:
    sound = bytearray(encoded("mp4", "aac", duration_s=10))
    start = sound.index(b"mdat") + 4
    random_ = np.random.default_rng(1)
    end = len(sound) - 8000
    sound[start + 60_000 : end] = random_.bytes(max(0, end - start - 60_000))
    given = 0
    with pytest.raises(AudioError, match=r"damaged from 0:0\d on"):
        async for block in decode(bytes(sound)):
            given += len(block)
    assert given > 48000


async def test_a_file_of_damage_alone_is_refused() -> None:
    sound = bytearray(encoded("mp4", "aac"))
    start, end = sound.index(b"mdat") + 4, sound.index(b"moov")
    sound[start:end] = b"\xff" * (end - start)
    assert "nothing in it can be played" in await refused(bytes(sound))


@pytest.mark.parametrize(
    "playlist", [b"#EXTM3U\n#EXTINF:5,\nfile://{}\n#EXT-X-ENDLIST\n", b"ffconcat version 1.0\nfile {}\n"]
)
async def test_a_playlist_opens_no_other_file(tmp_path: Path, playlist: bytes) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(encoded("wav", "pcm_s16le"))
    (tmp_path / "list.m3u8").write_bytes(playlist.replace(b"{}", str(secret).encode()))
    assert "no sound that can be read" in await refused(tmp_path / "list.m3u8")


@pytest.mark.parametrize("bits", [0, 65535])
@pytest.mark.parametrize("form", [0, 1, 3])
async def test_a_wav_of_bits_that_cannot_be_is_refused(form: int, bits: int) -> None:
    head = struct.pack("<HHIIHH", form, 1, 24000, 48000, 2, bits)
    wav = b"RIFF" + struct.pack("<I", 2036) + b"WAVEfmt " + struct.pack("<I", 16) + head
    with pytest.raises(AudioError, match="no sound that can be read"):
        await anext(decode(wav + b"data" + struct.pack("<I", 2000) + bytes(2000)))


async def test_a_rate_of_1_hz_does_not_become_an_hour_a_second() -> None:
    assert "cannot be played (1 Hz" in await refused(silent_wav(4000, rate_hz=1))


async def test_hours_in_a_small_file_do_not_fill_the_memory() -> None:
    bomb = silent_wav(8000 * 60)
    tracemalloc.start()
    try:
        async for _ in decode(bomb):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000, "a minute of sound is 23 MB as samples"


async def test_nothing_is_decoded_ahead_and_closing_closes_the_file(tmp_path: Path) -> None:
    file = tmp_path / "tone.wav"
    file.write_bytes(encoded("wav", "pcm_s16le", duration_s=30))
    blocks = decode(file)
    assert len(await anext(blocks)) < 48000
    await blocks.aclose()
    for thread in [thread for thread in threading.enumerate() if thread.name.startswith("decode")]:
        await asyncio.to_thread(thread.join)
    assert str(file) not in open_files()


async def test_a_cancelled_reader_stops_at_once() -> None:
    sound = encoded("wav", "pcm_s16le", duration_s=30)
    begun = asyncio.Event()

    async def read() -> None:
        async for _ in decode(sound):
            begun.set()
            await asyncio.sleep(3600)

    task = asyncio.create_task(read())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

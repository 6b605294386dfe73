from __future__ import annotations

import struct
import sys
import wave
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from core.audio.wav import HEADER_BYTES, WavReader, WavWriter
from core.errors import AudioError

if TYPE_CHECKING:
    from pathlib import Path

FOUR_GIB = 2**32
BLOCK = 4


def ramp(count: int, start: int = 0) -> np.ndarray:
    values = (np.arange(start, start + count) % 30_000).astype(np.int16)
    return np.stack([values, -values], axis=1)


def test_other_software_reads_what_was_written(tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    with WavWriter(file) as wav:
        wav.write(ramp(1000))
        wav.skip_to(5000)
        wav.write(ramp(10, 7))
    with wave.open(str(file)) as found:
        assert (found.getframerate(), found.getnchannels(), found.getsampwidth()) == (48_000, 2, 2)
        samples = np.frombuffer(found.readframes(10_000), np.int16).reshape(-1, 2)
    assert len(samples) == 5010
    assert (samples[:1000] == ramp(1000)).all()
    assert not samples[1000:5000].any()
    assert (samples[5000:] == ramp(10, 7)).all()


def test_the_file_is_right_after_every_flush_and_can_be_gone_on_with(tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    wav = WavWriter(file)
    wav.write(ramp(500))
    wav.flush()
    with WavReader(file) as found:
        assert found.samples == 500
    wav.write(ramp(77))
    wav.close()
    with WavWriter(file, resume_at=400) as wav:
        wav.write(ramp(3, 9))
    with WavReader(file) as found:
        assert (found.read(0, 9999) == np.concatenate([ramp(400), ramp(3, 9)])).all()


def test_mono_at_another_rate(tmp_path: Path) -> None:
    with WavWriter(tmp_path / "a.wav", rate_hz=16_000, channels=1) as wav:
        wav.write(np.arange(100, dtype=np.int16))
    with WavReader(tmp_path / "a.wav") as found:
        assert (found.rate_hz, found.channels, found.samples) == (16_000, 1, 100)
        assert found.read(90, 50)[:, 0].tolist() == list(range(90, 100))


@pytest.mark.skipif(sys.platform == "win32", reason="files have no holes there, and this one is over 4 GiB")
def test_beyond_four_gibibytes_it_is_rf64_that_others_read(tmp_path: Path) -> None:
    file = tmp_path / "long.wav"
    at = FOUR_GIB // BLOCK + 12_345
    with WavWriter(file) as wav:
        wav.write(ramp(10))
        wav.skip_to(at)  # a hole: it takes no room on the disk
        wav.write(ramp(48_000))
    assert file.stat().st_size == HEADER_BYTES + (at + 48_000) * BLOCK
    with WavReader(file) as found:
        assert found.samples == at + 48_000
        assert (found.read(at, 100) == ramp(100)).all()
    with file.open("rb") as raw:
        assert raw.read(4) == b"RF64"
    with av.open(str(file)) as container:
        stream = container.streams.audio[0]
        assert float(container.duration / 1_000_000) == pytest.approx((at + 48_000) / 48_000, abs=0.01)
        container.seek(int(at / 48_000 / stream.time_base), stream=stream)
        frame = next(container.decode(stream))
        assert frame.to_ndarray().any()


@pytest.mark.skipif(sys.platform == "win32", reason="files have no holes there, and this one is 4 GiB")
def test_just_below_the_limit_it_is_plain_riff(tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    most = (FOUR_GIB - 1 - HEADER_BYTES + 8) // BLOCK
    with WavWriter(file) as wav:
        wav.skip_to(most)
    with file.open("rb") as raw:
        kind, size = struct.unpack("<4sI", raw.read(8))
    assert (kind, size) == (b"RIFF", HEADER_BYTES - 8 + most * BLOCK)
    with WavWriter(file, resume_at=most) as wav:
        wav.write(ramp(1))
    with WavReader(file) as found:
        assert found.samples == most + 1


@pytest.mark.parametrize("data", [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"OggS" * 20, b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd"])
def test_what_is_no_wav_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(data)
    with pytest.raises(AudioError):
        WavReader(tmp_path / "a.wav")

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from core.audio.mp3 import Mp3Writer


def decoded(path: Path) -> tuple[np.ndarray, int, int]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        blocks = [frame.to_ndarray() for frame in container.decode(stream)]
        return np.concatenate(blocks, axis=1), stream.rate, stream.channels


@pytest.mark.parametrize("rate_hz", [8000, 12000, 16000, 24000, 48000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("bitrate_kbps", [16, 128, 320])
def test_what_was_written_is_played_to_the_sample(
    tmp_path: Path, rate_hz: int, channels: int, bitrate_kbps: int
) -> None:
    t = np.arange(rate_hz * 2 + 123) / rate_hz
    mono = np.zeros(len(t))
    at = rate_hz // 2
    burst = np.arange(rate_hz // 10)
    mono[at : at + len(burst)] = np.sin(2 * np.pi * 440 * burst / rate_hz) * np.hanning(len(burst)) * 15000
    samples = np.repeat(mono.astype(np.int16)[:, None], channels, axis=1)
    path = tmp_path / "a.mp3"
    with Mp3Writer(path, rate_hz=rate_hz, channels=channels, bitrate_kbps=bitrate_kbps) as mp3:
        for start in range(0, len(samples), 1000):
            mp3.write(samples[start : start + 1000])
    found, found_hz, found_channels = decoded(path)
    assert (found_hz, found_channels) == (rate_hz, channels)
    assert found.shape[1] == len(samples)
    near = slice(at, at + len(burst))
    fits = [np.dot(found[0][near.start + lag : near.stop + lag], mono[near]) for lag in range(-50, 51)]
    assert abs(int(np.argmax(fits)) - 50) <= 2
    level = np.abs(found[0]).max() * 32768
    assert level == pytest.approx(15000, rel=0.1)


def test_nothing_written_leaves_an_empty_file(tmp_path: Path) -> None:
    with Mp3Writer(tmp_path / "a.mp3", rate_hz=48000, channels=2, bitrate_kbps=128):
        pass
    assert (tmp_path / "a.mp3").read_bytes() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a file that is always full is Linux's")
def test_a_full_disk_is_said(tmp_path: Path) -> None:
    mp3 = Mp3Writer(tmp_path / "a.mp3", rate_hz=48000, channels=2, bitrate_kbps=128)
    mp3._file.close()
    mp3._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115
    with pytest.raises(OSError, match="No space"):
        mp3.write(np.ones((48000, 2), np.int16))
    mp3._file.close()

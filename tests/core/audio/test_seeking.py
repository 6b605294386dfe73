"""A file begins in the middle on the sample, whatever its index knows, and ends where its sound ends."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest

from core.audio.decode import blocks
from tests.core.audio.test_decode import encoded as tone_file

RATE_HZ = 48_000


def sweep(container: str, codec: str, *, rate_hz: int = RATE_HZ, duration_s: float = 8.0, live: bool = False) -> bytes:
    """A tone that rises, so that every place sounds differently; `live` leaves out what leads to places."""
    out = io.BytesIO()
    file = av.open(out, "w", format=container, options={"live": "1"} if live else {})
    stream = file.add_stream(codec, rate=rate_hz, layout="stereo")
    at = np.arange(round(duration_s * rate_hz)) / rate_hz
    samples = (0.5 * np.sin(2 * np.pi * (200 + 60 * at) * at)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(np.stack([samples] * 2), format="fltp", layout="stereo")
    frame.sample_rate = rate_hz
    size = stream.codec_context.frame_size or 1024
    fit = av.AudioResampler(stream.codec_context.format, "stereo", rate_hz, frame_size=size)
    for part in [*fit.resample(frame), *fit.resample(None), None]:
        for packet in stream.encode(part):
            file.mux(packet)
    file.close()
    return out.getvalue()


@pytest.mark.parametrize(
    ("container", "codec", "rate_hz", "live"),
    [
        ("wav", "pcm_s16le", 44100, False),
        ("flac", "flac", 44100, False),
        ("mp3", "libmp3lame", 44100, False),
        ("ogg", "libopus", 48000, False),
        ("webm", "libopus", 48000, False),
        ("webm", "libopus", 48000, True),
        ("mp4", "aac", 44100, False),
        ("adts", "aac", 44100, False),
    ],
)
def test_from_a_place_on_it_sounds_as_it_does_there(container: str, codec: str, rate_hz: int, live: bool) -> None:
    data = sweep(container, codec, rate_hz=rate_hz, live=live)
    whole = np.concatenate(list(blocks(data)))
    for at_s in (0.1, 2.718, 6.5):
        part = np.concatenate(list(blocks(data, start_s=at_s)))
        rest = whole[round(at_s * RATE_HZ) :]
        assert abs(len(part) - len(rest)) <= 2
        count = min(len(part), len(rest))
        assert np.abs(part[4800:count] - rest[4800:count]).mean() < 0.03  # a sample off is 0.02 and more up there


@pytest.mark.parametrize(("container", "codec"), [("mp3", "libmp3lame"), ("ogg", "libopus"), ("flac", "flac")])
def test_what_the_encoder_added_is_cut(container: str, codec: str) -> None:
    rate_hz = 48000 if codec == "libopus" else 44100
    sound = np.concatenate(list(blocks(sweep(container, codec, rate_hz=rate_hz, duration_s=2.013))))
    assert len(sound) == pytest.approx(2.013 * RATE_HZ, abs=2)


def test_far_in_a_long_mp3_nothing_before_is_read() -> None:
    data = tone_file("mp3", "libmp3lame", duration_s=10.0) * 90
    reads = 0

    class Counted(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            nonlocal reads
            found = super().read(size)
            reads += len(found)
            return found

    from core.audio.decode import _opened  # the file itself is looked at
    from core.audio.seeking import Start

    given = _opened(Counted(data), 1e9, Start(800.0))
    assert len(next(given))
    given.close()
    assert reads < len(data) / 4

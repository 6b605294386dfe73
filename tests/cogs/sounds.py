"""Sound files made for tests, and what a listener's track says about them."""

from __future__ import annotations

import io
import wave

import numpy as np

RATE_HZ = 48_000


def tone(hz, duration_s, *, level=0.3, rate_hz=RATE_HZ):
    """A sine as 16-bit mono samples."""
    time_s = np.arange(int(duration_s * rate_hz)) / rate_hz
    return (level * 32767 * np.sin(2 * np.pi * hz * time_s)).astype("<i2")


def wav(samples, *, rate_hz=RATE_HZ):
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.tobytes())
    return out.getvalue()


def encoded(samples, container, codec, *, picture=False):
    """The samples in another container, with a moving picture on request."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        film = file.add_stream("mpeg4", rate=10) if picture else None
        if film is not None:
            film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        stream = file.add_stream(codec, rate=RATE_HZ, layout="mono")
        if film is not None:
            for index in range(10):
                frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), index * 20, np.uint8), format="rgb24")
                file.mux(film.encode(frame))
            file.mux(film.encode(None))
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.sample_rate = RATE_HZ
        frame.pts = 0
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


def voiced(person, speaker):
    """What a person heard of somebody, mono float, only the frames with sound in them."""
    frames = [frame.pcm for frame in person.ears.heard(speaker.id) if frame.voiced]
    return np.frombuffer(b"".join(frames), np.int16).reshape(-1, 2).mean(axis=1) / 32768


def level(samples):
    """Root mean square of the middle, where nothing fades."""
    quarter = len(samples) // 4
    middle = samples[quarter : len(samples) - quarter]
    return float(np.sqrt(np.mean(middle**2))) if len(middle) else 0.0


def pitch_hz(samples):
    """The strongest frequency."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum[10:]) + 10) * RATE_HZ / len(samples)


def voice_pitch_hz(samples):
    """The middle fundamental frequency of a speaking voice, by autocorrelation of 40 ms pieces."""
    found = []
    for start in range(0, len(samples) - 1920, 960):
        piece = samples[start : start + 1920]
        piece = piece - piece.mean()
        likeness = np.correlate(piece, piece, "full")[1920 - 1 :]
        lags = slice(RATE_HZ // 400, RATE_HZ // 60)
        if likeness[0] > 0.05 and likeness[lags].max() > 0.5 * likeness[0]:
            found.append(RATE_HZ / (np.argmax(likeness[lags]) + lags.start))
    return float(np.median(found))

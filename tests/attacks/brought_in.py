"""Finished recordings put straight onto the disk, each person a tone of their own, for who attacks what becomes of them."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import av
import numpy as np

from core.audio.frames import FRAME_SAMPLES, RATE_HZ
from core.audio.opus import Encoder
from core.audio.packet_timeline import Placed
from core.audio.wav import WavWriter
from core.recording.journal import JournalWriter
from core.recording.metadata import ConsentNote, Files, Metadata, Named, RecordedPerson, write_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BEGUN = datetime(2026, 11, 6, 20, 0, tzinfo=UTC)


def bring_in(
    root: Path,
    recording_id: str,
    *,
    guild_id: int = 1,
    channel_id: int = 2,
    channel_name: str = "Lounge",
    tones_hz: Mapping[int, float] | None = None,
    duration_s: float = 1.0,
    day: int = 0,
) -> Path:
    """A folder as a finished recording leaves it: journals, tracks, mix and metadata; gives it."""
    tones_hz = {11: 440.0} if tones_hz is None else tones_hz
    begun = BEGUN + timedelta(days=day)
    folder = root / str(guild_id) / str(channel_id) / f"{begun:%Y-%m-%d_%H-%M-%S}_{recording_id}"
    folder.mkdir(parents=True)
    total = np.zeros((round(duration_s * RATE_HZ), 2), np.int32)
    people: list[RecordedPerson] = []
    for user_id, hz in tones_hz.items():
        samples = sine(duration_s, hz)
        total += samples
        stem = f"{user_id}_person{user_id}"
        write_wav(folder / f"{stem}.wav", samples)
        write_journal(folder / f"{stem}.ogg", samples)
        people.append(
            RecordedPerson(
                id=str(user_id),
                name=f"person{user_id}",
                first_seen_at=begun,
                journal=f"{stem}.ogg",
                track=f"{stem}.wav",
                speech_s=duration_s,
            )
        )
    write_wav(folder / "session.wav", (total // max(1, len(tones_hz))).astype(np.int16))
    write_metadata(
        folder,
        Metadata(
            id=recording_id,
            state="finished",
            guild=Named(id=str(guild_id), name="Guild"),
            channel=Named(id=str(channel_id), name=channel_name),
            started_at=begun,
            ended_at=begun + timedelta(seconds=duration_s),
            duration_s=duration_s,
            consent=ConsentNote(mode="announce"),
            people=people,
            files=Files(session="session.wav"),
        ),
    )
    return folder


def sine(duration_s: float, hz: float, level: float = 0.3) -> np.ndarray:
    t = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    mono = (np.sin(2 * np.pi * hz * t) * level * 32767).astype(np.int16)
    return np.stack([mono, mono], axis=1)


def write_wav(path: Path, samples: np.ndarray) -> None:
    with WavWriter(path) as wav:
        wav.write(samples)


def write_journal(path: Path, samples: np.ndarray) -> None:
    encoder = Encoder(bitrate_bps=64_000)
    journal = JournalWriter(path, 1, {})
    for number in range(len(samples) // FRAME_SAMPLES):
        start = number * FRAME_SAMPLES
        payload = encoder.encode(samples[start : start + FRAME_SAMPLES])
        journal.add(Placed(start, FRAME_SAMPLES, payload, 0, number == 0))
    journal.close()


def heard_hz(data: bytes) -> float:
    """The loudest tone in a file of any format."""
    with av.open(io.BytesIO(data)) as container:
        rate_hz = container.streams.audio[0].rate
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    planar = frames[0].shape[0] > 1
    channels = [frame[0] if planar else frame.reshape(-1) for frame in frames]
    samples = np.concatenate(channels).astype(float)
    with av.open(io.BytesIO(data)) as container:
        side_by_side = 1 if planar else container.streams.audio[0].channels
    spectrum = np.abs(np.fft.rfft(samples[::side_by_side]))
    return float(np.argmax(spectrum[5:]) + 5) * rate_hz / len(samples[::side_by_side])


def unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.audio.frames import RATE_HZ
from core.audio.ogg import PRE_SKIP
from core.audio.packet_timeline import Timeline
from core.audio.wav import WavReader
from core.recording.journal import JournalReader, JournalWriter
from core.recording.track import TrackJob, TrackResult, TrackState, render_track
from tests.core.recording.people import DELAY_S, Speaker, impulses, peaks, together, tone

if TYPE_CHECKING:
    from pathlib import Path

    from core.audio.frames import OpusFrame

LATE = round(DELAY_S * RATE_HZ)


def record(folder: Path, frames: list[OpusFrame], start_s: float = 1000.0) -> Path:
    timeline = Timeline(start_s)
    journal = JournalWriter(folder / "1_Ana.ogg", 1, {})
    due = start_s + 0.25
    for frame in frames:
        while frame.arrival_s > due:
            for placed in timeline.drain(due):
                journal.add(placed)
            due += 0.25
        timeline.push(frame)
    for placed in timeline.drain(None):
        journal.add(placed)
    journal.close()
    return journal.path


def render(journal: Path, *steps: int | None, **more: float) -> tuple[np.ndarray, list[TrackResult]]:
    job = TrackJob(str(journal), str(journal.with_suffix(".wav")), **more)
    state, results = TrackState(), []
    for until in steps or (None,):
        results.append(render_track(job, state, until))
        state = results[-1].state
    with WavReader(journal.with_suffix(".wav")) as wav:
        return wav.read(0, wav.samples), results


def level(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean((samples.astype(float) / 32768) ** 2)))


def test_impulses_lie_where_they_were_made(tmp_path: Path) -> None:
    clicks = (0.5, 1.25, 2.75)
    speaker = Speaker(1)
    frames = speaker.say(impulses(3, clicks), 0.7) + speaker.say(impulses(3, clicks), 9.123)
    samples, _ = render(record(tmp_path, frames))
    true = [round((at + c) * RATE_HZ) + LATE for at in (0.7, 9.123) for c in clicks]
    assert np.abs(np.array(peaks(samples, 8000)) - true).max() <= 2


def test_a_tone_has_its_level_and_silence_is_silent(tmp_path: Path) -> None:
    speaker = Speaker(1)
    frames = speaker.say(tone(2), 1) + speaker.say(tone(2), 6)
    samples, results = render(record(tmp_path, frames))
    assert level(samples[round(1.2 * RATE_HZ) : round(2.8 * RATE_HZ)]) == pytest.approx(level(tone(1)), rel=0.02)
    assert not samples[: LATE + RATE_HZ - 1000].any()
    assert not samples[round(3.2 * RATE_HZ) : round(5.9 * RATE_HZ)].any()
    (result,) = results
    spoken = [(u.start / RATE_HZ, u.end / RATE_HZ) for u in result.utterances]
    assert spoken == [
        (pytest.approx(1.04, abs=0.03), pytest.approx(3.04, abs=0.05)),
        (pytest.approx(6.04, abs=0.03), pytest.approx(8.04, abs=0.05)),
    ]
    assert result.state.complete


def test_an_utterance_ends_after_the_silence_that_is_set(tmp_path: Path) -> None:
    speaker = Speaker(1)
    frames = [frame for at in (1, 3, 5.5, 9) for frame in speaker.say(tone(1), at)]
    journal = record(tmp_path, frames)
    assert len(render(journal)[1][0].utterances) == 2
    assert len(render(journal, utterance_silence_s=0.5)[1][0].utterances) == 4


def test_what_is_too_quiet_is_no_utterance(tmp_path: Path) -> None:
    journal = record(tmp_path, Speaker(1).say(tone(2, level=0.001), 1))
    assert render(journal)[1][0].utterances == ()
    assert len(render(journal, silence_dbfs=-70.0)[1][0].utterances) == 1


def test_rendering_in_steps_gives_the_same_as_at_once(tmp_path: Path) -> None:
    speaker = Speaker(1, loss=0.03, seed=4, jitter_s=0.008)
    frames = together(*(speaker.say(tone(3, hz=300 + 50 * k), 1 + 4.3 * k) for k in range(6)))
    journal = record(tmp_path, frames)
    whole, (once,) = render(journal)
    steps = [round(s * RATE_HZ) for s in (0.1, 2.0, 2.5, 2.51, 7.77, 14, 20)]
    stepped, results = render(journal, *steps, None)
    assert stepped.shape == whole.shape
    assert np.abs(stepped.astype(int) - whole).max() < 1200  # a decoder that takes up the thread is not bit-exact
    assert level(stepped - whole) < 0.002
    last = results[-1].state
    assert (last.packets, last.concealed) == (once.state.packets, once.state.concealed)
    assert sorted(u for r in results for u in r.utterances) == sorted(once.utterances)


def test_losses_are_concealed_and_counted(tmp_path: Path) -> None:
    frames = [frame for i, frame in enumerate(Speaker(1).say(tone(4), 1)) if i not in {50, 80, 81, 82}]
    frames = [frame for i, frame in enumerate(frames) if not 100 <= i < 130]
    samples, (result,) = render(record(tmp_path, frames))
    assert result.state.concealed == 4 + 5  # of a long loss only the beginning can be guessed
    begin = RATE_HZ + LATE
    for lost in (50, 81):
        guess = samples[begin + lost * 960 : begin + (lost + 1) * 960]
        assert level(guess) == pytest.approx(level(tone(1)), rel=0.35)
    assert level(samples[begin + 115 * 960 : begin + 125 * 960]) == 0
    assert level(samples[begin + 150 * 960 : begin + 180 * 960]) == pytest.approx(level(tone(1)), rel=0.02)


def test_a_lost_frame_is_recovered_from_the_copy_in_the_next(tmp_path: Path) -> None:
    t = np.arange(4 * RATE_HZ) / RATE_HZ
    voice = sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 15)) * (0.6 + 0.4 * np.sin(2 * np.pi * 5 * t))
    pcm = np.repeat((voice / np.abs(voice).max() * 12000).astype(np.int16)[:, None], 2, axis=1)
    frames = [f for i, f in enumerate(Speaker(1, fec=True, bitrate_bps=24_000).say(pcm, 1)) if i % 20 != 10]
    _, (result,) = render(record(tmp_path, frames))
    assert result.state.recovered >= 8
    assert result.state.recovered + result.state.concealed == 10


def test_drift_is_stretched_away_without_a_click(tmp_path: Path) -> None:
    speaker = Speaker(1, bitrate_bps=128_000)
    frames = speaker.say(tone(120, hz=1000), 1)
    fast = [
        type(f)(f.user_id, f.ssrc, f.rtp_timestamp, f.sequence, 1000 + (f.arrival_s - 1000) * (1 - 4e-4), f.payload)
        for f in frames
    ]
    journal = record(tmp_path, fast)
    with journal.open("rb") as file:
        positions = np.array([entry.position for entry in JournalReader(file)])
    assert set(np.diff(positions)) == {959, 960}
    samples, _ = render(journal)
    steps = np.abs(np.diff(samples[2 * RATE_HZ : 118 * RATE_HZ, 0].astype(int)))
    largest = np.abs(np.diff(tone(1, hz=1000)[:, 0].astype(int))).max()
    assert steps.max() < 1.15 * largest
    assert len(samples) == pytest.approx(121.14 * RATE_HZ * (1 - 4e-4), abs=0.01 * RATE_HZ)


def test_damage_is_passed_over_and_told(tmp_path: Path) -> None:
    clicks = (0.5, 2.5)
    journal = record(tmp_path, Speaker(1).say(impulses(3, clicks), 1))
    with journal.open("rb") as file:
        entries = list(JournalReader(file))
    data = bytearray(journal.read_bytes())
    data[entries[60].offset + 29] ^= 16
    data[entries[90].offset : entries[110].offset] = b"x" * (entries[110].offset - entries[90].offset)
    del data[entries[-3].offset + 11 :]
    journal.write_bytes(data)
    samples, (result,) = render(journal)
    true = [round((1 + c) * RATE_HZ) + LATE for c in clicks]
    assert np.abs(np.array(peaks(samples, 8000)) - true).max() <= 2
    assert not result.state.complete
    missing = [(m.start / RATE_HZ, (m.end - m.start) / RATE_HZ, m.bytes > 0) for m in result.missing]
    assert missing == [
        (pytest.approx(2.24, abs=0.001), pytest.approx(0.02), True),
        (pytest.approx(2.84, abs=0.001), pytest.approx(0.4), True),
        (pytest.approx(4.08, abs=0.03), 0, True),
    ]


def test_an_empty_journal_gives_an_empty_track(tmp_path: Path) -> None:
    journal = tmp_path / "1_Ana.ogg"
    journal.write_bytes(b"")
    samples, (result,) = render(journal)
    assert len(samples) == 0
    assert result.utterances == ()


def test_a_spurt_that_breaks_off_fades_instead_of_clicking(tmp_path: Path) -> None:
    samples, _ = render(record(tmp_path, Speaker(1).say(tone(1), 1, silence=False)))
    end = 2 * RATE_HZ + LATE - PRE_SKIP
    tail = samples[end : end + 480]
    assert level(tail[:120]) > 2 * level(tail[-120:]) > 0
    steps = np.abs(np.diff(samples[end - 960 :, 0].astype(int)))
    assert steps.max() < 1.5 * np.abs(np.diff(tone(1)[:, 0].astype(int))).max()


def test_who_speaks_in_the_very_first_moment_is_not_late_either(tmp_path: Path) -> None:
    samples, _ = render(record(tmp_path, Speaker(1).say(impulses(3, (0.25, 2.5)), -DELAY_S)))
    assert np.abs(np.array(peaks(samples, 8000)) - [round(0.25 * RATE_HZ), round(2.5 * RATE_HZ)]).max() <= 2

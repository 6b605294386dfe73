from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.audio.frames import RATE_HZ
from core.audio.wav import WavReader, WavWriter
from core.recording.mix import CEILING, HEADROOM, MixSource, MixState, mix_tracks
from tests.core.recording.people import tone

if TYPE_CHECKING:
    from pathlib import Path


def source(folder: Path, name: str, samples: np.ndarray, at: int = 0) -> MixSource:
    path = folder / f"{name}.wav"
    with WavWriter(path) as wav:
        wav.skip_to(at)
        wav.write(samples)
    return MixSource(str(path), ((at, at + len(samples)),))


def mixed(folder: Path, sources: list[MixSource], *steps: int) -> np.ndarray:
    target = folder / "session.wav"
    target.unlink(missing_ok=True)
    state = MixState()
    for until in steps:
        state = mix_tracks(sources, str(target), state, until)
    with WavReader(target) as wav:
        return wav.read(0, wav.samples)


def test_one_voice_is_three_decibels_softer_and_otherwise_itself(tmp_path: Path) -> None:
    voice = tone(3, level=0.9)
    found = mixed(tmp_path, [source(tmp_path, "a", voice, 12_345)], 5 * RATE_HZ)
    assert len(found) == 5 * RATE_HZ
    assert np.abs(found[12_345 : 12_345 + len(voice)] - voice * HEADROOM).max() <= 1
    assert not found[:12_345].any()
    assert not found[12_345 + len(voice) :].any()


def test_voices_are_added_where_they_meet(tmp_path: Path) -> None:
    a, b = tone(2, level=0.2), tone(2, hz=700, level=0.2)
    found = mixed(tmp_path, [source(tmp_path, "a", a), source(tmp_path, "b", b, RATE_HZ)], 3 * RATE_HZ)
    both = (a[RATE_HZ:].astype(int) + b[:RATE_HZ]) * HEADROOM
    assert np.abs(found[RATE_HZ : 2 * RATE_HZ] - both).max() <= 1


def test_ninety_nine_people_shouting_at_once_do_not_clip(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    loud = [
        source(tmp_path, str(i), rng.integers(-32768, 32768, (RATE_HZ, 2)).astype(np.int16), int(rng.integers(RATE_HZ)))
        for i in range(99)
    ]
    found = mixed(tmp_path, loud, 2 * RATE_HZ)
    assert np.abs(found.astype(int)).max() <= CEILING + 1
    assert np.abs(found.astype(int)).max() > CEILING * 0.7


def test_after_a_shout_the_voice_comes_back_to_its_level(tmp_path: Path) -> None:
    voice, shout = tone(4, level=0.3), tone(0.5, level=1.0)
    sources = [source(tmp_path, "a", voice)] + [source(tmp_path, f"s{i}", shout, RATE_HZ) for i in range(3)]
    found = mixed(tmp_path, sources, 4 * RATE_HZ)
    assert np.abs(found.astype(int)).max() <= CEILING + 1
    assert np.abs(found[3 * RATE_HZ :] - voice[3 * RATE_HZ :] * HEADROOM).max() <= 1


def test_mixing_in_steps_gives_the_same_as_at_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    sources = [
        source(tmp_path, str(i), rng.integers(-20_000, 20_000, (2 * RATE_HZ, 2)).astype(np.int16), i * 30_000)
        for i in range(4)
    ]
    whole = mixed(tmp_path, sources, 5 * RATE_HZ)
    stepped = mixed(tmp_path, sources, 480 * 50, 480 * 123, 480 * 124, 480 * 333, 5 * RATE_HZ)
    assert np.abs(whole.astype(int)).max() <= CEILING + 1
    assert np.abs(stepped.astype(int)).max() <= CEILING + 1
    quiet = np.abs(stepped.astype(int) - whole).max(axis=1) <= 1
    assert quiet.mean() == pytest.approx(1.0, abs=0.1)  # at a step's end the limiter cannot look ahead

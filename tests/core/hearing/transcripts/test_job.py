from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from core.audio.encode import Quality, encode_file
from core.errors import HearingError, ParleyError
from core.hearing.text import Segment, Transcription, Word
from core.hearing.transcripts.document import Transcript
from core.hearing.transcripts.job import NotAllowed, TrackSound, TrackTranscription, seconds_of
from core.hearing.transcripts.sound import blocks, regions
from core.hearing.transcripts.splitting import said_of
from tests.core.hearing.transcripts.speech import Scripted, speech, write_track

if TYPE_CHECKING:
    from pathlib import Path

HELLO, FRIDAY = "Hello everybody, good evening.", "We meet on Friday at nine."


def job(recogniser: Any, **changes: Any) -> TrackTranscription:
    async def keep(_: Transcript) -> None:
        return None

    options = {"allowed": lambda: True, "keep": keep, "progressed": lambda _: None, **changes}
    return TrackTranscription(recogniser, "script", **options)


def track(path: Path, length_s: float, *said: tuple[float, Any]) -> TrackSound:
    return TrackSound(path, 5, "Ada", length_s, write_track(path, length_s, *said))


def begun() -> Transcript:
    return Transcript(recording="r1")


async def test_times_are_those_of_the_track_through_long_silences(tmp_path: Path) -> None:
    hello, friday = speech(HELLO), speech(FRIDAY)
    sound = track(tmp_path / "5.wav", 120, (25.0, hello), (70.0, friday))
    recogniser = Scripted([HELLO, FRIDAY])
    found = await job(recogniser).run(sound, begun())
    assert [each.text for each in found.segments] == [HELLO, FRIDAY]
    first, second = found.segments
    assert first.start_s == pytest.approx(25.0, abs=0.1)
    assert first.end_s == pytest.approx(25.0 + len(hello) / 48_000, abs=0.35)
    assert second.start_s == pytest.approx(70.0, abs=0.1)
    assert all(word.end_s <= second.end_s + 0.01 and word.start_s >= 69.9 for word in second.words)
    assert max(recogniser.heard) < 5  # silence is handed to nobody
    assert (found.state, found.until_s) == ("finished", 120)


@pytest.mark.parametrize("format", ["flac", "ogg", "mp3"])
async def test_times_are_right_in_every_format_that_tracks_have(tmp_path: Path, format: Any) -> None:
    sound = track(tmp_path / "5.wav", 60, (25.0, speech(HELLO)), (50.0, speech(FRIDAY)))
    encoded = tmp_path / f"5.{format}"
    await asyncio.to_thread(encode_file, str(sound.path), str(encoded), Quality(format, 48_000, 2, 64))
    found = await job(Scripted([HELLO, FRIDAY])).run(TrackSound(encoded, 5, "Ada", 60, sound.sounds), begun())
    assert [each.start_s for each in found.segments] == [pytest.approx(25.0, abs=0.12), pytest.approx(50.0, abs=0.12)]


def test_a_click_is_in_its_place_wherever_reading_begins(tmp_path: Path) -> None:
    click = np.zeros(480, np.float32)
    click[:48] = 0.9
    write_track(tmp_path / "5.wav", 40, (5.0, click), (31.0, click))
    for format in ("wav", "flac", "ogg"):
        path = tmp_path / f"5.{format}"
        if format != "wav":
            encode_file(str(tmp_path / "5.wav"), str(path), Quality(format, 48_000, 2, 64))
        for start_s in (0.0, 3.0, 29.5):
            samples = np.concatenate(list(blocks(path, start_s, 36.0)))
            assert len(samples) == pytest.approx((36.0 - start_s) * 16_000, abs=20)
            last = np.flatnonzero(np.abs(samples) > 0.2)[0 if start_s > 5 else -1] / 16_000 + start_s
            assert last == pytest.approx(31.0, abs=0.01)


def test_only_what_may_be_sound_is_read() -> None:
    assert regions([(25.0, 27.0), (30.0, 31.0), (70.0, 75.0)], 72.0) == [(24.0, 32.0), (69.0, 72.0)]
    assert regions([], 10.0) == []
    assert regions([(0.2, 0.5), (0.1, 3.0)], 2.0) == [(0.0, 2.0)]


async def test_where_nobody_speaks_no_recogniser_is_opened(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 0.05, 48_000 * 5).astype(np.float32)
    recogniser = Scripted(["You made that up."], problem=HearingError("missing"))
    found = await job(recogniser).run(track(tmp_path / "5.wav", 20, (3.0, noise)), begun())
    assert found.segments == []
    assert found.state == "finished"
    assert recogniser.heard == []


async def test_a_missing_recogniser_is_told(tmp_path: Path) -> None:
    recogniser = Scripted([""], problem=HearingError("There is no model."))
    with pytest.raises(HearingError, match="no model"):
        await job(recogniser).run(track(tmp_path / "5.wav", 10, (3.0, speech(HELLO))), begun())


async def test_what_was_broken_off_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.hearing.transcripts.job.KEEP_S", 0.0)
    sound = track(tmp_path / "5.wav", 90, (5.0, speech(HELLO)), (40.0, speech(FRIDAY)), (70.0, speech(HELLO)))
    kept: list[str] = []

    async def keep(part: Transcript) -> None:
        kept.append(part.model_dump_json())
        if len(kept) == 2:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await job(Scripted(["one", "two", "three"]), keep=keep).run(sound, begun())
    recogniser = Scripted(["three"])
    found = await job(recogniser).run(sound, Transcript.model_validate_json(kept[-1]))
    assert [each.text for each in found.segments] == ["one", "two", "three"]
    assert len(recogniser.heard) == 1
    assert [each.start_s for each in found.segments] == [pytest.approx(at_s, abs=0.1) for at_s in (5.0, 40.0, 70.0)]


async def test_a_recogniser_that_dies_once_is_asked_again_and_a_broken_one_is_told(tmp_path: Path) -> None:
    sound = track(tmp_path / "5.wav", 90, *((at_s, speech(HELLO)) for at_s in (5.0, 25.0, 45.0, 65.0)))
    died = HearingError("It died.")
    found = await job(Scripted([died, "one", died, died, "three", "four"])).run(sound, begun())
    assert [each.text for each in found.segments] == ["one", "three", "four"]
    with pytest.raises(HearingError, match="fails again and again"):
        await job(Scripted([died])).run(sound, begun())


async def test_who_refuses_in_the_middle_is_heard_no_further(tmp_path: Path) -> None:
    sound = track(tmp_path / "5.wav", 60, (5.0, speech(HELLO)), (40.0, speech(FRIDAY)))
    recogniser = Scripted(["one", "two"])
    with pytest.raises(NotAllowed):
        await job(recogniser, allowed=lambda: not recogniser.heard).run(sound, begun())
    assert len(recogniser.heard) == 1


async def test_progress_goes_from_nothing_to_all_of_the_sound(tmp_path: Path) -> None:
    sound = track(tmp_path / "5.wav", 60, (5.0, speech(HELLO)), (40.0, speech(FRIDAY)))
    told: list[float] = []
    await job(Scripted(["one"]), progressed=told.append).run(sound, begun())
    assert told[0] == 0
    assert told == sorted(told)
    assert told[-1] == pytest.approx(seconds_of(sound))


@pytest.mark.parametrize("name", ["5.wav", "5.ogg"])
async def test_a_track_that_is_no_sound_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(np.random.default_rng(3).bytes(4000))
    with pytest.raises(ParleyError):
        await job(Scripted(["x"])).run(TrackSound(tmp_path / name, 5, "Ada", 10, ((0, 5),)), begun())


def heard(text: str, *times: tuple[float, float], confidence: float = 0.9) -> Transcription:
    words = tuple(Word(each, *at, confidence) for each, at in zip(text.split(), times, strict=False))
    return Transcription((Segment(text, times[0][0], times[-1][1], words),), "en", "x", "y")


def test_half_a_minute_is_cut_where_somebody_pauses() -> None:
    found = said_of(heard("one two three", (0, 0.5), (0.6, 1.0), (3.0, 3.4)), "5", 0, 30)
    assert [(each.text, each.start_s, each.end_s) for each in found] == [("one two", 0, 1.0), ("three", 3.0, 3.4)]


def test_what_a_recogniser_says_is_held_within_the_sound_it_got() -> None:
    found = said_of(heard("a b", (-1, 0.5), (0.6, 99), confidence=7), "5", 0, 30)
    assert (found[0].start_s, found[0].end_s) == (0, 30)
    assert found[0].words[1].confidence == 1


def test_a_recogniser_without_times_of_words_gives_pieces_all_the_same() -> None:
    said = Transcription((Segment(" Hello there. ", 1.0, 2.5), Segment(" ", 3, 4)), "", "x", "y")
    (found,) = said_of(said, "5", 0, 30)
    assert (found.text, found.start_s, found.end_s, found.words, found.language) == ("Hello there.", 1.0, 2.5, [], None)

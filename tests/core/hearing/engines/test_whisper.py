"""The embedded recogniser, on real (synthesised) speech and on sounds that are none."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.config.hearing import HearingSection, TranscriptsSection
from core.errors import HearingError
from core.hearing.engines.whisper import WhisperTranscriber
from core.hearing.transcriber import Bias, Superseded
from core.machine import worker_process
from core.machine.workers import Workers

from ..conftest import NO_SPEECH, RATE_HZ, said, silence

if TYPE_CHECKING:
    from pathlib import Path

MORNING = "Good morning everybody. The meeting begins at ten o'clock."


async def test_speech_becomes_the_text_that_was_said(whisper):
    heard = await whisper.transcribe(await said(MORNING))
    assert heard.text.lower().startswith("good morning everybody. the meeting begins at")
    assert (heard.engine, heard.model, heard.language) == ("whisper", "tiny.en", "en")
    assert heard.segments[0].log_probability > -1


@pytest.mark.parametrize("kind", NO_SPEECH)
@pytest.mark.parametrize("purpose", ["live", "recording"])
async def test_nothing_is_made_up_from_what_is_no_speech(whisper, kind, purpose):
    heard = await whisper.transcribe(NO_SPEECH[kind](20.0), purpose=purpose, words=purpose == "recording")
    assert heard.text == ""
    assert heard.segments == ()


@pytest.mark.parametrize("kind", ["silence", "noise", "breathing", "music"])
async def test_a_hint_is_not_printed_on_what_is_no_speech(whisper, kind):
    heard = await whisper.transcribe(NO_SPEECH[kind](8.0), bias=Bias(("Ada", "Bob"), "Parley"))
    assert (heard.text, heard.hinted) == ("", "")


async def test_words_have_their_times_in_the_sound(whisper):
    sound = np.concatenate([silence(5.0), await said(MORNING)])
    heard = await whisper.transcribe(sound, words=True, purpose="recording")
    first, last = heard.words[0], heard.words[-1]
    assert first.text == "Good"
    assert first.start_s == pytest.approx(5.35, abs=0.3)
    assert 0 < first.confidence <= 1
    assert last.end_s == pytest.approx(len(sound) / RATE_HZ - 0.35, abs=0.3)
    assert all(a.end_s <= b.start_s + 0.02 for a, b in zip(heard.words, heard.words[1:], strict=False))
    assert " ".join(word.text for word in heard.words) == heard.text


async def test_a_track_that_is_silent_for_long_begins_where_somebody_speaks(whisper):
    sound = np.concatenate([silence(25.0), await said(MORNING), silence(40.0), await said(MORNING), silence(3.0)])
    heard = await whisper.transcribe(sound, words=True, purpose="recording")
    assert [round(segment.start_s) for segment in heard.segments] == [
        25,
        25 + 4 + 40 + round(len(sound) / RATE_HZ) - 76,
    ]
    assert heard.text.replace(",", "").count("Good morning everybody") == 2


async def test_a_hinted_pass_finds_the_wake_name_and_is_not_what_is_stored(whisper):
    heard = await whisper.transcribe(await said("Parley, stop the music."), bias=Bias(("Ada",), "Parley"))
    assert heard.hinted.startswith("Parley")
    assert heard.text.endswith("stop the music.")
    because = await whisper.transcribe(await said("Partly because it was raining."), bias=Bias(("Ada",), "Parley"))
    assert "Parley" in because.hinted, "the hint bends this sentence"
    assert "Parley" not in because.text


async def test_what_is_urgent_goes_first_and_the_newest_look_takes_the_place_of_an_older(whisper):
    sound = await said(MORNING)
    done: list[str] = []

    async def ask(name: str, **options) -> str:
        try:
            heard = await whisper.transcribe(sound, **options)
        except Superseded:
            return "superseded"
        done.append(name)
        return heard.text

    jobs = [asyncio.create_task(ask("running"))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    jobs += [
        asyncio.create_task(ask("caption", purpose="captions")),
        asyncio.create_task(ask("look 1", purpose="captions", replaces="u1")),
        asyncio.create_task(ask("live")),
        asyncio.create_task(ask("look 2", purpose="captions", replaces="u1")),
    ]
    outcome = await asyncio.gather(*jobs)
    assert outcome[2] == "superseded"
    assert done[0] == "running"
    assert done[1:] == ["live", "caption", "look 2"]


async def test_a_cancelled_utterance_that_waits_costs_nothing(whisper):
    sound = await said(MORNING)
    running = asyncio.create_task(whisper.transcribe(sound))
    await asyncio.sleep(0.01)
    waiting = asyncio.create_task(whisper.transcribe(sound))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await running).text
    assert whisper._live.waiting == whisper._live.running == 0


async def test_recordings_do_not_block_what_is_said_live(whisper):
    sound = await said(MORNING)
    others = [
        await said(text) for text in ("The weather is nice today.", "We have seven apples.", "Nobody knows the answer.")
    ]
    long = np.concatenate([*others, silence(3), *others[::-1], silence(3), sound, silence(3), *others])
    recording = asyncio.create_task(whisper.transcribe(long, purpose="recording"))
    await asyncio.sleep(0.05)
    assert (await whisper.transcribe(sound)).text
    assert not recording.done()
    heard = await recording
    assert len(heard.segments) >= 3
    assert heard.text.count("seven apples") == 3


async def test_a_process_that_dies_costs_its_utterance_alone(tmp_path):
    workers = Workers()
    whisper = WhisperTranscriber(HearingSection(), tmp_path, workers)
    try:
        await whisper.open()
        (process,) = workers.live._idle
        job = asyncio.create_task(whisper.transcribe(np.concatenate([await said(MORNING)] * 4)))
        await asyncio.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(HearingError, match=r"^The recogniser whisper \(on this machine\) was ended from outside"):
            await job
        assert (await whisper.transcribe(await said(MORNING))).text
    finally:
        await whisper.close()
        await workers.close()


async def test_a_decoding_beyond_its_deadline_is_ended_and_told(whisper):
    with pytest.raises(HearingError, match=r"took longer than 0\.001 s and was started anew"):
        await whisper.transcribe(await said(MORNING), deadline_s=0.001)
    assert (await whisper.transcribe(await said(MORNING))).text


async def test_a_process_that_stands_still_is_replaced_and_the_utterance_understood(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_process, "BEGIN_S", 1.0)
    workers = Workers()
    whisper = WhisperTranscriber(HearingSection(), tmp_path, workers)
    try:
        await whisper.open()
        (process,) = workers.live._idle
        os.kill(process.pid, signal.SIGSTOP)
        async with asyncio.timeout(100):
            assert (await whisper.transcribe(await said(MORNING), deadline_s=30)).text
        assert not process.usable
    finally:
        await whisper.close()
        await workers.close()


# Models that cannot be used -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "told"),
    [
        (HearingSection(engine="whisper", model="small"), "launcher.py models get small"),
        (
            HearingSection(engine="whisper", model="./nowhere"),
            "The folder that .hearing. model names, nowhere, is not there",
        ),
        (HearingSection(engine="whisper", model="broken"), "damaged"),
        (HearingSection(engine="whisper", model="partial"), "tokenizer.json is missing"),
        (HearingSection(device="cuda"), 'no GPU .* set .hearing. device = "cpu"'),
        (HearingSection(compute_type="float16"), 'set .hearing. compute_type = "auto"'),
        (HearingSection(transcripts=TranscriptsSection(model="large-v3")), "launcher.py models get large-v3"),
    ],
)
async def test_a_model_that_cannot_be_used_is_told_in_one_sentence(section, told, tmp_path: Path):
    models = tmp_path / "data" / "models"
    for name in ("broken", "partial"):
        (models / name).mkdir(parents=True)
        for file in ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt"):
            (models / name / file).write_bytes(b"{}")
    (models / "partial" / "tokenizer.json").unlink()
    workers = Workers()
    whisper = WhisperTranscriber(section, tmp_path, workers)
    try:
        with pytest.raises(HearingError, match=told) as caught:
            await whisper.open()
    finally:
        await whisper.close()
        await workers.close()
    assert str(tmp_path) not in caught.value.sentence
    assert "\n" not in caught.value.sentence

"""The engine for OpenAI-style recognisers, against a server that speaks their wire format."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.config.hearing import HearingSection, OpenAIHearingSection
from core.errors import HearingError
from core.hearing.engines.openai_http import OpenAITranscriber
from core.hearing.transcriber import Bias
from loopback.services.transcription_http import TEXT, TranscriptionHttp

from ..conftest import NO_SPEECH, said, silence

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SENTENCE = "Good morning everybody. The meeting begins at ten o'clock."


@pytest.fixture
async def server() -> AsyncIterator[TranscriptionHttp]:
    async with TranscriptionHttp(api_key="sesame") as service:
        yield service


@pytest.fixture
async def engine(server) -> AsyncIterator[OpenAITranscriber]:
    section = HearingSection(openai=OpenAIHearingSection(base_url=server.base_url), deadline_s=5)
    transcriber = OpenAITranscriber(section, "sesame")
    yield transcriber
    await transcriber.close()


async def test_the_sound_travels_as_a_wav_and_the_text_comes_back_with_its_times(engine, server):
    await engine.open()
    heard = await engine.transcribe(await said(SENTENCE), words=True)
    assert (heard.text, heard.language, heard.model) == (TEXT, "en", "whisper-1")
    (form,) = server.sounds
    assert (form.rate_hz, form.channels) == (16_000, 1)
    assert form.duration_s == pytest.approx(len(await said(SENTENCE)) / 16_000, abs=0.5)
    assert np.abs(np.frombuffer(form.pcm, "<i2")).max() > 5000
    assert form.fields["response_format"] == ["verbose_json"]
    assert [word.text for word in heard.words] == TEXT.split()
    assert 0 <= heard.words[0].start_s < heard.words[-1].end_s <= len(await said(SENTENCE)) / 16_000
    assert heard.segments[0].log_probability == -0.2


@pytest.mark.parametrize("kind", NO_SPEECH)
async def test_what_is_no_speech_is_not_even_sent(engine, server, kind):
    heard = await engine.transcribe(NO_SPEECH[kind](4.0))
    assert heard.text == ""
    assert server.requests == []


async def test_a_language_is_sent_if_it_is_known(engine, server):
    await engine.transcribe(await said(SENTENCE), language="de")
    await engine.transcribe(await said(SENTENCE))
    assert [form.fields.get("language") for form in server.sounds] == [["de"], None]


async def test_a_model_that_gives_plain_answers_only_is_asked_for_those_from_then_on(engine, server):
    server.always(plain_only=True)
    for _ in range(2):
        assert (await engine.transcribe(await said(SENTENCE), words=True)).text == TEXT
    assert [request.path for request in server.requests] == ["/v1/audio/transcriptions"] * 3
    assert all(form.fields["response_format"] == ["json"] for form in server.sounds)


async def test_names_are_a_prompt_and_an_echo_of_them_is_not_stored(engine, server):
    server.script(text="Ada, Parley.")
    server.script(text="What is the weather like?")
    heard = await engine.transcribe(await said(SENTENCE), bias=Bias(("Ada",), "Parley"))
    assert (heard.text, heard.hinted) == ("What is the weather like?", "Ada, Parley.")
    assert [form.fields.get("prompt") for form in server.sounds] == [["Ada, Parley."], None]


async def test_a_busy_server_is_asked_again_and_a_wrong_key_is_not(engine, server):
    server.script(status=503)
    server.script(status=429, headers={"Retry-After": "0"})
    assert (await engine.transcribe(await said(SENTENCE))).text == TEXT
    assert len(server.requests) == 3
    stranger = OpenAITranscriber(HearingSection(openai=OpenAIHearingSection(base_url=server.base_url)), "wrong")
    try:
        with pytest.raises(HearingError, match=r"recogniser openai \(http://127.*\) refused the key \(HTTP 401\)"):
            await stranger.open()
        with pytest.raises(HearingError, match="refused the key"):
            await stranger.transcribe(await said(SENTENCE))
    finally:
        await stranger.close()
    assert len(server.requests) == 5


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        ({"status": 500}, r"failed \(HTTP 500\)"),
        ({"status": 413}, r"found the sound too long \(HTTP 413\)"),
        ({"status": 422}, r"refused the request \(HTTP 422\)"),
        ({"refuse": True}, "broke the connection"),
        ({"cut_after": 1}, "broke the connection"),
        ({"body": b"<html>"}, "is no JSON"),
        ({"body": b"[" * 100_000}, "is no JSON"),
        ({"body": b"[1]"}, "without a text"),
        ({"body": b'{"text": 7}'}, "without a text"),
        ({"body": b'{"text": "x", "error": {"message": "no"}}'}, "reported an error"),
        ({"body": b"x" * (3 * 2**20)}, "more than 2 MiB"),
        ({"silent": True}, r"did not answer within 0\.8 s"),
        ({"hang_after": 1}, r"did not answer within 0\.8 s"),
    ],
)
async def test_what_goes_wrong_is_told_in_a_sentence(engine, server, behaviour, told):
    server.always(**behaviour)
    limit_s = 0.8 if {"silent", "hang_after"} & set(behaviour) else None
    with pytest.raises(HearingError, match=told) as caught:
        await engine.transcribe(await said(SENTENCE), deadline_s=limit_s)
    assert "sesame" not in caught.value.sentence
    server.always(status=200, refuse=False, cut_after=None, body=None, silent=False, hang_after=None)
    assert (await engine.transcribe(await said(SENTENCE))).text == TEXT


@pytest.mark.parametrize(
    "details",
    [
        {"start": "soon", "end": None},
        {"start": 9e99, "end": -1e308},
        {"avg_logprob": float("nan"), "no_speech_prob": "high", "compression_ratio": []},
        {"words": [{"word": 3}, {"word": "x", "start": 5, "end": 1}, 7, None]},
    ],
)
async def test_odd_details_are_left_out_and_the_text_stays(engine, server, details):
    server.script(details=details)
    heard = await engine.transcribe(await said(SENTENCE))
    assert heard.text == TEXT
    length_s = len(await said(SENTENCE)) / 16_000
    assert all(0 <= part.start_s <= part.end_s <= length_s for part in heard.segments)


async def test_what_a_server_makes_up_is_dropped(engine, server):
    server.script(text="Thanks for watching!")
    assert (await engine.transcribe(await said(SENTENCE))).text == ""
    server.script(text="word " * 900)
    assert (await engine.transcribe(await said(SENTENCE))).text in ("", "word")
    server.script(details={"avg_logprob": -1.26, "no_speech_prob": 0.51})
    assert (await engine.transcribe(await said(SENTENCE))).text == ""


async def test_a_cancelled_utterance_hangs_up(engine, server):
    server.script(silent=True)
    job = asyncio.create_task(engine.transcribe(await said(SENTENCE)))
    await server.wait_for(lambda recorded: recorded.path.endswith("transcriptions"))
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    await server.wait_for(lambda recorded: recorded.disconnected)


async def test_a_long_sound_goes_piece_by_piece_with_its_own_times(engine, server):
    sound = np.concatenate([silence(10), await said(SENTENCE), silence(20), await said(SENTENCE)])
    heard = await engine.transcribe(sound, purpose="recording", words=True)
    assert len(server.sounds) == 2
    first, second = heard.segments
    assert first.start_s == pytest.approx(10, abs=0.5)
    assert second.start_s == pytest.approx(30 + len(await said(SENTENCE)) / 16_000, abs=0.5)

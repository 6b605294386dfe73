"""The engine for Wyoming recognisers, against a server that speaks their wire format."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from core.config.hearing import HearingSection, WyomingHearingSection
from core.errors import HearingError
from core.hearing.engines.wyoming import WyomingTranscriber
from loopback.services.wyoming import Wyoming
from loopback.services.wyoming_hears import TEXT, WyomingHears

from ..conftest import NO_SPEECH, said

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SENTENCE = "Good morning everybody. The meeting begins at ten o'clock."


@pytest.fixture
async def server() -> AsyncIterator[WyomingHears]:
    async with WyomingHears() as service:
        yield service


def made(port: int, **place) -> WyomingTranscriber:
    return WyomingTranscriber(HearingSection(wyoming=WyomingHearingSection(port=port, **place), deadline_s=5))


async def test_the_sound_travels_in_chunks_and_the_text_comes_back(server):
    engine = made(server.port, model="tiny-int8")
    await engine.open()
    heard = await engine.transcribe(await said(SENTENCE), language="de")
    assert (heard.text, heard.language) == (TEXT, "en")
    (sound,) = server.sounds
    assert sound.asked == {"name": "tiny-int8", "language": "de"}
    assert sound.form == {"rate": 16_000, "width": 2, "channels": 1}
    assert len(sound.pcm) / 32_000 == pytest.approx(len(await said(SENTENCE)) / 16_000, abs=0.5)
    await engine.close()
    await engine.close()


@pytest.mark.parametrize("behaviour", [{"streaming": True}, {"inline": True}, {"language": None}])
async def test_every_dialect_is_understood(server, behaviour):
    server.always(**behaviour)
    heard = await made(server.port).transcribe(await said(SENTENCE))
    assert heard.text == TEXT


@pytest.mark.parametrize("kind", NO_SPEECH)
async def test_what_is_no_speech_is_not_even_sent(server, kind):
    assert (await made(server.port).transcribe(NO_SPEECH[kind](4.0))).text == ""
    assert server.requests == []


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        ({"status": 500}, "reported an error"),
        ({"refuse": True}, "broke the connection"),
        ({"cut_after": 0}, "broke the connection"),
        ({"garbage_after": 0}, "no Wyoming event"),
        ({"garbage_after": 0, "garbage": b'{"type": "transcript", "data_length": 1e12}\n'}, "no Wyoming event"),
        ({"garbage_after": 0, "garbage": b'{"type": "transcript", "data": [1]}\n'}, "no Wyoming event"),
        ({"text": None}, "without a text"),
        ({"silent": True}, r"did not answer within 0\.8 s"),
        ({"hang_after": 0}, r"did not answer within 0\.8 s"),
    ],
)
async def test_what_goes_wrong_is_told_in_a_sentence(server, behaviour, told):
    server.script(**behaviour)
    engine = made(server.port)
    with pytest.raises(HearingError, match=rf"^The recogniser wyoming \(127\.0\.0\.1:\d+\) .*{told}"):
        limit_s = 0.8 if {"silent", "hang_after"} & set(behaviour) else None
        await engine.transcribe(await said(SENTENCE), deadline_s=limit_s)
    assert (await engine.transcribe(await said(SENTENCE))).text == TEXT


async def test_a_server_that_is_not_there_or_does_something_else_is_told_when_it_is_opened(server):
    with pytest.raises(HearingError, match='has no model "huge"; it has tiny-int8'):
        await made(server.port, model="huge").open()
    async with Wyoming() as speaks:
        with pytest.raises(HearingError, match="does not hear; it serves something else"):
            await made(speaks.port).open()
    with pytest.raises(HearingError, match="cannot be reached; is it running"):
        await made(speaks.port).open()


async def test_a_cancelled_utterance_hangs_up(server):
    server.script(silent=True)
    job = asyncio.create_task(made(server.port).transcribe(await said(SENTENCE)))
    await server.wait_for(lambda recorded: any(message.data.type == "audio-stop" for message in recorded.messages))
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    await server.wait_for(lambda recorded: recorded.disconnected)

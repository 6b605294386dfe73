from __future__ import annotations

import io
import struct
import wave
from typing import TYPE_CHECKING, Any

import aiohttp
import numpy as np
import openai
import pytest

from loopback.services.speech_http import SpeechHttp
from loopback.services.tone import recognise

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TEXT = "Good morning to everyone."


@pytest.fixture
async def speech() -> AsyncIterator[SpeechHttp]:
    async with SpeechHttp() as service:
        yield service


async def asked(service: SpeechHttp, **changes: Any) -> tuple[aiohttp.ClientResponse, bytes, list[bytes]]:
    body = {"model": "tts-1", "voice": "alloy", "input": TEXT, "response_format": "pcm", "stream": True, **changes}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{service.base_url}/audio/speech", json=body) as response,
    ):
        chunks = [chunk async for chunk, _ in response.content.iter_chunks()]
        return response, b"".join(chunks), chunks


async def test_the_sdk_gets_pcm_that_says_the_words(speech: SpeechHttp) -> None:
    async with (
        openai.AsyncOpenAI(base_url=speech.base_url, api_key="k", max_retries=0) as client,
        client.audio.speech.with_streaming_response.create(
            model="tts-1", voice="nova", input=TEXT, response_format="pcm"
        ) as response,
    ):
        sound = await response.read()
    assert recognise(np.frombuffer(sound, "<i2"), 24000, TEXT.split()) == TEXT.split()
    assert [(spoken.text, spoken.voice) for spoken in speech.spoken] == [(TEXT, "nova")]


async def test_a_wav_is_a_wav_at_its_rate(speech: SpeechHttp) -> None:
    speech.script(rate_hz=16000, channels=2, wav_extra=b"INFOodd")
    response, sound, _ = await asked(speech, response_format="wav")
    assert response.headers["Content-Type"] == "audio/wav"
    with wave.open(io.BytesIO(sound)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 2, 2)
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    assert recognise(frames[:, 1], 16000, TEXT.split()) == TEXT.split()


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
async def test_a_wav_may_come_unasked_with_a_size_that_lies(speech: SpeechHttp, size: int) -> None:
    speech.script(container="wav", wav_size=size, content_type="audio/pcm")
    response, sound, _ = await asked(speech)
    assert response.headers["Content-Type"] == "audio/pcm"
    assert sound[:4] == b"RIFF"
    assert struct.unpack_from("<I", sound, 40)[0] == size
    assert len(sound) == 44 + 2 * round(len(TEXT) * 0.06 * 24000)


async def test_the_content_type_may_be_missing_or_tell_the_rate(speech: SpeechHttp) -> None:
    speech.script(content_type="")
    speech.script(content_type="audio/L16;rate=44100", rate_hz=44100)
    assert "Content-Type" not in (await asked(speech))[0].headers
    response, sound, _ = await asked(speech)
    assert response.headers["Content-Type"] == "audio/L16;rate=44100"
    assert len(sound) == 2 * round(len(TEXT) * 0.06 * 44100)


async def test_pieces_may_cut_samples_in_two(speech: SpeechHttp) -> None:
    speech.script(chunk_bytes=333, pace_s=0.001)
    _, sound, chunks = await asked(speech)
    assert len(chunks[0]) == 333
    assert recognise(np.frombuffer(sound, "<i2"), 24000, TEXT.split()) == TEXT.split()


async def test_speed_shortens_the_sound(speech: SpeechHttp) -> None:
    _, plain, _ = await asked(speech)
    _, fast, _ = await asked(speech, speed=2.0)
    assert len(fast) == pytest.approx(len(plain) / 2, abs=2)


@pytest.mark.parametrize(("fault", "status"), [({"status": 500}, 500), ({"status": 429}, 429)])
async def test_errors_on_demand(speech: SpeechHttp, fault: dict[str, Any], status: int) -> None:
    speech.script(**fault)
    response, body, _ = await asked(speech)
    assert response.status == status
    assert b"message" in body


async def test_empty_sound_and_a_cut_stream(speech: SpeechHttp) -> None:
    speech.script(empty=True)
    assert (await asked(speech))[1] == b""
    speech.script(cut_after=2)
    with pytest.raises(aiohttp.ClientPayloadError):
        await asked(speech)


async def test_a_wrong_body_and_a_wrong_key_are_refused() -> None:
    async with SpeechHttp(api_key="right") as speech:
        assert (await asked(speech))[0].status == 401
    async with SpeechHttp() as speech:
        assert (await asked(speech, response_format="mp3"))[0].status == 400
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{speech.base_url}/audio/speech", json=[]) as answer,
        ):
            assert answer.status == 400

"""Speech over HTTP as OpenAI's servers and their likes do it, with all that they get wrong."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from core.errors import SpeechError
from core.speech.engine import Voice
from loopback.services import tone
from loopback.services.speech_http import SpeechHttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TEXT = "Hello there, how are you today? This is one more sentence."


@pytest.fixture
async def server() -> AsyncIterator[SpeechHttp]:
    async with SpeechHttp() as server:
        yield server


def at(server: SpeechHttp, **settings: Any) -> dict[str, Any]:
    return {"openai": {"base_url": server.base_url, **settings}}


async def test_text_becomes_the_servers_sound(server: SpeechHttp, opened: Any, listen: Any, tokens: Any) -> None:
    async with opened("openai", **at(server)) as speaker:
        heard = await listen(speaker.speak(tokens(TEXT)))
    assert heard.text == f"{TEXT} "
    assert " ".join(spoken.text for spoken in server.spoken) == TEXT
    assert heard.duration_s == pytest.approx(
        sum(len(spoken.text) for spoken in server.spoken) * tone.CHARACTER_S, abs=0.01
    )
    assert tone.recognise(heard.sound, 48000, TEXT.split())[:2] == ["Hello", "there,"]


async def test_the_first_sound_comes_before_the_text_and_the_answer_are_complete(
    server: SpeechHttp, opened: Any
) -> None:
    server.always(pace_s=0.02)
    more = asyncio.Event()

    async def written() -> AsyncIterator[str]:
        yield "Hello there, my"
        await more.wait()
        yield " friend."

    async with opened("openai", **at(server)) as speaker, aclosing(speaker.speak(written())) as chunks:
        await anext(chunks)
        assert server.requests[-1].ended_s is None
        more.set()


async def test_what_is_asked_for(server: SpeechHttp, opened: Any, listen: Any) -> None:
    async with opened("openai", **at(server, model="kokoro", voice="nova")) as speaker:
        await listen(speaker.say("Hello there."))
        await listen(speaker.say("Hello again.", Voice("alloy", 1.5)))
    first, second = (request.json for request in server.requests if request.method == "POST")
    assert first == {
        "model": "kokoro",
        "voice": "nova",
        "input": "Hello there.",
        "response_format": "pcm",
        "stream": True,
    }
    assert (second["voice"], second["speed"]) == ("alloy", 1.5)


async def test_pitch_is_done_on_our_side_without_changing_the_length(
    server: SpeechHttp, opened: Any, listen: Any
) -> None:
    async with opened("openai", **at(server)) as speaker:
        usual = await listen(speaker.say("Hellooo"))
        high = await listen(speaker.say("Hellooo", Voice(pitch=5)))
    assert len(high.sound) == len(usual.sound)
    low, up = (tone.find_words(heard.sound, 48000)[0].pitch_hz for heard in (usual, high))
    assert up / low == pytest.approx(2 ** (5 / 12), rel=0.01)


@pytest.mark.parametrize(
    "answer",
    [
        {"chunk_bytes": 1},
        {"chunk_bytes": 777},
        {"content_type": ""},
        {"content_type": "text/plain"},
        {"container": "wav"},
        {"container": "wav", "content_type": "audio/pcm"},
        {"container": "wav", "wav_size": 0xFFFFFFFF, "chunk_bytes": 7},
        {"container": "wav", "wav_size": 0, "wav_extra": b"odd"},
        {"container": "wav", "channels": 2},
        {"container": "wav", "rate_hz": 44100},
        {"rate_hz": 16000, "content_type": "audio/L16; rate=16000"},
    ],
    ids=str,
)
async def test_the_sound_is_right_whatever_the_answer_looks_like(
    server: SpeechHttp, opened: Any, listen: Any, answer: dict[str, Any]
) -> None:
    server.always(character_s=0.03, **answer)
    async with opened("openai", **at(server)) as speaker:
        heard = await listen(speaker.say("Hello there"))
    assert heard.duration_s == pytest.approx(len("Hello there") * 0.03, abs=0.002)
    assert tone.find_words(heard.sound, 48000)[0].pitch_hz == pytest.approx(tone.pitch_of("Hello"), rel=0.02)


async def test_raw_sound_without_a_rate_has_the_configured_one(server: SpeechHttp, opened: Any, listen: Any) -> None:
    server.always(rate_hz=16000)
    async with opened("openai", **at(server, rate_hz=16000)) as speaker:
        heard = await listen(speaker.say("Hello there"))
    assert heard.duration_s == pytest.approx(len("Hello there") * tone.CHARACTER_S, abs=0.002)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 401}, "refused the key"),
        ({"status": 404}, "does not know this address, model or voice"),
        ({"status": 429}, "too many requests"),
        ({"status": 500}, "failed"),
        ({"silent": True}, "gave no sound within"),
        ({"hang_after": 0}, "gave no sound within"),
        ({"hang_after": 2}, "gave no sound within"),
        ({"refuse": True}, "broke the connection"),
        ({"cut_after": 0}, "broke the connection"),
        ({"cut_after": 2}, "broke the connection"),
        ({"empty": True, "times": 2}, "gave no sound"),
        ({"garbage_after": 0, "garbage": b'{"error": "out of memory"}'}, "sent text"),
        ({"garbage_after": 0, "garbage": b"ID3\x04 an mp3 file", "content_type": "audio/mpeg"}, "sent MP3"),
    ],
    ids=str,
)
async def test_a_fault_is_named_with_engine_and_address(
    server: SpeechHttp, opened: Any, listen: Any, fault: dict[str, Any], words: str
) -> None:
    limit_s = 0.5 if "within" in words else 20
    async with opened("openai", first_audio_timeout_s=limit_s, **at(server)) as speaker:
        server.script(**fault)
        with pytest.raises(SpeechError) as caught:
            await listen(speaker.say("Hello there, this takes a while."))
        assert words in caught.value.sentence
        assert f"openai ({server.base_url})" in caught.value.sentence
        assert (await listen(speaker.say("Hello again."))).text == "Hello again.", "the next turn works"


@pytest.mark.parametrize("fault", [{"status": 500}, {"cut_after": 3}, {"refuse": True}, {"hang_after": 1}], ids=str)
async def test_a_fault_is_healed_by_trying_again(
    server: SpeechHttp, opened: Any, listen: Any, fault: dict[str, Any]
) -> None:
    async with opened("openai", retries=1, first_audio_timeout_s=2, **at(server)) as speaker:
        whole = await listen(speaker.say("Hello there, friend."))
        server.script(**fault)
        again = await listen(speaker.say("Hello there, friend."))
    assert abs(len(again.sound) - len(whole.sound)) <= 2
    assert again.text == "Hello there, friend."


async def test_closing_a_turn_stops_the_server(server: SpeechHttp, opened: Any) -> None:
    server.always(pace_s=0.05)
    async with opened("openai", **at(server)) as speaker:
        chunks = speaker.say("A long text that would take a while to speak.")
        await anext(chunks)
        await chunks.aclose()
        await server.wait_for(lambda request: request.method == "POST" and request.disconnected)


async def test_a_server_that_knows_no_streaming_is_asked_without(server: SpeechHttp, opened: Any, listen: Any) -> None:
    server.script(status=400, error="Unrecognized request argument: stream")
    async with opened("openai", **at(server)) as speaker:
        assert (await listen(speaker.say("Hello there."))).text == "Hello there."
    assert "stream" not in server.requests[-1].json


async def test_the_servers_voices_are_listed(server: SpeechHttp, opened: Any) -> None:
    async with opened("openai", **at(server)) as speaker:
        assert "nova" in await speaker.voices()


async def test_the_key_comes_from_the_environment(opened: Any, listen: Any) -> None:
    async with SpeechHttp(api_key="secret") as server:
        async with opened("openai", environ={"SPEECH_API_KEY": "secret"}, **at(server)) as speaker:
            assert (await listen(speaker.say("Hello there."))).text
        async with opened("openai", environ={"SPEECH_API_KEY": "wrong"}, **at(server)) as speaker:
            with pytest.raises(SpeechError, match="refused the key") as caught:
                await listen(speaker.say("Hello there."))
            assert "wrong" not in caught.value.sentence


@pytest.mark.parametrize(("status", "words"), [(401, "refused the key"), (500, "failed")])
async def test_a_server_that_refuses_is_found_out_before_the_session(
    server: SpeechHttp, opened: Any, status: int, words: str
) -> None:
    server.script(on="/models", status=status)
    with pytest.raises(SpeechError, match=words):
        async with opened("openai", **at(server)):
            pass


async def test_a_server_without_a_list_of_models_is_taken_at_its_word(
    server: SpeechHttp, opened: Any, listen: Any
) -> None:
    server.script(on="/models", status=404)
    async with opened("openai", **at(server)) as speaker:
        assert (await listen(speaker.say("Hello there."))).text


async def test_a_server_that_is_not_there_is_found_out_before_the_session(opened: Any) -> None:
    async with SpeechHttp() as gone:
        base_url = gone.base_url
    with pytest.raises(SpeechError, match="cannot be reached; is it running"):
        async with opened("openai", openai={"base_url": base_url}):
            pass


async def test_an_address_is_shown_without_its_secrets(opened: Any) -> None:
    with pytest.raises(SpeechError) as caught:
        async with opened("openai", openai={"base_url": "http://user:secret@127.0.0.1:9/v1?key=secret"}):
            pass
    assert "secret" not in caught.value.sentence

"""ElevenLabs' socket: phrases in, sound with the times of its words out."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from core.errors import SpeechError
from core.speech.engine import Voice
from core.speech.engines import elevenlabs
from core.speech.heard import HeardText
from loopback.services import tone
from loopback.services.elevenlabs import ElevenLabs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TEXT = "Hello there, how are you today? This is one more sentence."
KEY = {"ELEVENLABS_API_KEY": "secret"}


@pytest.fixture
async def server() -> AsyncIterator[ElevenLabs]:
    async with ElevenLabs(api_key="secret", voices=["rachel", "adam"]) as server:
        yield server


def at(server: ElevenLabs, **settings: Any) -> dict[str, Any]:
    return {"environ": KEY, "elevenlabs": {"url": server.url, "voice_id": "rachel", **settings}}


async def test_text_becomes_the_services_sound(server: ElevenLabs, opened: Any, listen: Any, tokens: Any) -> None:
    async with opened("elevenlabs", **at(server)) as speaker:
        heard = await listen(speaker.speak(tokens(TEXT)))
    assert heard.text == f"{TEXT} "
    assert tone.recognise(heard.sound, 48000, TEXT.split()) == TEXT.split()


async def test_what_was_heard_is_known_to_the_word(server: ElevenLabs, opened: Any) -> None:
    heard = HeardText()
    async with opened("elevenlabs", **at(server)) as speaker, aclosing(speaker.say(TEXT)) as chunks:
        async for chunk in chunks:
            heard.wrote(chunk)
    words = TEXT.split()
    for count in (1, 4, 8):
        spoken = " ".join(words[:count])
        assert heard.upto(round((len(spoken) + 0.5) * tone.CHARACTER_S * 48000)) == spoken


async def test_the_first_sound_comes_before_the_text_is_complete(server: ElevenLabs, opened: Any) -> None:
    more = asyncio.Event()

    async def written() -> AsyncIterator[str]:
        yield "Hello there, my"
        await more.wait()
        yield " friend."

    async with opened("elevenlabs", **at(server)) as speaker, aclosing(speaker.speak(written())) as chunks:
        assert (await anext(chunks)).text == "Hello "
        more.set()


async def test_what_is_sent(server: ElevenLabs, opened: Any, listen: Any) -> None:
    async with opened("elevenlabs", **at(server, model="eleven_v3", rate_hz=16000)) as speaker:
        await listen(speaker.say("Hello there, friend.", Voice("adam", 1.1)))
    request = server.requests[-1]
    messages = [message.data for message in request.messages]
    assert request.path == "/v1/text-to-speech/adam/stream-input"
    assert request.query == {"model_id": "eleven_v3", "output_format": "pcm_16000", "auto_mode": "true"}
    assert request.headers["xi-api-key"] == "secret"
    assert messages[0] == {"text": " ", "voice_settings": {"speed": 1.1}}
    assert messages[-1] == {"text": ""}
    assert all(message["text"].endswith(" ") for message in messages[1:-1])
    assert "".join(message["text"] for message in messages[1:-1]) == "Hello there, friend. "


async def test_a_rate_beyond_the_services_own_is_finished_on_our_side(
    server: ElevenLabs, opened: Any, listen: Any
) -> None:
    async with opened("elevenlabs", **at(server)) as speaker:
        heard = await listen(speaker.say("Hello there", Voice(rate=1.5)))
    assert server.spoken[0].speed == 1.2
    assert heard.duration_s == pytest.approx(len("Hello there ") * tone.CHARACTER_S / 1.5, rel=0.02)


async def test_without_alignment_the_text_is_spread_by_pace(server: ElevenLabs, opened: Any, listen: Any) -> None:
    server.always(alignment=False)
    async with opened("elevenlabs", **at(server)) as speaker:
        heard = await listen(speaker.say(TEXT))
    assert heard.text.split() == TEXT.split()
    assert len(heard.texts) > 4


async def test_a_model_that_thinks_long_keeps_its_socket(
    opened: Any, listen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elevenlabs, "KEEP_ALIVE_S", 0.1)

    async def written() -> AsyncIterator[str]:
        yield "Hello there, my"
        await asyncio.sleep(0.8)
        yield " friend."

    async with ElevenLabs(inactivity_s=0.4) as server, opened("elevenlabs", **at(server)) as speaker:
        assert (await listen(speaker.speak(written()))).text.split() == ["Hello", "there,", "my", "friend."]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 401}, "refused the key"),
        ({"status": 500}, "failed"),
        ({"refuse": True}, "broke the connection"),
        ({"hang_after": 0}, "gave no sound within"),
        ({"hang_after": 2}, "gave no sound within"),
        ({"cut_after": 0}, "broke the connection"),
        ({"cut_after": 2}, "broke the connection"),
        ({"garbage_after": 0, "garbage": "not json"}, "no answer"),
        ({"garbage_after": 0, "garbage": "[1]"}, "no answer"),
        ({"garbage_after": 0, "garbage": '{"audio": "%%%"}'}, "no sound"),
        ({"garbage_after": 0, "garbage": '{"error": "quota_exceeded", "code": 1008}'}, "no quota left"),
        ({"empty": True}, "gave no sound"),
    ],
    ids=str,
)
async def test_a_fault_is_named_with_engine_and_address(
    server: ElevenLabs, opened: Any, listen: Any, fault: dict[str, Any], words: str
) -> None:
    limit_s = 0.5 if "within" in words else 20
    async with opened("elevenlabs", first_audio_timeout_s=limit_s, **at(server)) as speaker:
        server.script(**fault)
        with pytest.raises(SpeechError) as caught:
            await listen(speaker.say("Hello there, this takes a while."))
        assert words in caught.value.sentence
        assert f"elevenlabs ({server.url})" in caught.value.sentence
        assert (await listen(speaker.say("Hello again."))).text.strip() == "Hello again.", "the next turn works"


async def test_a_turn_that_breaks_goes_on_with_what_was_not_said(server: ElevenLabs, opened: Any, listen: Any) -> None:
    async with opened("elevenlabs", retries=1, **at(server)) as speaker:
        server.script(cut_after=2)
        heard = await listen(speaker.say(TEXT))
    assert heard.text.split() == TEXT.split()


async def test_a_cancelled_turn_stops_the_service(server: ElevenLabs, opened: Any) -> None:
    server.always(pace_s=0.05)
    async with opened("elevenlabs", **at(server)) as speaker:
        chunks = speaker.say(TEXT)
        await anext(chunks)
        await chunks.aclose()
        await server.wait_for(lambda request: "stream-input" in request.path and request.ended_s is not None)


async def test_a_voice_is_found_by_its_name(server: ElevenLabs, opened: Any) -> None:
    async with opened("elevenlabs", **at(server)) as speaker:
        assert await speaker.voices() == ["adam", "rachel"]


async def test_no_voice_is_found_out_before_the_session(server: ElevenLabs, opened: Any) -> None:
    with pytest.raises(SpeechError, match="set voice_id"):
        async with opened("elevenlabs", **at(server, voice_id="")):
            pass


@pytest.mark.parametrize(
    ("environ", "words"), [({}, "set ELEVENLABS_API_KEY"), ({"ELEVENLABS_API_KEY": "wrong"}, "refused the key")]
)
async def test_a_bad_key_is_found_out_before_the_session(
    server: ElevenLabs, opened: Any, environ: dict[str, str], words: str
) -> None:
    with pytest.raises(SpeechError, match=words) as caught:
        async with opened("elevenlabs", **{**at(server), "environ": environ}):
            pass
    assert "wrong" not in caught.value.sentence


async def test_a_service_that_is_not_there_is_found_out_before_the_session(opened: Any) -> None:
    async with ElevenLabs() as gone:
        settings = at(gone)
    with pytest.raises(SpeechError, match="cannot be reached"):
        async with opened("elevenlabs", **settings):
            pass


async def test_no_sample_is_lost(server: ElevenLabs, opened: Any, listen: Any) -> None:
    async with opened("elevenlabs", **at(server)) as speaker:
        heard = await listen(speaker.say("Hello there, friend."))
    given = sum(len(tone.hum(spoken.text, 24000)) for spoken in server.spoken)
    assert len(heard.sound) == 2 * given
    assert np.abs(heard.sound).max() > 0.2

"""Wyoming servers, with streamed text and without."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from core.errors import SpeechError
from core.speech.engine import Voice
from core.speech.engines import wyoming
from loopback.services import tone
from loopback.services.wyoming import VOICE, Wyoming

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

TEXT = "Hello there, how are you today? This is one more sentence."


@pytest.fixture(params=[True, False], ids=["streaming", "whole"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Wyoming]:
    async with Wyoming(streaming=request.param) as server:
        yield server


def at(server: Wyoming, **settings: Any) -> dict[str, Any]:
    return {"wyoming": {"port": server.port, **settings}}


async def test_text_becomes_the_servers_sound(server: Wyoming, opened: Any, listen: Any, tokens: Any) -> None:
    async with opened("wyoming", **at(server)) as speaker:
        assert speaker.engine.takes_tokens == server.streaming
        heard = await listen(speaker.speak(tokens(TEXT)))
    assert heard.text == f"{TEXT} "
    assert " ".join(spoken.text for spoken in server.spoken) == TEXT
    spoken_s = sum(len(spoken.text) for spoken in server.spoken) * tone.CHARACTER_S
    assert heard.duration_s == pytest.approx(spoken_s, abs=0.005), "no sample is lost"
    assert {spoken.voice for spoken in server.spoken} == {VOICE}


async def test_the_first_sound_comes_before_the_text_is_complete(server: Wyoming, opened: Any) -> None:
    more = asyncio.Event()

    async def written() -> AsyncIterator[str]:
        yield "Hello there, friend. My"
        await more.wait()
        yield " name is Ann."

    async with opened("wyoming", **at(server)) as speaker, aclosing(speaker.speak(written())) as chunks:
        assert (await anext(chunks)).text.startswith("Hello")
        more.set()


async def test_a_voice_can_be_chosen(server: Wyoming, opened: Any, listen: Any) -> None:
    async with opened("wyoming", **at(server, voice=VOICE)) as speaker:
        assert list(await speaker.voices()) == [VOICE]
        await listen(speaker.say("Hello there.", Voice("somebody")))
    assert server.spoken[-1].voice == "somebody"


async def test_rate_is_done_on_our_side(server: Wyoming, opened: Any, listen: Any) -> None:
    async with opened("wyoming", **at(server)) as speaker:
        usual = await listen(speaker.say("Hello there"))
        quick = await listen(speaker.say("Hello there", Voice(rate=1.6)))
    assert len(quick.sound) == pytest.approx(len(usual.sound) / 1.6, abs=2)


@pytest.mark.parametrize("size", [1, 3, 333])
async def test_chunks_may_end_inside_of_a_sample(server: Wyoming, opened: Any, listen: Any, size: int) -> None:
    server.always(chunk_bytes=size, character_s=0.005)
    async with opened("wyoming", **at(server)) as speaker:
        heard = await listen(speaker.say("Hello there"))
    assert heard.duration_s == pytest.approx(len("Hello there") * 0.005, abs=0.001)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 500}, "reported an error"),
        ({"silent": True}, "gave no sound within"),
        ({"hang_after": 1}, "gave no sound within"),
        ({"hang_after": 3}, "gave no sound within"),
        ({"refuse": True}, "broke the connection"),
        ({"cut_after": 3}, "broke the connection"),
        ({"garbage_after": 0, "garbage": b"HTTP/1.1 400 Bad Request\r\n\r\n"}, "no Wyoming event"),
        (
            {"garbage_after": 0, "garbage": b'{"type": "audio-chunk", "payload_length": 99999999999}\n'},
            "no Wyoming event",
        ),
        ({"garbage_after": 0, "garbage": b"[1, 2]\n"}, "no Wyoming event"),
        ({"garbage_after": 0, "garbage": b"\xff" * 100_000}, "no Wyoming event"),
        ({"garbage_after": 0, "garbage": b'{"type": "audio-chunk", "payload_length": 2}\nab'}, "of a kind"),
        ({"empty": True}, "gave no sound"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a_fault_is_named_with_engine_and_address(
    server: Wyoming, opened: Any, listen: Any, fault: dict[str, Any], words: str
) -> None:
    limit_s = 0.5 if "within" in words else 20
    async with opened("wyoming", first_audio_timeout_s=limit_s, **at(server)) as speaker:
        pieces = 2 if "empty" in fault and not server.streaming else 1  # one alone would be passed over
        server.script(times=pieces, **fault)
        with pytest.raises(SpeechError) as caught:
            await listen(speaker.say("Hello there, this takes a while."))
        assert words in caught.value.sentence
        assert f"wyoming (127.0.0.1:{server.port})" in caught.value.sentence
        assert (await listen(speaker.say("Hello again."))).text == "Hello again.", "the next turn works"


async def test_a_fault_is_healed_by_trying_again(server: Wyoming, opened: Any, listen: Any) -> None:
    async with opened("wyoming", retries=1, **at(server)) as speaker:
        server.script(cut_after=4)
        heard = await listen(speaker.say(TEXT))
    assert heard.text.split() == TEXT.split()


async def test_a_cancelled_turn_stops_the_server(server: Wyoming, opened: Any) -> None:
    server.always(pace_s=0.05)
    async with opened("wyoming", **at(server)) as speaker:
        chunks = speaker.say(TEXT)
        await anext(chunks)
        await chunks.aclose()
        await server.wait_for(lambda request: request is not server.requests[0] and request.ended_s is not None)


async def test_an_unknown_voice_is_found_out_before_the_session(server: Wyoming, opened: Any) -> None:
    with pytest.raises(SpeechError, match=f'no voice "nobody"; it has {VOICE}'):
        async with opened("wyoming", **at(server, voice="nobody")):
            pass


async def test_a_server_that_is_not_there_is_found_out_before_the_session(opened: Any) -> None:
    async with Wyoming() as gone:
        settings = at(gone)
    with pytest.raises(SpeechError, match="cannot be reached"):
        async with opened("wyoming", **settings):
            pass


@asynccontextmanager
async def answering(line: bytes) -> AsyncIterator[int]:
    """A server that says one line to everybody."""
    gone = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(line)
        with suppress(ConnectionError):
            await reader.read()
        writer.close()
        gone.set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await gone.wait()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"type": "info", "data": {"tts": []}}\n', "makes no speech"),
        (b'{"type": "info", "data": {"asr": [{}]}}\n', "makes no speech"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "no Wyoming event"),
        (b"", "did not answer in time"),
    ],
)
async def test_a_server_of_another_kind_is_found_out_before_the_session(
    opened: Callable[..., Awaitable[Any]], line: bytes, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wyoming, "ASK_S", 0.2)
    async with answering(line) as port:
        with pytest.raises(SpeechError, match=words):
            async with opened("wyoming", wyoming={"port": port}):
                pass

"""Text goes into a token WebSocket as it is written; one socket lasts a session, and no turn hears another's sound."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from aiohttp import web

from core.errors import SpeechError
from core.speech.engine import Voice
from core.speech.engines import token_socket
from loopback.services import tone
from loopback.services.speech_tokens import SpeechTokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from loopback.services.http_service import HttpService

TEXT = "Hello there, how are you today? This is one more sentence."
CANCELLED = "Alpha bravo charlie delta echo foxtrot golf hotel."


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_socket, "QUIET_S", 0.1)
    monkeypatch.setattr(token_socket, "LONG_QUIET_S", 0.3)


@pytest.fixture
async def server() -> AsyncIterator[SpeechTokens]:
    async with SpeechTokens() as server:
        yield server


def at(server: HttpService[Any]) -> dict[str, Any]:
    return {"websocket": {"url": server.url}}


async def test_text_becomes_the_servers_sound_word_by_word(
    server: SpeechTokens, opened: Any, listen: Any, tokens: Any
) -> None:
    async with opened("websocket", **at(server)) as speaker:
        heard = await listen(speaker.speak(tokens(TEXT)))
    assert heard.text == f"{TEXT} "
    assert tone.recognise(heard.sound, 48000, TEXT.split()) == TEXT.split()
    assert len(heard.sound) == sum(len(tone.hum(spoken.text, 48000)) for spoken in server.spoken), "no sample is lost"
    assert len(heard.texts) > 5, "what was heard is known word by word"


async def test_sound_comes_while_the_text_is_still_written(server: SpeechTokens, opened: Any) -> None:
    more = asyncio.Event()

    async def written() -> AsyncIterator[str]:
        yield "Hello "
        await more.wait()
        yield "friend."

    async with opened("websocket", **at(server)) as speaker, aclosing(speaker.speak(written())) as chunks:
        assert len((await anext(chunks)).samples)
        assert not any("flush" in message.data for message in server.requests[0].messages)
        more.set()


async def test_what_is_sent(server: SpeechTokens, opened: Any, listen: Any, tokens: Any) -> None:
    async with opened("websocket", **at(server)) as speaker:
        await listen(speaker.speak(tokens("Hello my **friend**"), Voice(pitch=2)))
    messages = [message.data for message in server.requests[0].messages]
    assert messages[-1] == {"flush": True}
    assert "".join(message["token"] for message in messages[:-1]) == "Hello my friend "
    assert {message["pitch_shift"] for message in messages[:-1]} == {2}


async def test_one_socket_lasts_for_all_turns(server: SpeechTokens, opened: Any, listen: Any) -> None:
    async with opened("websocket", **at(server)) as speaker:
        for turn in range(4):
            heard = await listen(speaker.say(f"Turn {turn} has some words to say."))
            assert heard.text == f"Turn {turn} has some words to say."
    assert len(server.requests) == 1


class Answering(SpeechTokens):
    """A token server that answers a flush as the test wants it to."""

    def __init__(self, answer: Callable[[web.WebSocketResponse, int], Awaitable[None]]) -> None:
        super().__init__()
        self._say = answer

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        turns = 0
        async for message in self.heard(request, socket):
            if "flush" in message:
                turns += 1
                await self._say(socket, turns)
        return socket


def sound(duration_s: float, level: float) -> bytes:
    return np.full(round(duration_s * 48000), level, "<f4").tobytes()


async def test_a_pause_for_breath_is_not_the_end(opened: Any, listen: Any) -> None:
    async def answer(socket: web.WebSocketResponse, _turn: int) -> None:
        await socket.send_bytes(sound(1, 0.1))
        await asyncio.sleep(0.2)  # longer than QUIET_S
        await socket.send_bytes(sound(1, 0.2))

    async with Answering(answer) as server, opened("websocket", **at(server)) as speaker:
        heard = await listen(speaker.say("A text of about thirty letters."))
    assert heard.duration_s == 2


async def test_no_turn_hears_the_sound_of_a_cancelled_one(server: SpeechTokens, opened: Any, listen: Any) -> None:
    server.always(pace_s=0.002)
    async with opened("websocket", **at(server)) as speaker:
        chunks = speaker.say(CANCELLED)
        await anext(chunks)
        await chunks.aclose()
        heard = await listen(speaker.say("Zulu yankee xray."))
    vocabulary = [*CANCELLED.split(), "Zulu", "yankee", "xray."]
    assert tone.recognise(heard.sound, 48000, vocabulary) == ["Zulu", "yankee", "xray."]
    assert len(server.requests) == 2, "the next turn has a socket of its own"


async def test_a_cancelled_turn_stops_the_server(server: SpeechTokens, opened: Any) -> None:
    server.always(pace_s=0.02)
    async with opened("websocket", **at(server)) as speaker:
        chunks = speaker.say("Some words that take a while to speak.")
        await anext(chunks)
        await chunks.aclose()
        await server.wait_for(lambda request: request.ended_s is not None)


async def test_a_new_socket_is_open_before_the_turn_after_a_cancelled_one(server: SpeechTokens, opened: Any) -> None:
    async with opened("websocket", **at(server)) as speaker:
        chunks = speaker.say("Some words.")
        await anext(chunks)
        await chunks.aclose()
        await server.wait_for(lambda request: request is not server.requests[0])


async def test_a_socket_that_broke_between_turns_is_opened_again(
    server: SpeechTokens, opened: Any, listen: Any
) -> None:
    async with opened("websocket", **at(server)) as speaker:
        assert (await listen(speaker.say("Before."))).text == "Before."
        await server.close()
        await server.start()
        assert (await listen(speaker.say("After."))).text == "After."


@pytest.mark.parametrize("size", [1, 2, 3, 5, 4001])
async def test_frames_may_end_inside_of_a_sample(server: SpeechTokens, opened: Any, listen: Any, size: int) -> None:
    server.always(chunk_bytes=size, character_s=0.003)
    async with opened("websocket", **at(server)) as speaker:
        heard = await listen(speaker.say("Hi you"))
    expected = np.concatenate([tone.hum(spoken.text, 48000, character_s=0.003) for spoken in server.spoken])
    assert np.array_equal(heard.sound, expected)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"silent": True, "hang_after": 0}, "gave no sound within"),
        ({"hang_after": 0}, "gave no sound within"),
        ({"cut_after": 0}, "broke the connection"),
        ({"cut_after": 3}, "broke the connection"),
        ({"garbage_after": 0, "garbage": "not json"}, "no answer"),
        ({"garbage_after": 0, "garbage": '{"error": "CUDA out of memory"}'}, "reported an error"),
        ({"garbage_after": 1, "garbage": bytes([255, 1, 2]) * 7}, "no sound"),
    ],
    ids=str,
)
async def test_a_fault_is_named_with_engine_and_address(
    server: SpeechTokens, opened: Any, listen: Any, fault: dict[str, Any], words: str
) -> None:
    limit_s = 0.5 if "within" in words else 20
    async with opened("websocket", first_audio_timeout_s=limit_s, **at(server)) as speaker:
        server.script(**fault)
        with pytest.raises(SpeechError) as caught:
            await listen(speaker.say("Hello there, this takes a while."))
        assert words in caught.value.sentence
        assert f"websocket ({server.url})" in caught.value.sentence
        assert (await listen(speaker.say("Hello again."))).text == "Hello again.", "the next turn works"


async def test_a_turn_that_breaks_goes_on_with_what_was_not_said(
    server: SpeechTokens, opened: Any, listen: Any
) -> None:
    async with opened("websocket", retries=1, **at(server)) as speaker:
        server.script(cut_after=60)  # of 20 ms
        heard = await listen(speaker.say(TEXT))
    assert heard.text.split() == TEXT.split()
    assert heard.duration_s > 0.8 * len(TEXT) * tone.CHARACTER_S


async def test_a_server_may_say_that_it_is_done(opened: Any, listen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_socket, "LONG_QUIET_S", 3600)
    monkeypatch.setattr(token_socket, "QUIET_S", 3600)

    async def answer(socket: web.WebSocketResponse, _turn: int) -> None:
        await socket.send_bytes(sound(0.1, 0.1))
        await socket.send_json({"done": True})

    async with Answering(answer) as server, opened("websocket", **at(server)) as speaker:
        for _ in range(2):
            async with asyncio.timeout(30):
                assert len((await listen(speaker.say("Hello there."))).sound) == 4800
    assert len(server.requests) == 1


async def test_sound_between_two_turns_is_dropped(opened: Any, listen: Any, caplog: pytest.LogCaptureFixture) -> None:
    late = asyncio.Event()
    sent = asyncio.Event()

    async def answer(socket: web.WebSocketResponse, turn: int) -> None:
        await socket.send_bytes(sound(1, turn / 10))
        if turn == 1:
            await late.wait()
            await socket.send_bytes(sound(0.1, 0.9))
            sent.set()

    async with Answering(answer) as server, opened("websocket", **at(server)) as speaker:
        first = await listen(speaker.say("Hello there."))
        with caplog.at_level(logging.WARNING):
            late.set()
            await sent.wait()
            await asyncio.sleep(0.05)
        second = await listen(speaker.say("Hello again."))
    assert np.allclose(first.sound, 0.1)
    assert np.allclose(second.sound, 0.2)
    assert "between two turns" in caplog.text


async def test_two_turns_at_once_go_one_after_the_other(server: SpeechTokens, opened: Any, listen: Any) -> None:
    async with opened("websocket", first_audio_timeout_s=3, **at(server)) as speaker:
        one, two = await asyncio.gather(listen(speaker.say("Alpha bravo.")), listen(speaker.say("Zulu yankee.")))
    vocabulary = ["Alpha", "bravo.", "Zulu", "yankee."]
    assert tone.recognise(one.sound, 48000, vocabulary) == ["Alpha", "bravo."]
    assert tone.recognise(two.sound, 48000, vocabulary) == ["Zulu", "yankee."]


@pytest.mark.parametrize(("status", "words"), [(401, "refused the key"), (404, "does not know"), (503, "failed")])
async def test_a_refused_handshake_is_found_out_before_the_session(
    server: SpeechTokens, opened: Any, status: int, words: str
) -> None:
    server.script(on="/", status=status)
    with pytest.raises(SpeechError, match=words):
        async with opened("websocket", **at(server)):
            pass


async def test_a_server_that_is_not_there_is_found_out_before_the_session(opened: Any) -> None:
    async with SpeechTokens() as gone:
        url = gone.url
    with pytest.raises(SpeechError, match="cannot be reached"):
        async with opened("websocket", websocket={"url": url}):
            pass


async def test_a_server_that_never_answers_is_found_out_before_the_session(
    server: SpeechTokens, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_socket, "CONNECT_S", 0.2)
    server.script(on="/", silent=True)
    with pytest.raises(SpeechError, match="cannot be reached"):
        async with opened("websocket", **at(server)):
            pass


async def test_a_server_that_is_no_websocket_is_found_out_before_the_session(opened: Any) -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(SpeechError, match="is no token WebSocket server"):
            async with opened("websocket", websocket={"url": f"ws://127.0.0.1:{port}"}):
                pass

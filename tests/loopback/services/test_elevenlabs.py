from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import numpy as np
import pytest
import websockets

from loopback.services.elevenlabs import ElevenLabs
from loopback.services.tone import recognise

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

QUERY = "model_id=eleven_flash_v2_5&output_format=pcm_24000&auto_mode=true"


def connect(service: ElevenLabs, *, key: str = "k", query: str = QUERY) -> websockets.connect:
    url = f"{service.url}/v1/text-to-speech/rachel/stream-input?{query}"
    return websockets.connect(url, additional_headers={"xi-api-key": key})


async def send(socket: ClientConnection, *messages: dict[str, Any]) -> None:
    for message in messages:
        await socket.send(json.dumps(message))


async def answers(socket: ClientConnection) -> list[dict[str, Any]]:
    return [json.loads(message) async for message in socket]


def sound(messages: list[dict[str, Any]]) -> np.ndarray:
    return np.frombuffer(b"".join(base64.b64decode(message["audio"]) for message in messages), "<i2")


async def test_text_becomes_sound_with_the_times_of_its_characters_and_then_is_final() -> None:
    async with ElevenLabs(api_key="k", voices=["rachel"]) as service, connect(service) as socket:
        await send(socket, {"text": " ", "voice_settings": {"stability": 0.5}}, {"text": "Hello there. "})
        await send(socket, {"text": "General greetings. "}, {"text": ""})
        *spoken, last = await answers(socket)
        assert socket.close_code == 1000
    assert last["isFinal"] is True
    text = "".join("".join(message["alignment"]["chars"]) for message in spoken)
    assert text.replace(" ", "") == "Hellothere.Generalgreetings."
    assert recognise(sound(spoken), 24000, text.split()) == ["Hello", "there.", "General", "greetings."]
    for message in spoken:
        samples = len(base64.b64decode(message["audio"])) / 2
        alignment = message["alignment"]
        assert alignment["charStartTimesMs"][0] == 0
        assert alignment["charStartTimesMs"][-1] + alignment["charDurationsMs"][-1] == pytest.approx(
            samples / 24, abs=2
        )


async def test_without_auto_mode_it_waits_for_a_flush() -> None:
    async with ElevenLabs() as service, connect(service, query="output_format=pcm_16000") as socket:
        await send(socket, {"text": " "}, {"text": "Hello there. ", "try_trigger_generation": True})
        await send(socket, {"text": "Friend. ", "flush": True})
        first = json.loads(await socket.recv())
        assert [spoken.text for spoken in service.spoken] == [" Hello there. Friend. "]
        assert len(base64.b64decode(first["audio"])) == 2 * 16 * 0.06 * 16000


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"key": "wrong"}, "invalid_api_key"),
        ({"query": "output_format=mp3_44100_128"}, "unsupported_output_format"),
    ],
)
async def test_what_it_cannot_serve_is_said_and_the_socket_closed(changes: dict[str, str], reason: str) -> None:
    async with ElevenLabs(api_key="k") as service, connect(service, **changes) as socket:
        await send(socket, {"text": " "})
        assert json.loads(await socket.recv())["error"] == reason
        with pytest.raises(websockets.ConnectionClosedError):
            await socket.recv()
        assert socket.close_code == 1008


async def test_an_unknown_voice_is_refused() -> None:
    async with ElevenLabs(voices=["bella"]) as service, connect(service) as socket:
        await send(socket, {"text": " "})
        assert json.loads(await socket.recv())["error"] == "voice_id_does_not_exist"


async def test_a_socket_without_input_is_closed() -> None:
    async with ElevenLabs(inactivity_s=0.05) as service, connect(service) as socket:
        await send(socket, {"text": " "})
        assert json.loads(await socket.recv())["error"] == "input_timeout_exceeded"


async def test_input_now_and_then_keeps_a_socket_open() -> None:
    async with ElevenLabs(inactivity_s=0.8) as service, connect(service) as socket:
        for _ in range(4):
            await send(socket, {"text": " "})
            await asyncio.sleep(0.3)
        await send(socket, {"text": ""})
        assert json.loads(await socket.recv())["isFinal"] is True


async def test_alignment_may_be_missing_and_the_connection_cut() -> None:
    async with ElevenLabs() as service:
        service.script(alignment=False)
        async with connect(service) as socket:
            await send(socket, {"text": " "}, {"text": "Hi. "}, {"text": ""})
            assert (await answers(socket))[0]["alignment"] is None
        service.script(cut_after=1)
        async with connect(service) as socket:
            await send(socket, {"text": " "}, {"text": "A longer sentence than one message. "})
            await socket.recv()
            with pytest.raises(websockets.ConnectionClosedError):
                await socket.recv()


async def test_voices_are_listed_for_the_right_key() -> None:
    async with ElevenLabs(api_key="k", voices=["rachel"]) as service, aiohttp.ClientSession() as session:
        address = f"http://{service.host}:{service.port}/v1/voices"
        async with session.get(address, headers={"xi-api-key": "k"}) as response:
            assert (await response.json())["voices"] == [{"voice_id": "rachel", "name": "rachel"}]
        async with session.get(address, headers={"xi-api-key": "x"}) as response:
            assert response.status == 401
            assert (await response.json())["detail"]["status"] == "invalid_api_key"

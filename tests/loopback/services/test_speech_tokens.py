from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import websockets

from loopback.services.speech_tokens import SpeechTokens
from loopback.services.tone import find_words, recognise

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from websockets.asyncio.client import ClientConnection


@pytest.fixture
async def speech() -> AsyncIterator[SpeechTokens]:
    async with SpeechTokens() as service:
        yield service


async def send(socket: ClientConnection, *tokens: str, pitch_shift: float = 0, flush: bool = True) -> None:
    for token in tokens:
        await socket.send(json.dumps({"token": token, "pitch_shift": pitch_shift}))
    if flush:
        await socket.send(json.dumps({"flush": True}))


async def listen(socket: ClientConnection, duration_s: float) -> np.ndarray:
    samples = np.zeros(0, "<f4")
    while len(samples) < duration_s * 48000:
        frame = await asyncio.wait_for(socket.recv(), 30)
        assert isinstance(frame, bytes)
        samples = np.concatenate([samples, np.frombuffer(frame, "<f4")])
    return samples


async def test_tokens_become_float_samples_at_48_khz(speech: SpeechTokens) -> None:
    text = "Hello there, my friend."
    async with websockets.connect(speech.url) as socket:
        await send(socket, "Hel", "lo the", "re,", " my", " fri", "end.")
        samples = await listen(socket, len(text) * 0.06)
    assert len(samples) == len(text) * 0.06 * 48000
    assert recognise(samples, 48000, text.split()) == text.split()


async def test_a_complete_word_is_spoken_before_the_flush(speech: SpeechTokens) -> None:
    async with websockets.connect(speech.url) as socket:
        await send(socket, "Hel", "lo ", "wor", flush=False)
        await listen(socket, 6 * 0.06)
        assert [spoken.text for spoken in speech.spoken] == ["Hello "]
        await send(socket, "ld")
        await listen(socket, 5 * 0.06)
        assert [spoken.text for spoken in speech.spoken] == ["Hello ", "world"]


async def test_one_socket_serves_many_utterances_and_records_every_message(speech: SpeechTokens) -> None:
    async with websockets.connect(speech.url) as socket:
        for word in ("one", "two", "three"):
            await send(socket, word)
            await listen(socket, len(word) * 0.06)
    assert [message.data for message in speech.requests[0].messages[:2]] == [
        {"token": "one", "pitch_shift": 0},
        {"flush": True},
    ]
    assert len(speech.requests) == 1


async def test_pitch_shift_is_heard(speech: SpeechTokens) -> None:
    async with websockets.connect(speech.url) as socket:
        await send(socket, "hello")
        (plain,) = find_words(await listen(socket, 0.3), 48000)
        await send(socket, "hello", pitch_shift=5)
        (raised,) = find_words(await listen(socket, 0.3), 48000)
    assert 12 * np.log2(raised.pitch_hz / plain.pitch_hz) == pytest.approx(5, abs=0.2)


async def test_the_second_utterance_can_be_cut(speech: SpeechTokens) -> None:
    speech.script()
    speech.script(cut_after=1)
    async with websockets.connect(speech.url) as socket:
        await send(socket, "one")
        await listen(socket, 0.18)
        await send(socket, "two")
        with pytest.raises(websockets.ConnectionClosedError):
            await listen(socket, 0.18)


async def test_a_hang_and_a_client_that_goes_away(speech: SpeechTokens) -> None:
    speech.script(hang_after=1)
    async with websockets.connect(speech.url) as socket:
        await send(socket, "hello")
        await speech.wait_for(lambda recorded: recorded.sent == 1)
    await speech.wait_for(lambda recorded: recorded.ended_s is not None)


async def test_the_handshake_can_be_refused(speech: SpeechTokens) -> None:
    speech.script(on="/", status=503)
    with pytest.raises(websockets.InvalidStatus, match="503"):
        await websockets.connect(speech.url)


async def test_what_is_no_token_is_answered_with_an_error(speech: SpeechTokens) -> None:
    async with websockets.connect(speech.url) as socket:
        await socket.send("nonsense")
        assert "error" in json.loads(await socket.recv())

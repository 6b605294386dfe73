from __future__ import annotations

import asyncio

import pytest

from loopback.services.wyoming_hears import TEXT, WyomingHears

pytest.importorskip("wyoming", reason="the protocol's own library checks the server from outside")

from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.info import Describe, Info


@pytest.mark.parametrize("streaming", [False, True])
async def test_the_protocols_own_client_is_understood_and_answered(streaming: bool) -> None:
    async with WyomingHears() as server, AsyncTcpClient("127.0.0.1", server.port) as client:
        server.always(streaming=streaming)
        await client.write_event(Describe().event())
        event = await asyncio.wait_for(client.read_event(), 30)
        assert event is not None
        assert Info.from_event(event).asr[0].models[0].name == "tiny-int8"
        await client.write_event(Transcribe(name="tiny-int8", language="en").event())
        await client.write_event(AudioStart(16000, 2, 1).event())
        await client.write_event(AudioChunk(16000, 2, 1, b"\1\0" * 800).event())
        await client.write_event(AudioStop().event())
        kinds = []
        while not kinds or not Transcript.is_type(kinds[-1]):
            event = await asyncio.wait_for(client.read_event(), 30)
            assert event is not None
            kinds.append(event.type)
        assert Transcript.from_event(event).text == TEXT
        assert ("transcript-chunk" in kinds) == streaming
        assert server.sounds[0].pcm == b"\1\0" * 800

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest

from loopback.services.tone import recognise
from loopback.services.wyoming import Wyoming

pytest.importorskip("wyoming", reason="the protocol's own library checks the server from outside")

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.info import Describe, Info
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from wyoming.event import Event


@pytest.fixture
async def wyoming() -> AsyncIterator[Wyoming]:
    async with Wyoming() as service:
        yield service


async def until(client: AsyncTcpClient, last: str) -> list[Event]:
    events: list[Event] = []
    while not events or events[-1].type != last:
        event = await asyncio.wait_for(client.read_event(), 30)
        assert event is not None, f"closed after {[event.type for event in events]}"
        events.append(event)
    return events


def samples(events: list[Event]) -> np.ndarray:
    audio = [AudioChunk.from_event(event).audio for event in events if AudioChunk.is_type(event.type)]
    return np.frombuffer(b"".join(audio), "<i2")


async def test_it_describes_itself(wyoming: Wyoming) -> None:
    async with AsyncTcpClient("127.0.0.1", wyoming.port) as client:
        await client.write_event(Describe().event())
        info = Info.from_event((await until(client, "info"))[0])
    assert info.tts[0].supports_synthesize_streaming
    assert info.tts[0].voices[0].name == "en_US-lessac-medium"


async def test_a_whole_text_is_spoken(wyoming: Wyoming) -> None:
    async with AsyncTcpClient("127.0.0.1", wyoming.port) as client:
        for text in ("Hello my friend.", "Another one."):
            await client.write_event(Synthesize(text, voice=SynthesizeVoice(name="amy")).event())
            events = await until(client, "audio-stop")
            assert AudioStart.from_event(events[0]).rate == 22050
            assert AudioStop.is_type(events[-1].type)
            assert recognise(samples(events), 22050, text.split()) == text.split()
    assert [spoken.voice for spoken in wyoming.spoken] == ["amy", "amy"]


async def test_streamed_text_is_spoken_by_the_sentence_and_ends_with_stopped(wyoming: Wyoming) -> None:
    async with AsyncTcpClient("127.0.0.1", wyoming.port) as client:
        await client.write_event(SynthesizeStart().event())
        for chunk in ("Hello my fri", "end. And no", "w the rest"):
            await client.write_event(SynthesizeChunk(chunk).event())
        first = await until(client, "audio-stop")
        assert recognise(samples(first), 22050, ["Hello", "my", "friend."]) == ["Hello", "my", "friend."]
        await client.write_event(Synthesize("Hello my friend. And now the rest").event())
        await client.write_event(SynthesizeStop().event())
        rest = await until(client, "synthesize-stopped")
        assert SynthesizeStopped.is_type(rest[-1].type)
    assert [spoken.text for spoken in wyoming.spoken] == ["Hello my friend.", "And now the rest"]


async def test_an_older_server_speaks_only_the_whole_text() -> None:
    async with Wyoming(streaming=False) as wyoming, AsyncTcpClient("127.0.0.1", wyoming.port) as client:
        await client.write_event(SynthesizeStart().event())
        await client.write_event(SynthesizeChunk("Hello.").event())
        await client.write_event(Synthesize("Hello.").event())
        await client.write_event(SynthesizeStop().event())
        await client.write_event(Describe().event())
        events = await until(client, "info")
    assert {event.type for event in events} == {"audio-start", "audio-chunk", "audio-stop", "info"}
    assert not Info.from_event(events[-1]).tts[0].supports_synthesize_streaming


async def test_an_error_a_cut_and_garbage_on_demand(wyoming: Wyoming) -> None:
    wyoming.script(status=500, error="no such voice")
    async with AsyncTcpClient("127.0.0.1", wyoming.port) as client:
        await client.write_event(Synthesize("Hello.").event())
        assert Error.from_event((await until(client, "error"))[0]).text == "no such voice"
    wyoming.script(cut_after=2)
    async with AsyncTcpClient("127.0.0.1", wyoming.port) as client:
        await client.write_event(Synthesize("Hello.").event())
        with pytest.raises((AssertionError, ConnectionError, asyncio.IncompleteReadError)):
            await until(client, "audio-stop")
    wyoming.script(garbage_after=1, garbage=b"no json\n")
    async with AsyncTcpClient("127.0.0.1", wyoming.port) as client:
        await client.write_event(Synthesize("Hello.").event())
        with pytest.raises(AssertionError, match="closed after"):
            await until(client, "audio-stop")


@pytest.mark.parametrize("fault", [{"silent": True}, {"hang_after": 1}])
async def test_a_hang_ends_when_the_client_goes(wyoming: Wyoming, fault: dict[str, object]) -> None:
    wyoming.script(**fault)
    async with AsyncTcpClient("127.0.0.1", wyoming.port) as client:
        await client.write_event(Synthesize("Hello.").event())
        await wyoming.wait_for(lambda recorded: bool(recorded.messages))
        await asyncio.sleep(0.05)
    recorded = await wyoming.wait_for(lambda recorded: recorded.ended_s is not None)
    assert recorded.disconnected


async def test_closing_drops_open_connections(wyoming: Wyoming) -> None:
    wyoming.script(hang_after=0)
    async with AsyncTcpClient("127.0.0.1", wyoming.port) as client:
        await client.write_event(Synthesize("Hello.").event())
        await wyoming.wait_for(lambda recorded: bool(recorded.messages))
        async with asyncio.timeout(30):
            await wyoming.close()
        with pytest.raises((AssertionError, ConnectionError)):
            await until(client, "audio-stop")

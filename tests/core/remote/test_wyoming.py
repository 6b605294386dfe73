"""The Wyoming wire: what is no event is named, whatever its sizes say, and nothing is waited for without an end."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from core.errors import ParleyError
from core.remote.wyoming import MOST_DATA, WyomingEvent, connected

NONSENSE = "sent something that is no Wyoming event"


@asynccontextmanager
async def server(answer: bytes):
    """Somebody who says these bytes to everybody, then closes; and a connection to them."""

    async def serve(_reader, writer):
        writer.write(answer)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening, connected("127.0.0.1", listening.sockets[0].getsockname()[1], ParleyError) as connection:
        yield connection


async def test_an_event_comes_as_it_was_sent_data_beside_the_line_or_in_it():
    event = WyomingEvent("audio-chunk", {"rate": 16000}, b"\x00\n\xff")
    inline = json.dumps({"type": "info", "data": {"tts": []}}).encode() + b"\n"
    async with server(event.encode() + inline) as connection:
        assert await connection.next() == event
        assert await connection.next() == WyomingEvent("info", {"tts": []})


@pytest.mark.parametrize(
    "said",
    [
        b"\n",
        b"null\n",
        b"[]\n",
        b"{}\n",
        b"\xff\n",
        b'{"type": "x", "data_length": -1}\n',
        b'{"type": "x", "data_length": "many"}\n',
        b'{"type": "x", "payload_length": %d}\n' % (MOST_DATA + 1),
        b'{"type": "x", "payload_length": 1e999}\n',
        b'{"type": "x", "data": 5}\n',
        b'{"type": "x", "data_length": 2}\n[]'[:-2] + b"5 ",
        b"[" * 100_000 + b"\n",
        b" " * (MOST_DATA + 2) + b"\n",
    ],
    ids=range(13),
)
async def test_what_is_no_event_is_named(said):
    with pytest.raises(ParleyError) as caught:
        async with server(said) as connection:
            await connection.next()
    assert caught.value.sentence == NONSENSE


@pytest.mark.parametrize("said", [b"", b'{"type"', b'{"type": "x", "payload_length": 9}\nshort'])
async def test_a_stream_that_ends_early_broke_the_connection(said):
    with pytest.raises(ParleyError) as caught:
        async with server(said) as connection:
            await connection.next()
    assert caught.value.sentence == "broke the connection"


async def test_nobody_there_is_told_as_that(unused_tcp_port):
    with pytest.raises(ParleyError) as caught:
        async with connected("127.0.0.1", unused_tcp_port, ParleyError):
            pytest.fail("connected to nobody")
    assert caught.value.sentence == "cannot be reached; is it running?"


async def test_a_server_is_asked_for_one_kind_of_program_and_may_have_none():
    info = WyomingEvent("info", {"tts": [{"name": "piper"}, 5], "asr": None}).encode()
    async with server(WyomingEvent("other").encode() + info) as connection:
        assert await connection.describe("tts") == [{"name": "piper"}]
    async with server(info) as connection:
        assert await connection.describe("asr") == []

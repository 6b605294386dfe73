"""Bytes that no server should send: every answer ends in words or in a fault that is told, never in anything else."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from core.llm.answers import pieces
from core.llm.cleaner import Cleaner
from core.llm.failures import failure
from core.llm.models import FAULTS
from core.llm.routes import Route

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

ROUTE = Route("default", "m", base_url="http://host.example/v1")
EVENT = {
    "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi <think> \ud83e"}, "finish_reason": None}]
}
ODD: tuple[Any, ...] = (None, True, 7, -1.5, "", "x", [], [None], {}, {"a": None}, [[]], [{}], {"text": 5}, "\udd56")


async def body(data: bytes, rng: random.Random) -> AsyncGenerator[bytes]:
    place = 0
    while place < len(data):
        size = rng.choice((1, 2, 7, 100))
        yield data[place : place + size]
        place += size


async def outcome(data: bytes, rng: random.Random) -> str:
    """The words, or the sentence."""
    cleaner = Cleaner(["Parley"], ["STOP"])
    said: list[str] = []
    try:
        async for piece in pieces(body(data, rng)):
            said.append(cleaner.feed(piece.text))  # noqa: PERF401 - what came before a fault counts
    except FAULTS as error:
        return failure(ROUTE, error, begun=bool(said)).sentence
    text = "".join(said) + cleaner.flush()
    text.encode()
    return text


def changed(value: Any, rng: random.Random) -> Any:
    """The value with one thing in it replaced by something odd."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        return {**value, key: changed(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.85:
        place = rng.randrange(len(value))
        return [*value[:place], changed(value[place], rng), *value[place + 1 :]]
    return rng.choice(ODD)


async def test_events_of_any_shape() -> None:
    rng = random.Random(11)
    for _ in range(1500):
        events = [changed(EVENT, rng) if rng.random() < 0.5 else EVENT for _ in range(3)]
        whole = rng.random() < 0.2
        data = b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in events)
        assert (await outcome(json.dumps(events[0]).encode() if whole else data, rng)) is not None


async def test_bytes_that_were_changed_on_the_way() -> None:
    rng = random.Random(12)
    good = f"retry: 5\n\ndata: {json.dumps(EVENT)}\n\ndata: [DONE]\n\n".encode()
    for _ in range(1500):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 6)):
            place = rng.randrange(len(data))
            if rng.random() < 0.5:
                data[place] = rng.randrange(256)
            else:
                del data[place : place + rng.randrange(1, 30)]
        await outcome(bytes(data), rng)


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"data: " + b"[" * 100_000 + b"\n\n",
        b'data: {"choices": ' + b"9" * 10_000 + b"}\n\n",
        b'data: {"error": {"code": ' + b"9" * 4000 + b"}}\n\n",
        b"\x00" * 1000,
        b"\r" * 10_000,
        b"",
    ],
)
async def test_answers_that_only_an_enemy_sends(data: bytes) -> None:
    assert (await outcome(data, random.Random(1))).endswith(".")

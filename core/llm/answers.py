"""Parses a model's answer: events, one JSON object, or what is neither, told by content and not by its type.

Servers and proxies name the wrong type as often as the right one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from core.llm.chunks import Piece, ServerSaidError, read_piece, whole_answer
from core.llm.events import BOM, ERROR, EventReader, ServerSentEvent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

DONE = ("[done]", "done")
BODY_LIMIT = 16 * 2**20


class WebPageError(Exception):
    """A page for people came instead of an answer: an error page, a login, a wrong address."""


class BrokenOffError(Exception):
    """The stream ended without saying that the answer is complete."""


async def pieces(body: AsyncIterator[bytes]) -> AsyncGenerator[Piece]:
    """What the model says, as it comes.

    Raises:
        ServerSaidError: The server tells an error.
        BrokenOffError: The answer has no end.
        WebPageError, ValueError, TypeError: It is no answer of a model.
    """
    opening = b""
    async for data in body:
        opening += data
        if opening.removeprefix(BOM).lstrip():
            break
    kind = opening.removeprefix(BOM).lstrip()[:1]
    if kind == b"<":
        raise WebPageError("a web page")
    if kind in (b"{", b"["):
        async for piece in _json(opening, body):
            yield piece
        return
    async for piece in _events(opening, body):
        yield piece


async def _json(opening: bytes, body: AsyncIterator[bytes]) -> AsyncGenerator[Piece]:
    """One object, or one a line."""
    parts, size = [opening], len(opening)
    async for data in body:
        parts.append(data)
        size += len(data)
        if size > BODY_LIMIT:
            raise ValueError("an answer is too large")
    text = b"".join(parts).decode("utf-8-sig", "replace")
    try:
        yield whole_answer(json.loads(text))
    except json.JSONDecodeError:
        if '"choices"' not in text or "\n" not in text.strip():
            raise
        async for piece in _events(text.encode(), _nothing()):
            yield piece


async def _events(opening: bytes, body: AsyncIterator[bytes]) -> AsyncGenerator[Piece]:
    ended = False  # a finish reason came; [DONE] may follow or not
    async for event in _read(opening, body):
        if event.data.strip().lower() in DONE:
            return
        if event.name in DONE and "choices" not in event.data:
            ended = True
            continue
        piece = _piece(event)
        ended = ended or piece.finish_reason is not None
        yield piece
    if not ended:
        raise BrokenOffError("the stream ended in the middle")


async def _read(opening: bytes, body: AsyncIterator[bytes]) -> AsyncGenerator[ServerSentEvent]:
    reader = EventReader()
    for event in reader.feed(opening):
        yield event
    async for data in body:
        for event in reader.feed(data):
            yield event
    for event in reader.flush():
        yield event


async def _nothing() -> AsyncGenerator[bytes]:
    for data in ():
        yield data


def _piece(event: ServerSentEvent) -> Piece:
    if event.name == ERROR:
        raise ServerSaidError(_said(event.data))
    if event.name in ("ping", "heartbeat", "keepalive", "keep-alive"):
        return Piece()
    if event.data[:6].lower() in ("error:", "error "):
        raise ServerSaidError(event.data)
    return read_piece(json.loads(event.data))


def _said(data: str) -> Any:
    """The error in an event's data: JSON, or words."""
    try:
        said: Any = json.loads(data)
    except (ValueError, RecursionError):
        return data
    return said.get("error", said) if isinstance(said, dict) else said  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - JSON of any shape

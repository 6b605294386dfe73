"""One request to a model server, and how long to wait before another."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from core.llm.answers import BrokenOffError, pieces

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from openai import AsyncOpenAI

    from core.llm.chunks import Piece
    from core.llm.deadline import Deadline
    from core.llm.refusals import Refused

RETRY_PAUSE_S = 0.25  # doubled with every try


async def ask(client: AsyncOpenAI, body: dict[str, Any], patience: Deadline) -> AsyncGenerator[Piece]:
    """One request's answer. The server sees the connection end as soon as this generator is closed or cancelled."""
    stream = await patience.wait(client.chat.completions.create(**body, stream=True))
    try:
        async with aclosing(pieces(_body(stream, patience))) as told:
            async for piece in told:
                if piece.begins:
                    patience.begin()
                yield piece
    finally:
        await stream.close()


async def _body(stream: Any, patience: Deadline) -> AsyncGenerator[bytes]:
    """The answer's bytes as they come. The SDK's own reader ends at events without data and at errors it does not know."""
    from httpx2 import HTTPError  # the SDK's HTTP library, which takes as long to import

    data = stream.response.aiter_bytes()
    try:
        while True:
            part: bytes | None = await patience.wait(anext(data, None))
            if part is None:
                return
            yield part
    except HTTPError as error:
        raise BrokenOffError("the connection broke") from error


def pause_after(error: Exception, refused: Refused | None, tries: int) -> float | None:
    """How long to wait before another try, in seconds; None if another would end the same."""
    from openai import APIConnectionError

    pause_s = RETRY_PAUSE_S * 2**tries
    if refused is not None:
        return max(pause_s, refused.retry_after_s or 0.0) if refused.passing else None
    return pause_s if isinstance(error, APIConnectionError | BrokenOffError) else None

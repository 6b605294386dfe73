"""The part that engines over HTTP share: one client session, and errors in the words of people."""

from __future__ import annotations

import json
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
from websockets.frames import CloseCode

from core.remote import refusals
from core.remote.refusals import broken
from core.speech.engine import SpeechChunk, failure
from core.speech.sniff import NotSoundError, SoundReader

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    import numpy as np
    from numpy.typing import NDArray
    from websockets.exceptions import ConnectionClosed

    from core.errors import SpeechError
    from core.speech.engine import SpeechEngine

CONNECT_S = 5.0
ASK_S = 8.0  # for short questions, such as which voices there are
MOST_ANSWER = 4 * 2**20  # bytes of the answer to a question
MOST_MESSAGE = 16 * 2**20  # bytes of one message on a socket: a minute and a half of float32
_OWN_WORDS = {404: "does not know this address, model or voice", 413: "found the text too long"}


def refusal(status: int) -> str:
    """An HTTP status in words, as the end of "The speech engine X ..."."""
    return refusals.refusal(status, _OWN_WORDS)


def lost(error: ConnectionClosed) -> str:
    """How a WebSocket came to its end, as the end of "The speech engine X ..."."""
    if error.sent is not None and error.sent.code == CloseCode.MESSAGE_TOO_BIG:
        return f"sent a message of more than {MOST_MESSAGE / 2**20:.0f} MiB"
    return "broke the connection"


class HttpClient:
    """One engine's HTTP session."""

    def __init__(self, engine: SpeechEngine, headers: Mapping[str, str] | None = None) -> None:
        self._engine = engine
        self._headers = dict(headers or {})
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def ask(self, url: str) -> tuple[int, Any]:
        """GET a small answer: its status and its JSON, None if it is none.

        Raises:
            SpeechError: Nobody answers.
        """
        try:
            async with self._open().get(url, timeout=aiohttp.ClientTimeout(total=ASK_S)) as response:
                body = bytearray()
                async for data in response.content.iter_any():
                    body += data
                    if len(body) > MOST_ANSWER:
                        raise failure(self._engine, f"answered a question with more than {MOST_ANSWER / 2**20:.0f} MiB")
                return response.status, read_json(bytes(body))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise failure(self._engine, broken(error)) from error

    @asynccontextmanager
    async def post(self, url: str, body: Mapping[str, Any]) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        """POST JSON; the answer is read inside the context, whatever its status.

        Raises:
            SpeechError: Nobody answers, or the connection breaks.
        """
        try:
            async with self._open().post(url, json=dict(body)) as response:
                yield response
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise failure(self._engine, broken(error)) from error

    async def refused(self, response: aiohttp.ClientResponse) -> SpeechError:
        """The error for an answer of another status than 200; what the server said is its cause."""
        error = failure(self._engine, refusal(response.status))
        error.__cause__ = await refusals.what_was_said(response)
        return error

    async def sound(
        self, response: aiohttp.ClientResponse, rate_hz: int, text: str
    ) -> AsyncGenerator[SpeechChunk, None]:
        """The body as sound, while it comes; the first chunk carries `text`.

        Raises:
            SpeechError: It is no sound.
        """
        reader = SoundReader(rate_hz, response.headers.get("Content-Type", ""))
        try:
            async with aclosing(_pieces(reader, response)) as pieces:
                async for samples in pieces:
                    yield SpeechChunk(samples, reader.rate_hz, text)
                    text = ""
        except NotSoundError as error:
            raise failure(self._engine, str(error)) from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
            self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        return self._session


async def _pieces(reader: SoundReader, response: aiohttp.ClientResponse) -> AsyncGenerator[NDArray[np.float32], None]:
    """What the reader makes of a body; none of it is empty."""
    async for data in response.content.iter_any():
        samples = reader.read(data)
        while len(samples):
            yield samples
            samples = reader.read(b"")  # what has another rate
    if reader.packed:
        async with aclosing(reader.unpack()) as blocks:
            async for samples in blocks:
                if len(samples):
                    yield samples
        return
    while len(samples := reader.finish()):
        yield samples


def read_json(data: str | bytes) -> Any:
    """What JSON says; None if it is none, or goes too deep to be read."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None

"""The engine for Wyoming servers that hear (faster-whisper, Speech-to-Phrase and others of Home Assistant's) over TCP.

`transcribe` says the language and model, `audio-start`, `audio-chunk`..., `audio-stop` carry 16-bit PCM, `transcript` answers; some
send pieces of it before, as `transcript-chunk`. One connection an utterance, so that what comes late is nobody's. The protocol
has no word for times, names or how sure the server is.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from core.hearing.engines.screened import ScreenedTranscriber, pcm16
from core.hearing.languages import code_of
from core.hearing.text import Segment, Transcription
from core.hearing.transcriber import failure
from core.hearing.vad import RATE_HZ

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from core.config.hearing import HearingSection
    from core.hearing.stretches import Stretch
    from core.hearing.transcriber import Bias, Purpose

CONNECT_S, ASK_S = 5.0, 8.0
_MOST_DATA = 4 * 2**20  # bytes of one event, and of the line it begins with
_CHUNK = 2 * RATE_HZ // 5  # bytes of 200 ms
_FORM = {"rate": RATE_HZ, "width": 2, "channels": 1}


class WyomingTranscriber(ScreenedTranscriber):
    """Speech to text by a Wyoming server."""

    name = "wyoming"
    takes_hints = False

    def __init__(self, section: HearingSection) -> None:
        super().__init__(section)
        self._place = section.wyoming
        self.address = f"{self._place.host}:{self._place.port}"
        self.model = self._place.model

    async def open(self) -> None:
        """Ask the server what it can do.

        Raises:
            HearingError: Nobody answers, it does not hear, or has not got the configured model.
        """
        try:
            async with asyncio.timeout(ASK_S), self._connection() as (reader, writer):
                await _send(writer, "describe")
                kind, data = await self._next(reader)
                while kind != "info":
                    kind, data = await self._next(reader)
        except TimeoutError as error:
            raise failure(self, "did not answer in time") from error
        programs = _dicts(data.get("asr"))
        if not programs:
            raise failure(self, "does not hear; it serves something else")
        models = sorted({str(model.get("name")) for program in programs for model in _dicts(program.get("models"))})
        wanted = self._place.model
        if wanted and models and wanted not in models:
            raise failure(self, f'has no model "{wanted}"; it has {", ".join(models[:10])}')

    async def _ask(self, stretch: Stretch, language: str, bias: Bias, words: bool, purpose: Purpose) -> Transcription:
        del bias, words
        model = (self._section.transcripts.model if purpose == "recording" else "") or self._place.model
        wanted = {key: value for key, value in (("name", model), ("language", language)) if value}
        sound = pcm16(stretch.samples)
        async with self._connection() as (reader, writer):
            await _send(writer, "transcribe", wanted)
            await _send(writer, "audio-start", _FORM)
            for first in range(0, len(sound), _CHUNK):
                await _send(writer, "audio-chunk", _FORM, sound[first : first + _CHUNK])
            await _send(writer, "audio-stop")
            data = await self._transcript(reader)
        text = str(data["text"]).strip()
        segments = (Segment(text, stretch.spans[0][0], stretch.spans[-1][1]),) if text else ()
        return Transcription(segments, code_of(data.get("language")) or language, self.name, model)

    async def _transcript(self, reader: asyncio.StreamReader) -> dict[str, Any]:
        """The whole text, which follows any pieces of it."""
        while True:
            kind, data = await self._next(reader)
            if kind == "error":
                raise failure(self, "reported an error") from ValueError(str(data)[:500])
            if kind == "transcript":
                if not isinstance(data.get("text"), str):
                    raise failure(self, "answered without a text")
                return data

    # The wire ---------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter], None]:
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_connection(self._place.host, self._place.port, limit=_MOST_DATA)
        except (OSError, TimeoutError) as error:
            raise failure(self, "cannot be reached; is it running?") from error
        try:
            yield reader, writer
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            raise failure(self, "broke the connection") from error
        finally:
            writer.transport.abort()  # a cancelled utterance must not wait for a goodbye

    async def _next(self, reader: asyncio.StreamReader) -> tuple[str, dict[str, Any]]:
        """The next event's type and data. Raises `HearingError` for what is none, and at the end of the stream."""
        try:
            line = await reader.readline()
            if not line.endswith(b"\n"):
                raise asyncio.IncompleteReadError(line, None)
            head: Any = json.loads(line)  # LimitOverrunError, for a longer line, is told as ValueError
            kind, sizes = str(head["type"]), [int(head.get(key) or 0) for key in ("data_length", "payload_length")]
            if not all(0 <= size <= _MOST_DATA for size in sizes):
                raise ValueError(f"an event of {sizes} bytes")
            data: Any = dict(head.get("data") or {})
            if sizes[0]:
                data |= json.loads(await reader.readexactly(sizes[0]))
            await reader.readexactly(sizes[1])
            return kind, data
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise failure(self, "sent something that is no Wyoming event") from error


async def _send(
    writer: asyncio.StreamWriter, kind: str, data: dict[str, Any] | None = None, payload: bytes = b""
) -> None:
    told = json.dumps(data).encode() if data else b""
    head = {"type": kind, "data_length": len(told), "payload_length": len(payload)}
    writer.write(json.dumps(head).encode() + b"\n" + told + payload)
    await writer.drain()


def _dicts(value: Any) -> list[dict[str, Any]]:
    """The objects in a list of JSON; none if it is no list."""
    items = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]

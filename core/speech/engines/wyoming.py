"""The engine for Wyoming servers (Piper and others) over TCP; what the server can do is asked when it is opened.

A server that streams takes text as it comes (`synthesize-start`, `-chunk`..., `-stop`, ended by `synthesize-stopped`); an older one
takes whole clauses (`synthesize`, ended by `audio-stop`). One connection a turn or clause, so that what comes late is
nobody's. Supports voice; rate and pitch are done on our side.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from core.names import term
from core.remote.refusals import RefusalError
from core.remote.wyoming import WyomingConnection, connected, dicts
from core.speech.engine import SpeechChunk, Voice, failure
from core.speech.engines.http import ASK_S
from core.speech.recognise import no_sound
from core.speech.text_alignment import Spread, TextAlignment
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from core.config.speech import WyomingSection

_log = logging.getLogger(__name__)

_WIDTHS = {2: "<i2", 4: "<i4"}
_RATES = range(4000, 384001)
_MOST_CHANNELS = 8


class WyomingEngine:
    """Speech from a Wyoming server."""

    name = "wyoming"

    def __init__(self, section: WyomingSection) -> None:
        self._section = section
        self.address = f"{section.host}:{section.port}"
        self.takes_tokens = False
        self._voices: list[str] = []
        self._pace = TextAlignment()
        self._checked = False

    async def check(self) -> None:
        """Ask the server what it can do.

        Raises:
            SpeechError: Nobody answers, it makes no speech, or it has not got the configured voice.
        """
        programs = await self._describe()
        self.takes_tokens = any(program.get("supports_synthesize_streaming") is True for program in programs)
        self._voices = _voice_names(programs)
        wanted = self._section.voice
        if wanted and self._voices and wanted not in self._voices:
            raise failure(
                self, f'has no voice "{term(wanted)}"; it has {", ".join(term(name) for name in self._voices[:10])}'
            )
        self._checked = True

    async def open(self) -> None:
        """Nothing more than `check`, if that was not done: connections are made when they are used."""
        if not self._checked:
            await self.check()

    async def close(self) -> None:
        """Nothing to close: connections end with their turns."""

    async def voices(self) -> Sequence[str]:
        """The voices that are installed on the server."""
        if not self._voices:
            self._voices = _voice_names(await self._describe())
        return self._voices

    def native(self, voice: Voice) -> Voice:
        """Neither rate nor pitch: the protocol has no word for them."""
        return Voice(voice.name)

    async def stream(self, text: AsyncIterator[str], voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        """The text as sound: token by token or clause by clause, as the server can."""
        name = voice.name or self._section.voice
        speaking: dict[str, Any] = {"voice": {"name": name}} if name else {}
        if self.takes_tokens:
            async with aclosing(self._stream_tokens(text, speaking)) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        async for piece in text:
            first = piece
            async with self._connected() as server:
                await server.send("synthesize", {"text": piece.strip(), **speaking})
                async with aclosing(self._sound(server, "audio-stop")) as chunks:
                    async for chunk in chunks:
                        yield SpeechChunk(chunk.samples, chunk.rate_hz, first)
                        first = ""

    async def _stream_tokens(
        self, text: AsyncIterator[str], speaking: dict[str, Any]
    ) -> AsyncGenerator[SpeechChunk, None]:
        spread = Spread(self._pace)
        tasks = Tasks("wyoming turn")
        rate_hz = 0
        async with self._connected() as server:
            sending = tasks.start(self._send_tokens(server, text, speaking, spread))
            try:
                async with aclosing(self._sound(server, "synthesize-stopped")) as chunks:
                    async for chunk in chunks:
                        rate_hz = chunk.rate_hz
                        yield SpeechChunk(chunk.samples, rate_hz, spread.sound(chunk.duration_s))
            finally:
                await tasks.cancel_all()
        if not sending.cancelled() and (fault := sending.exception()) is not None:
            raise fault
        if rate_hz and (rest := spread.rest()):
            yield SpeechChunk(np.zeros(0, np.float32), rate_hz, rest)
        spread.learn()

    async def _send_tokens(
        self, server: WyomingConnection, text: AsyncIterator[str], speaking: dict[str, Any], spread: Spread
    ) -> None:
        whole: list[str] = []
        try:
            await server.send("synthesize-start", speaking)
            async for piece in text:
                whole.append(piece)
                spread.add(piece)
                await server.send("synthesize-chunk", {"text": piece})
            # For servers between the two protocols the whole text follows; those that stream pass over it.
            await server.send("synthesize", {"text": "".join(whole), **speaking})
            await server.send("synthesize-stop")
        except ConnectionError:
            _log.debug("%s closed while text was sent; the reader tells why", self.address)

    async def _sound(self, server: WyomingConnection, last: str) -> AsyncGenerator[SpeechChunk, None]:
        """The sound up to the event named `last`."""
        carried = b""
        while True:
            event = await server.next()
            if event.type == last:
                return
            if event.type == "error":
                raise failure(self, "reported an error") from RefusalError(str(event.data))
            if event.type != "audio-chunk":
                continue
            rate_hz, width, channels = self._form(event.data)
            pcm = carried + event.payload
            whole = len(pcm) - len(pcm) % (width * channels)
            pcm, carried = pcm[:whole], pcm[whole:]
            values = np.frombuffer(pcm, _WIDTHS[width]).astype(np.float32) / np.float32(2 ** (8 * width - 1))
            samples = values.reshape(-1, channels).mean(axis=1, dtype=np.float32)
            if no_sound(samples):
                raise failure(self, "sent something that is no sound")
            if len(samples):
                yield SpeechChunk(samples, rate_hz)

    def _form(self, data: dict[str, Any]) -> tuple[int, int, int]:
        """Rate, bytes a sample and channels of an event's sound."""
        rate_hz, width, channels = (data.get(key) for key in ("rate", "width", "channels"))
        channels = 1 if channels is None else channels
        if not isinstance(rate_hz, int) or not isinstance(width, int) or not isinstance(channels, int):
            raise failure(self, "sent sound of a kind that is not read here (without rate or width)")
        if rate_hz not in _RATES or width not in _WIDTHS or not 0 < channels <= _MOST_CHANNELS:
            said = f"{_short(rate_hz)} Hz, {_short(width)} byte(s) a sample, {_short(channels)} channel(s)"
            raise failure(self, f"sent sound of a kind that is not read here ({said})")
        return rate_hz, width, channels

    async def _describe(self) -> list[dict[str, Any]]:
        """The speech programs that the server runs."""
        try:
            async with asyncio.timeout(ASK_S), self._connected() as server:
                programs = await server.describe("tts")
        except TimeoutError as error:
            raise failure(self, "did not answer in time") from error
        if not programs:
            raise failure(self, "makes no speech; it serves something else")
        return programs

    def _connected(self) -> AbstractAsyncContextManager[WyomingConnection]:
        return connected(self._section.host, self._section.port, partial(failure, self))


def _short(number: int) -> str:
    """A number for people; what has more than ten digits is not worth them."""
    return str(number) if abs(number) < 10**10 else "too many"


def _voice_names(programs: list[dict[str, Any]]) -> list[str]:
    voices = [voice for program in programs for voice in dicts(program.get("voices"))]
    return sorted({str(voice.get("name")) for voice in voices if voice.get("installed", True)})

"""The engine for Wyoming servers that hear (faster-whisper, Speech-to-Phrase and others of Home Assistant's) over TCP.

`transcribe` says the language and model, `audio-start`, `audio-chunk`..., `audio-stop` carry 16-bit PCM, `transcript` answers; some
send pieces of it before, as `transcript-chunk`. One connection an utterance, so that what comes late is nobody's. The protocol
has no word for times, names or how sure the server is.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from core.hearing.engines.screened import ScreenedTranscriber, pcm16
from core.hearing.languages import code_of
from core.hearing.text import Segment, Transcription
from core.hearing.transcriber import failure
from core.hearing.vad import RATE_HZ
from core.remote.refusals import RefusalError
from core.remote.wyoming import WyomingConnection, connected, dicts

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from core.config.hearing import HearingSection
    from core.hearing.stretches import Stretch
    from core.hearing.transcriber import Bias, Purpose

ASK_S = 8.0
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
            async with asyncio.timeout(ASK_S), self._connected() as server:
                programs = await server.describe("asr")
        except TimeoutError as error:
            raise failure(self, "did not answer in time") from error
        if not programs:
            raise failure(self, "does not hear; it serves something else")
        models = sorted({str(model.get("name")) for program in programs for model in dicts(program.get("models"))})
        wanted = self._place.model
        if wanted and models and wanted not in models:
            raise failure(self, f'has no model "{wanted}"; it has {", ".join(models[:10])}')

    async def _ask(self, stretch: Stretch, language: str, bias: Bias, words: bool, purpose: Purpose) -> Transcription:
        del bias, words
        model = (self._section.transcripts.model if purpose == "recording" else "") or self._place.model
        wanted = {key: value for key, value in (("name", model), ("language", language)) if value}
        sound = pcm16(stretch.samples)
        async with self._connected() as server:
            await server.send("transcribe", wanted)
            await server.send("audio-start", _FORM)
            for first in range(0, len(sound), _CHUNK):
                await server.send("audio-chunk", _FORM, sound[first : first + _CHUNK])
            await server.send("audio-stop")
            data = await self._transcript(server)
        text = str(data["text"]).strip()
        segments = (Segment(text, stretch.spans[0][0], stretch.spans[-1][1]),) if text else ()
        return Transcription(segments, code_of(data.get("language")) or language, self.name, model)

    async def _transcript(self, server: WyomingConnection) -> dict[str, Any]:
        """The whole text, which follows any pieces of it."""
        while True:
            event = await server.next()
            if event.type == "error":
                raise failure(self, "reported an error") from RefusalError(str(event.data))
            if event.type == "transcript":
                if not isinstance(event.data.get("text"), str):
                    raise failure(self, "answered without a text")
                return event.data

    def _connected(self) -> AbstractAsyncContextManager[WyomingConnection]:
        return connected(self._place.host, self._place.port, partial(failure, self))

"""The engine for a Piper HTTP server: `POST /synthesize`, answered by a WAV at the voice's own rate.

Supports voice, and rate through `length_scale`; pitch is done on our side.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from core.names import term
from core.speech.engine import SpeechChunk, Voice, failure, shown_address
from core.speech.engines.http import HttpClient, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from core.config.speech import PiperSection

_USUAL_RATE_HZ = 22050


class PiperHttpEngine:
    """Speech from a Piper server, one request a clause."""

    name = "piper"
    takes_tokens = False

    def __init__(self, section: PiperSection) -> None:
        self._section = section
        self._base = section.url.rstrip("/")
        self.address = shown_address(self._base)
        self._path = "/synthesize"  # older servers have "/" alone
        self._http = HttpClient(self)
        self._checked = False

    async def check(self) -> None:
        """Ask for the voices; an older server that has no such list is taken at its word.

        Raises:
            SpeechError: Nobody answers, or the configured voice is not among them.
        """
        status, answer = await self._http.ask(f"{self._base}/voices")
        if status in (401, 403) or status >= 500:
            raise failure(self, refusal(status))
        known = _voices(answer) if status == 200 else []
        wanted = self._section.voice
        if wanted and known and wanted not in known:
            raise failure(self, f'has no voice "{term(wanted)}"; it has {", ".join(term(name) for name in known[:10])}')
        self._checked = True

    async def open(self) -> None:
        """Nothing more than `check`, if that was not done: connections are made when they are used."""
        if not self._checked:
            await self.check()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def voices(self) -> Sequence[str]:
        """The voices that the server has downloaded."""
        status, answer = await self._http.ask(f"{self._base}/voices")
        return _voices(answer) if status == 200 else ()

    def native(self, voice: Voice) -> Voice:
        """Rate, through `length_scale`."""
        return Voice(voice.name, voice.rate, 0.0)

    async def stream(self, text: AsyncIterator[str], voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        """Each piece of text as sound; the server synthesises the whole piece before it answers."""
        async for piece in text:
            async with aclosing(self._speak(piece, voice)) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def _speak(self, text: str, voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        body: dict[str, Any] = {"text": text.strip()}
        name = voice.name or self._section.voice
        if name:
            body["voice"] = name
        if voice.rate != 1:
            body["length_scale"] = round(1 / voice.rate, 3)
        while True:
            async with self._http.post(self._base + self._path, body) as response:
                if response.status in (404, 405) and self._path != "/":
                    self._path = "/"
                    continue
                if response.status != 200:
                    raise await self._http.refused(response)
                async with aclosing(self._http.sound(response, _USUAL_RATE_HZ, text)) as chunks:
                    async for chunk in chunks:
                        yield chunk
                return


def _voices(answer: Any) -> list[str]:
    """The keys of `{"en_US-lessac-medium": {...}}`."""
    return sorted(cast("dict[str, Any]", answer)) if isinstance(answer, dict) else []

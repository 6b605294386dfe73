"""The engine for OpenAI-style speech servers: `POST /v1/audio/speech`, answered by chunked PCM or WAV.

Kokoro-FastAPI, Orpheus, Chatterbox, Soprano, openedai-speech and OpenAI itself. Supports voice, and rate through the
server's own `speed` (0.25 to 4); pitch is done on our side.
"""

from __future__ import annotations

import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from core.speech.engine import SpeechChunk, Voice, failure, shown_address
from core.speech.engines.http import HttpClient, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from core.config.speech import OpenAISpeechSection

_log = logging.getLogger(__name__)

_OWN_HOST = "api.openai.com"
_OWN_VOICES = ("alloy", "ash", "ballad", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer", "verse")


class OpenAIEngine:
    """Speech over HTTP, one request a clause, over kept-open connections."""

    name = "openai"
    takes_tokens = False

    def __init__(self, section: OpenAISpeechSection, key: str = "") -> None:
        self._section = section
        self._base = section.base_url.rstrip("/")
        self.address = shown_address(self._base)
        self._http = HttpClient(self, {"Authorization": f"Bearer {key}"} if key else None)
        self._streams = True  # some servers refuse the word `stream`
        self._checked = False

    async def check(self) -> None:
        """Ask for the list of models, which shows that the server is there and takes the key.

        Raises:
            SpeechError: It is not, or does not. A server that has no such list is taken at its word.
        """
        status, answer = await self._http.ask(f"{self._base}/models")
        if status in (401, 403, 429) or status >= 500:
            raise failure(self, refusal(status))
        known = _names(answer, "data", "id")
        if known and self._section.model not in known:
            _log.warning("%s does not list the model %r, only %s", self.address, self._section.model, known[:20])
        self._checked = True

    async def open(self) -> None:
        """Nothing more than `check`, if that was not done: connections are made when they are used."""
        if not self._checked:
            await self.check()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def voices(self) -> Sequence[str]:
        """What `/audio/voices` lists (Kokoro and others have it)."""
        if _OWN_HOST in self._base:
            return _OWN_VOICES
        status, answer = await self._http.ask(f"{self._base}/audio/voices")
        return _names(answer, "voices", "id") if status == 200 else ()

    def native(self, voice: Voice) -> Voice:
        """Rate, through `speed`."""
        return Voice(voice.name, min(4.0, max(0.25, voice.rate)), 0.0)

    async def stream(self, text: AsyncIterator[str], voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        """Each piece of text as sound, chunk by chunk as the server sends it."""
        async for piece in text:
            async with aclosing(self._speak(piece, voice)) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def _speak(self, text: str, voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        body: dict[str, Any] = {
            "model": self._section.model,
            "voice": voice.name or self._section.voice,
            "input": text.strip(),
            "response_format": "pcm",
        }
        if voice.rate != 1:
            body["speed"] = round(self.native(voice).rate, 3)
        while True:
            asked = {**body, "stream": True} if self._streams else body
            async with self._http.post(f"{self._base}/audio/speech", asked) as response:
                if response.status in (400, 422) and self._streams:
                    self._streams = False
                    _log.info("%s refused a request to stream; asking without", self.address)
                    continue
                if response.status != 200:
                    raise await self._http.refused(response)
                async with aclosing(self._http.sound(response, self._section.rate_hz, text)) as chunks:
                    async for chunk in chunks:
                        yield chunk
                return


def _names(answer: Any, listed: str, key: str) -> list[str]:
    """The names in `{"<listed>": ["a", {"<key>": "b"}]}`, or in a bare list of them."""
    items = cast("dict[str, Any]", answer).get(listed) if isinstance(answer, dict) else answer
    if not isinstance(items, list):
        return []
    names = [
        cast("dict[str, Any]", item).get(key) or cast("dict[str, Any]", item).get("name")
        if isinstance(item, dict)
        else item
        for item in cast("list[Any]", items)
    ]
    return [name for name in names if isinstance(name, str)]

"""An OpenAI-style speech server: `POST /v1/audio/speech`, answered with PCM or WAV, in whatever disguise is asked for.

Wire format: OpenAI's audio API as Kokoro-FastAPI, Orpheus and openedai-speech serve it: chunked bytes, `pcm` is 16-bit
little-endian mono, usually 24 kHz, often with no rate in the header; some send WAV whatever was asked for.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import numpy as np
from aiohttp import web

from loopback.services import tone
from loopback.services.encoded import CONTAINERS, Container, encoded
from loopback.services.http_service import BEHAVIOUR, RECORDED, HttpService
from loopback.services.speech import SpeechBehaviour, Spoken, now_spoken, pieces, speak, wav

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loopback.services.service import Behaviour

MAIN = "/audio/speech"
VOICES = ("alloy", "nova", "af_heart")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechHttpBehaviour(SpeechBehaviour):
    """How one speech request is answered."""

    container: Literal["asked", "pcm", "wav"] | Container = "asked"
    content_type: str | None = None  # None: the right one; "": no such header at all
    wav_size: int | None = None  # lies about the length in a WAV header: 0, 0xFFFFFFFF, less than there is
    wav_bits: int = 16  # lies about the samples
    glued: bool = False  # one WAV a sentence, one behind the other
    wav_extra: bytes = b""  # a LIST chunk in front of the sound
    channels: Literal[1, 2] = 1
    body: bytes | None = None  # this in place of sound: an error page, say, with status 200


class SpeechHttp(HttpService[SpeechHttpBehaviour]):
    """The speech server. `api_key`, if set, is demanded."""

    behaviour: ClassVar[type[Behaviour]] = SpeechHttpBehaviour
    main: ClassVar[tuple[str, ...]] = (MAIN,)
    rate_hz: int = 24000

    def __init__(self, *, api_key: str | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host=host, port=port)
        self.api_key = api_key
        self.spoken: list[Spoken] = []

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes as its base URL."""
        return f"{self.url}/v1"

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Speech, voices, models, health."""
        return [
            web.post("/v1" + MAIN, self._speak),
            web.get("/v1/audio/voices", self._list_voices),
            web.get("/v1/models", self._list_models),
            web.get("/health", self._health),
        ]

    def failure(self, status: int, words: str) -> dict[str, Any]:
        """OpenAI's error object."""
        return {"error": {"message": words or f"status {status}", "type": "error", "param": None, "code": None}}

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        if self.api_key is not None and request.headers.get("Authorization") != f"Bearer {self.api_key}":
            return self.refused(401, "Incorrect API key provided.")
        behaviour = cast("SpeechHttpBehaviour", request[BEHAVIOUR])
        try:
            asked = request[RECORDED].json
            text, voice = str(asked["input"]), str(asked["voice"])
        except (ValueError, KeyError, TypeError) as error:
            return self.refused(400, f"Invalid body: {error!r}")
        container = asked.get("response_format", "mp3") if behaviour.container == "asked" else behaviour.container
        if container not in ("pcm", "wav", *CONTAINERS) or (container == "mp3" and behaviour.container == "asked"):
            return self.refused(400, f"response_format {container!r} is not made here")
        speed = float(asked.get("speed", 1))
        texts = re.findall(r".+?(?:[.!?]\s*|$)", text, re.DOTALL) if behaviour.glued else [text]
        sound = b"".join(
            [await self._file(now_spoken(part, voice=voice, speed=speed), behaviour, container) for part in texts]
        )
        sound = sound if behaviour.body is None else behaviour.body
        right = "audio/wav" if container == "wav" else "audio/pcm"
        kind = right if behaviour.content_type is None else behaviour.content_type
        response = web.StreamResponse(headers={"Content-Type": kind, **behaviour.headers})
        await response.prepare(request)
        answer = self.answer(request, response)
        for piece in pieces(sound, behaviour.chunk_bytes):
            await answer.send(piece)
        await answer.finish()
        return response

    async def _file(self, spoken: Spoken, behaviour: SpeechHttpBehaviour, container: str) -> bytes:
        rate_hz = behaviour.rate_hz or self.rate_hz
        samples = speak(self, spoken, behaviour)
        if container in CONTAINERS:
            values = np.frombuffer(tone.pcm16(samples), "<i2")
            return await asyncio.to_thread(encoded, values, rate_hz, cast("Container", container))
        sound = tone.pcm16(samples.repeat(behaviour.channels))
        if container == "pcm":
            return sound
        return wav(
            sound,
            rate_hz,
            channels=behaviour.channels,
            data_size=behaviour.wav_size,
            extra=behaviour.wav_extra,
            bits=behaviour.wav_bits,
        )

    async def _list_voices(self, _request: web.Request) -> web.Response:
        return web.json_response({"voices": list(VOICES)})

    async def _list_models(self, _request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "tts-1", "object": "model", "owned_by": "x"}]})

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "healthy"})

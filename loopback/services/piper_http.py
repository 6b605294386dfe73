"""A Piper HTTP server: `POST /synthesize` (or `/`) with JSON, answered by a whole WAV at the voice's own rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from aiohttp import web

from loopback.services import tone
from loopback.services.http_service import BEHAVIOUR, RECORDED, HttpService
from loopback.services.speech import SpeechBehaviour, Spoken, now_spoken, pieces, speak, wav

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loopback.services.service import Behaviour

VOICE = "en_US-lessac-medium"


class PiperHttp(HttpService[SpeechBehaviour]):
    """The Piper server, with one voice."""

    behaviour: ClassVar[type[Behaviour]] = SpeechBehaviour
    main: ClassVar[tuple[str, ...]] = ("/synthesize", "/")
    rate_hz: int = 22050

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host=host, port=port)
        self.spoken: list[Spoken] = []

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Synthesis, and the voices by name."""
        return [
            web.post("/synthesize", self._synthesize),
            web.post("/", self._synthesize),
            web.get("/voices", self._list_voices),
        ]

    async def _synthesize(self, request: web.Request) -> web.StreamResponse:
        behaviour = cast("SpeechBehaviour", request[BEHAVIOUR])
        try:
            asked = request[RECORDED].json
            text = str(asked["text"]).strip()
            speed = 1 / float(asked.get("length_scale") or 1)
        except (ValueError, KeyError, TypeError, ZeroDivisionError) as error:
            return self.refused(400, f"Invalid body: {error!r}")
        voice = str(asked.get("voice") or VOICE)
        if not text:
            return self.refused(500, "No text provided")
        if voice != VOICE:
            return self.refused(500, f"Unable to find voice: {voice}")
        samples = speak(self, now_spoken(text, voice=voice, speed=speed), behaviour)
        sound = wav(tone.pcm16(samples), behaviour.rate_hz or self.rate_hz)
        response = web.StreamResponse(headers={"Content-Type": "audio/wav", **behaviour.headers})
        response.content_length = len(sound)
        await response.prepare(request)
        answer = self.answer(request, response)
        for piece in pieces(sound, behaviour.chunk_bytes):
            await answer.send(piece)
        await answer.finish()
        return response

    async def _list_voices(self, _request: web.Request) -> web.Response:
        return web.json_response({VOICE: {"audio": {"sample_rate": self.rate_hz}, "language": {"code": "en_US"}}})

"""ElevenLabs' streaming speech WebSocket, with alignment.

Wire format: `/v1/text-to-speech/{voice}/stream-input?model_id=&output_format=pcm_24000&auto_mode=true`, key in the
header `xi-api-key` or in the first message. In: `{"text": " ", "voice_settings": {}}`, then texts that end with a
blank, `{"flush": true}`, last `{"text": ""}`. Out: base64 sound with the times of its characters, counted from the start of
each message, then `{"isFinal": true}`. A socket without input for 20 s is closed with 1008.
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from aiohttp import web

from loopback.services import tone
from loopback.services.http_service import BEHAVIOUR, HttpService
from loopback.services.speech import SpeechBehaviour, Spoken, in_turn, now_spoken, speak

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from loopback.services.service import Answer, Behaviour

MAIN = "/stream-input"
TRIGGER_CHARACTERS = 120  # the first step of the service's usual chunk_length_schedule
POLICY_VIOLATION = 1008
REASONS = {
    "invalid_api_key": "Invalid API key",
    "voice_id_does_not_exist": "A voice with this voice_id does not exist.",
    "unsupported_output_format": "This output_format is not made here; pcm_16000 to pcm_48000 are.",
    "input_timeout_exceeded": "Have not received a new text input within the timeout. Streaming input terminated.",
    "invalid_message": "The message is not what this socket expects.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ElevenLabsBehaviour(SpeechBehaviour):
    """How one socket's texts are spoken; a piece is one JSON message."""

    characters: int = 16  # spoken in one message
    alignment: bool = True
    audio: Any = None  # this in place of the sound of each message
    times: Any = None  # these in place of the starts of the characters
    bloat: int = 0  # bytes that each message has beyond the usual


class ElevenLabs(HttpService[ElevenLabsBehaviour]):
    """The speech service. `api_key` and `voices`, if given, are checked; `inactivity_s` is its patience."""

    behaviour: ClassVar[type[Behaviour]] = ElevenLabsBehaviour
    main: ClassVar[tuple[str, ...]] = (MAIN,)
    scheme: ClassVar[str] = "ws"
    rate_hz: int = 24000

    def __init__(
        self,
        *,
        api_key: str | None = None,
        voices: Iterable[str] = (),
        inactivity_s: float = 20.0,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(host=host, port=port)
        self.api_key = api_key
        self.voices = tuple(voices)
        self.inactivity_s = inactivity_s
        self.spoken: list[Spoken] = []

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The socket and the list of voices."""
        return [
            web.get("/v1/text-to-speech/{voice}" + MAIN, self._serve),
            web.get("/v1/voices", self._list_voices),
            web.get("/v2/voices", self._list_voices),
        ]

    def failure(self, status: int, words: str) -> dict[str, Any]:
        """The service's error object."""
        code = "invalid_api_key" if status == 401 else f"status_{status}"
        return {"detail": {"status": code, "message": words or REASONS.get(code, code)}}

    async def _list_voices(self, request: web.Request) -> web.Response:
        if self.api_key is not None and request.headers.get("xi-api-key") != self.api_key:
            return self.refused(401)
        return web.json_response({"voices": [{"voice_id": voice, "name": voice} for voice in self.voices]})

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async with in_turn() as queue:
            stream = _Stream(self, request, self.answer(request, socket), queue)
            reason = ""
            try:
                async with asyncio.timeout(self.inactivity_s) as limit:
                    async for message in self.heard(request, socket):
                        limit.reschedule(asyncio.get_running_loop().time() + self.inactivity_s)
                        reason = stream.take(message)
                        if reason or stream.ended:
                            break
            except TimeoutError:
                reason = "input_timeout_exceeded"
            if reason:
                await socket.send_json({"message": REASONS[reason], "error": reason, "code": POLICY_VIOLATION})
                await socket.close(code=POLICY_VIOLATION, message=REASONS[reason].encode())
            elif stream.ended:
                await stream.done.wait()
                await socket.close()
        return socket


class _Stream:
    """One socket's text on its way to sound."""

    def __init__(
        self,
        service: ElevenLabs,
        request: web.Request,
        answer: Answer,
        queue: Callable[[Callable[[], Awaitable[None]]], None],
    ) -> None:
        self._service = service
        self._answer = answer
        self._queue = queue
        self._behaviour = cast("ElevenLabsBehaviour", request[BEHAVIOUR])
        self._voice = request.match_info["voice"]
        self._automatic = request.query.get("auto_mode") == "true"
        self._format = request.query.get("output_format", "mp3_44100_128")
        self._key = request.headers.get("xi-api-key")
        self._speed = 1.0
        self._text = ""
        self._begun = False
        self.ended = False
        self.done = asyncio.Event()

    def take(self, message: Any) -> str:
        """Takes one message; returns the name of the reason to close the socket, if there is one."""
        if not isinstance(message, dict) or not isinstance(message.get("text", ""), str):
            return "invalid_message"
        if not self._begun:
            self._begun = True
            self._key = self._key or message.get("xi_api_key")
            self._speed = float((message.get("voice_settings") or {}).get("speed", 1.0))
            reason = self._objection()
            if reason:
                return reason
        text = message.get("text")
        self._text += text or ""
        self.ended = text == ""
        triggered = message.get("try_trigger_generation") and len(self._text) >= TRIGGER_CHARACTERS
        if self.ended or self._automatic or message.get("flush") or triggered:
            self._speak()
        if self.ended:
            self._queue(self._finish)
        return ""

    def _objection(self) -> str:
        if self._service.api_key is not None and self._key != self._service.api_key:
            return "invalid_api_key"
        if self._service.voices and self._voice not in self._service.voices:
            return "voice_id_does_not_exist"
        return "" if self._format.startswith("pcm_") else "unsupported_output_format"

    def _speak(self) -> None:
        text, self._text = self._text, ""
        if text.strip():
            spoken = now_spoken(text, voice=self._voice, speed=self._speed)
            self._queue(partial(self._send, spoken))

    async def _send(self, spoken: Spoken) -> None:
        rate_hz = int(self._format.removeprefix("pcm_"))
        behaviour = replace(self._behaviour, rate_hz=self._behaviour.rate_hz or rate_hz)
        samples = speak(self._service, spoken, behaviour)
        per_character = len(samples) / len(spoken.text)
        for start in range(0, len(spoken.text) if len(samples) else 0, behaviour.characters):
            characters = spoken.text[start : start + behaviour.characters]
            part = samples[round(start * per_character) : round((start + len(characters)) * per_character)]
            duration_ms = 1000 * behaviour.character_s / spoken.speed
            alignment = {
                "chars": list(characters),
                "charStartTimesMs": [round(index * duration_ms) for index in range(len(characters))],
                "charDurationsMs": [round(duration_ms)] * len(characters),
            }
            if behaviour.times is not None:
                alignment["charStartTimesMs"] = behaviour.times
            shown = alignment if behaviour.alignment else None
            sound = base64.b64encode(tone.pcm16(part)).decode() if behaviour.audio is None else behaviour.audio
            message = {"audio": sound, "isFinal": None, "alignment": shown, "normalizedAlignment": shown}
            await self._answer.send(message | ({"bloat": "x" * behaviour.bloat} if behaviour.bloat else {}))

    async def _finish(self) -> None:
        await self._answer.send({"audio": None, "isFinal": True, "alignment": None, "normalizedAlignment": None})
        await self._answer.finish()
        self.done.set()

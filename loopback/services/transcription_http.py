"""An OpenAI-style recogniser: `POST /v1/audio/transcriptions` with a file, answered with the text that was scripted.

Wire format: OpenAI's audio API as speaches, whisper.cpp and Groq serve it: a multipart form with `file`, `model`, `response_format`
and more; `json` is `{"text"}`, `verbose_json` has language, duration, segments, and words if `timestamp_granularities[]` says so.
"""

from __future__ import annotations

import asyncio
import io
import re
import wave
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web

from loopback.services.http_service import BEHAVIOUR, HttpService
from loopback.services.service import Behaviour

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAIN = "/audio/transcriptions"
MODELS = ("whisper-1",)
TEXT = "What was said was understood."


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionBehaviour(Behaviour):
    """How one piece of sound is answered."""

    text: str = TEXT
    language: str = "english"  # as OpenAI names it
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])  # over those of each segment
    plain_only: bool = False  # refuses every form of answer but plain JSON, with 400
    body: bytes | None = None  # this in place of an answer


@dataclass(frozen=True, slots=True)
class HeardForm:
    """One request as it was understood."""

    fields: dict[str, list[str]]
    pcm: bytes  # 16-bit little-endian
    rate_hz: int
    channels: int

    @property
    def duration_s(self) -> float:
        """How long the sound is."""
        return len(self.pcm) / 2 / self.channels / self.rate_hz


class TranscriptionHttp(HttpService[TranscriptionBehaviour]):
    """The recogniser. `api_key`, if set, is demanded."""

    behaviour: ClassVar[type[Behaviour]] = TranscriptionBehaviour
    main: ClassVar[tuple[str, ...]] = (MAIN,)

    def __init__(self, *, api_key: str | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host=host, port=port)
        self.api_key = api_key
        self.sounds: list[HeardForm] = []

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes as its base URL."""
        return f"{self.url}/v1"

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Transcriptions and models."""
        return [web.post("/v1" + MAIN, self._transcribe), web.get("/v1/models", self._models)]

    def admits(self, request: web.Request) -> bool:
        """Whether the key is right."""
        return not self.api_key or request.headers.get("Authorization") == f"Bearer {self.api_key}"

    def failure(self, status: int, words: str) -> dict[str, Any]:
        """As OpenAI does."""
        return {"error": {"message": words or f"status {status}", "type": "invalid_request_error"}}

    async def _models(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(request[BEHAVIOUR].delay_s)
        return web.json_response({"object": "list", "data": [{"id": name, "object": "model"} for name in MODELS]})

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        behaviour: Any = request[BEHAVIOUR]
        try:
            form = await _read_form(request)
        except (ValueError, wave.Error, EOFError) as error:
            return self.refused(400, f"Invalid file: {error}")
        wanted = form.fields.get("response_format", ["json"])[0]
        if wanted != "json" and behaviour.plain_only:
            return self.refused(400, f"response_format '{wanted}' is not compatible with this model.")
        self.sounds.append(form)
        self.note()
        response = web.StreamResponse(headers={"Content-Type": "application/json", **behaviour.headers})
        await response.prepare(request)
        answer = self.answer(request, response)
        if behaviour.body is not None:
            await answer.send(behaviour.body)
        else:
            told = {"text": behaviour.text} if wanted == "json" else _verbose(behaviour, form)
            for piece in _halves(web.json_response(told).body):
                await answer.send(piece)
        await answer.finish()
        return response


def _halves(body: Any) -> list[bytes]:
    """A body in two pieces: no server promises to send it in one."""
    data = bytes(body)
    return [data[: len(data) // 2], data[len(data) // 2 :]]


async def _read_form(request: web.Request) -> HeardForm:
    fields: dict[str, list[str]] = {}
    sound = b""
    boundary = re.search(r'boundary="?([^";]+)', request.headers.get("Content-Type", ""))
    if boundary is None:
        raise ValueError("a multipart form is wanted")
    # What arrived is recorded, so the body has been read already.
    for part in (await request.read()).split(b"--" + boundary[1].encode())[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        name = re.search(rb'[ ;]name="([^"]*)"', head)
        if b"filename=" in head:
            sound = data.removesuffix(b"\r\n")
        elif name is not None:
            fields.setdefault(name[1].decode(), []).append(data.removesuffix(b"\r\n").decode())
    if "model" not in fields:
        raise ValueError("you must provide a model parameter")
    with wave.open(io.BytesIO(sound)) as wav:
        if wav.getsampwidth() != 2:
            raise ValueError("16-bit sound is wanted")
        return HeardForm(fields, wav.readframes(wav.getnframes()), wav.getframerate(), wav.getnchannels())


def _verbose(behaviour: Any, form: HeardForm) -> dict[str, Any]:
    """The detailed answer: the words share the time evenly."""
    words = behaviour.text.split()
    step_s = form.duration_s / max(1, len(words))
    segment = {
        "id": 0,
        "start": 0.0,
        "end": round(form.duration_s, 3),
        "text": behaviour.text,
        "avg_logprob": -0.2,
        "compression_ratio": 1.0,
        "no_speech_prob": 0.01,
        **behaviour.details,
    }
    told: dict[str, Any] = {
        "task": "transcribe",
        "language": behaviour.language,
        "duration": form.duration_s,
        "text": behaviour.text,
        "segments": [segment] if words else [],
    }
    if "word" in form.fields.get("timestamp_granularities[]", []):
        told["words"] = [
            {"word": word, "start": round(number * step_s, 3), "end": round((number + 1) * step_s, 3)}
            for number, word in enumerate(words)
        ]
    return told

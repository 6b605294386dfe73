"""A chat server of the OpenAI kind: completions streamed or whole, models, Azure's paths, pictures as input.

Wire format: OpenAI's chat completions (server-sent events `data: {json}`, closed by `data: [DONE]`), Azure OpenAI's
`/openai/deployments/{deployment}/chat/completions?api-version=`, and `reasoning_content` as DeepSeek, llama.cpp and
vLLM send it.
"""

from __future__ import annotations

import base64
import json
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from aiohttp import web

from loopback.services.http_service import BEHAVIOUR, RECORDED, HttpService
from loopback.services.service import Behaviour
from loopback.services.small_talk import small_talk, tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

MAIN = "/chat/completions"
ERROR_TYPES = {
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    403: ("invalid_request_error", "forbidden", "You are not allowed to use this model."),
    404: ("invalid_request_error", "model_not_found", "The model does not exist or you do not have access to it."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatBehaviour(Behaviour):
    """How one completion is made. Without `text` or `deltas` the answer is small talk."""

    pace_s: float = 0.015
    text: str | None = None  # the answer, cut into tokens
    deltas: tuple[str, ...] | None = None  # the answer, cut exactly like this
    reasoning: str = ""  # sent before it as reasoning_content
    finish_reason: str = "stop"
    split_bytes: int = 0  # sends the event stream in writes of this size, whatever events they cut
    done: bool = True  # closes the stream with [DONE]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that came with a message."""

    media_type: str
    data: bytes


class Chat(HttpService[ChatBehaviour]):
    """The chat server. `api_key`, if set, is demanded; `models` are the only ones known, if any are named."""

    behaviour: ClassVar[type[Behaviour]] = ChatBehaviour
    main: ClassVar[tuple[str, ...]] = (MAIN,)

    def __init__(
        self, *, models: Iterable[str] = (), api_key: str | None = None, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        super().__init__(host=host, port=port)
        self.models = tuple(models)
        self.api_key = api_key

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes as its base URL."""
        return f"{self.url}/v1"

    @property
    def prompts(self) -> list[list[dict[str, Any]]]:
        """The messages of every completion asked for, oldest first."""
        return [recorded.json["messages"] for recorded in self.requests if recorded.path.endswith(MAIN)]

    @property
    def pictures(self) -> list[Picture]:
        """Every picture that came with a prompt, decoded from its data URL."""
        parts = [
            part
            for messages in self.prompts
            for message in messages
            if isinstance(message["content"], list)
            for part in message["content"]
            if part["type"] == "image_url"
        ]
        return [_picture(part["image_url"]["url"]) for part in parts]

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """OpenAI's and Azure's paths."""
        return [
            web.get("/v1/models", self._list_models),
            web.get("/v1/models/{model:.+}", self._show_model),
            web.post("/v1" + MAIN, self._complete),
            web.post("/openai/deployments/{deployment}" + MAIN, self._complete),
            web.post("/openai/v1" + MAIN, self._complete),
            web.get("/openai/models", self._list_models),
            web.get("/openai/v1/models", self._list_models),
        ]

    def failure(self, status: int, words: str) -> dict[str, Any]:
        """OpenAI's error object."""
        kind, code, usual = ERROR_TYPES.get(status, ("server_error", None, "The server had an error."))
        return {"error": {"message": words or usual, "type": kind, "param": None, "code": code}}

    async def _list_models(self, request: web.Request) -> web.Response:
        if not self._may_enter(request):
            return self.refused(401)
        return web.json_response({"object": "list", "data": [_model(name) for name in self.models or ("stand-in",)]})

    async def _show_model(self, request: web.Request) -> web.Response:
        if not self._may_enter(request):
            return self.refused(401)
        name = request.match_info["model"]
        return web.json_response(_model(name)) if self._knows(name) else self.refused(404)

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        if not self._may_enter(request):
            return self.refused(401)
        behaviour = cast("ChatBehaviour", request[BEHAVIOUR])
        azure = "deployment" in request.match_info
        if azure and "api-version" not in request.query:
            return self.refused(404, "Resource not found")
        try:
            asked = request[RECORDED].json
            model = request.match_info.get("deployment") or asked["model"]
            pieces, reason = _answer(behaviour, asked)
        except (ValueError, KeyError, TypeError) as error:
            return self.refused(400, f"Invalid body: {error!r}")
        if not self._knows(model):
            return self.refused(404, f"The model `{model}` does not exist or you do not have access to it.")
        if asked.get("stream"):
            return await self._stream(request, _Completion(model, asked, azure=azure), pieces, reason)
        completion = _Completion(model, asked, azure=azure)
        message = {"role": "assistant", "content": "".join(pieces), "refusal": None}
        if behaviour.reasoning:
            message["reasoning_content"] = behaviour.reasoning
        body = completion.object("chat.completion", [{"index": 0, "message": message, "finish_reason": reason}])
        return web.json_response(body | {"usage": completion.usage(len(pieces))}, headers=behaviour.headers)

    async def _stream(
        self, request: web.Request, completion: _Completion, pieces: list[str], reason: str
    ) -> web.StreamResponse:
        behaviour = cast("ChatBehaviour", request[BEHAVIOUR])
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **behaviour.headers})
        await response.prepare(request)
        answer = self.answer(request, response)
        opening = completion.delta({"role": "assistant", "content": ""})
        if completion.azure:
            opening = _event({**completion.object("", []), "prompt_filter_results": []}) + opening
        lead = [completion.delta({"reasoning_content": part}) for part in tokens(behaviour.reasoning)]
        body = [completion.delta({"content": part}) for part in pieces]
        for number, event in enumerate([*lead, *body]):
            await self._write(response, answer, event if number else opening + event, behaviour.split_bytes)
        await answer.finish()
        closing = completion.delta({}, reason)
        if not lead and not body:
            closing = opening + closing
        if completion.wants_usage:
            closing += _event(completion.object("", []) | {"usage": completion.usage(len(pieces))})
        await response.write(closing + (b"data: [DONE]\n\n" if behaviour.done else b""))
        return response

    async def _write(self, response: web.StreamResponse, answer: Any, event: bytes, split_bytes: int) -> None:
        if not split_bytes:
            await answer.send(event)
            return
        await answer.send(event[:split_bytes])
        for start in range(split_bytes, len(event), split_bytes):
            await response.write(event[start : start + split_bytes])

    def _may_enter(self, request: web.Request) -> bool:
        given = request.headers.get("api-key") or request.headers.get("Authorization", "").removeprefix("Bearer ")
        return self.api_key is None or given == self.api_key

    def _knows(self, model: str) -> bool:
        return not self.models or model in self.models


class _Completion:
    """The envelope around the pieces of one completion."""

    def __init__(self, model: str, asked: dict[str, Any], *, azure: bool) -> None:
        self.model = model
        self.azure = azure
        self.wants_usage = bool((asked.get("stream_options") or {}).get("include_usage"))
        self._prompt = json.dumps(asked["messages"])
        self._id = f"chatcmpl-{zlib.crc32(self._prompt.encode()):08x}"

    def object(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        kind = kind or "chat.completion.chunk"
        return {"id": self._id, "object": kind, "created": int(time.time()), "model": self.model, "choices": choices}

    def delta(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        return _event(self.object("", [{"index": 0, "delta": delta, "finish_reason": finish_reason}]))

    def usage(self, completion_tokens: int) -> dict[str, int]:
        prompt = len(self._prompt) // 4
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt + completion_tokens,
        }


def _answer(behaviour: ChatBehaviour, asked: dict[str, Any]) -> tuple[list[str], str]:
    """The pieces of the answer and why it ends, after the stop strings and the token limit that were asked for."""
    if behaviour.deltas is not None:
        return list(behaviour.deltas), behaviour.finish_reason
    text = small_talk(asked["messages"]) if behaviour.text is None else behaviour.text
    stops = asked.get("stop") or []
    for stop in [stops] if isinstance(stops, str) else stops:
        text = text.partition(stop)[0]
    pieces = tokens(text)
    limit = asked.get("max_completion_tokens") or asked.get("max_tokens")
    if limit and len(pieces) > limit:
        return pieces[:limit], "length"
    return pieces, behaviour.finish_reason


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "loopback"}


def _picture(url: str) -> Picture:
    head, _, data = url.partition(",")
    return Picture(head.removeprefix("data:").partition(";")[0], base64.b64decode(data))

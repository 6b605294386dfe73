"""A chat server of the OpenAI kind: completions streamed or whole, models, Azure's paths, pictures as input, fine-tuning.

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

from loopback.services.chat_oddities import ChatBehaviour, field_refusal, prompt_refusal, words_of
from loopback.services.chat_tuning import Tuning
from loopback.services.chat_tuning_http import TuningPaths
from loopback.services.http_service import BEHAVIOUR, RECORDED, HttpService
from loopback.services.small_talk import small_talk, tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loopback.services.service import Behaviour

MAIN = "/chat/completions"
ERROR_TYPES = {
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    403: ("invalid_request_error", "forbidden", "You are not allowed to use this model."),
    404: ("invalid_request_error", "model_not_found", "The model does not exist or you do not have access to it."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached."),
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that came with a message."""

    media_type: str
    data: bytes


class Chat(HttpService[ChatBehaviour]):
    """The chat server. `api_key`, if set, is demanded; `models` are the only ones known, if any are named.

    `tuning` has the files and jobs of fine-tuning.
    """

    behaviour: ClassVar[type[Behaviour]] = ChatBehaviour
    main: ClassVar[tuple[str, ...]] = (MAIN,)

    def __init__(
        self, *, models: Iterable[str] = (), api_key: str | None = None, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        super().__init__(host=host, port=port)
        self.models = tuple(models)
        self.api_key = api_key
        self.tuning = Tuning()

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
            web.get("/login", self._show_login),
            *TuningPaths(self.tuning, self._may_enter, self.refused).routes(),
        ]

    def failure(self, status: int, words: str) -> dict[str, Any]:
        """OpenAI's error object."""
        kind, code, usual = ERROR_TYPES.get(status, ("server_error", None, "The server had an error."))
        return {"error": {"message": words or usual, "type": kind, "param": None, "code": code}}

    def refusal(self, behaviour: ChatBehaviour) -> web.Response:
        """An error answer with the code, or the body, that its behaviour names."""
        if behaviour.body is not None:
            return _raw(behaviour)
        body = self.failure(behaviour.status, behaviour.error)
        if behaviour.error_code is not None:
            body["error"]["code"] = behaviour.error_code
        return web.json_response(body, status=behaviour.status, headers=behaviour.headers)

    async def _show_login(self, _request: web.Request) -> web.Response:
        return web.Response(text="<!DOCTYPE html><title>Log in</title>", content_type="text/html")

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
        behaviour = cast("ChatBehaviour", request[BEHAVIOUR])
        if behaviour.body is not None:
            return _raw(behaviour)
        if not self._may_enter(request):
            return self.refused(401)
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
        if refused := prompt_refusal(behaviour, asked) or field_refusal(behaviour, asked):
            return web.json_response(refused.body, status=refused.status)
        if asked.get("stream") and not behaviour.whole:
            return await self._stream(request, _Completion(model, asked, azure=azure), pieces, reason)
        completion = _Completion(model, asked, azure=azure)
        content = words_of(behaviour, "".join(pieces))
        message = {"role": "assistant", "content": content, "refusal": behaviour.refusal or None}
        if behaviour.reasoning:
            message[behaviour.thoughts] = behaviour.reasoning
        body = completion.object("chat.completion", [{"index": 0, "message": message, "finish_reason": reason}])
        headers = {"Content-Type": behaviour.answer_type or "application/json", **behaviour.headers}
        return web.Response(text=json.dumps(body | {"usage": completion.usage(len(pieces))}), headers=headers)

    async def _stream(
        self, request: web.Request, completion: _Completion, pieces: list[str], reason: str | None
    ) -> web.StreamResponse:
        behaviour = cast("ChatBehaviour", request[BEHAVIOUR])
        kind = behaviour.answer_type or "text/event-stream"
        response = web.StreamResponse(headers={"Content-Type": kind, **behaviour.headers})
        await response.prepare(request)
        answer = self.answer(request, response)
        opening = completion.delta({"role": "assistant", "content": ""})
        if completion.azure:
            opening = _event({**completion.object("", []), "prompt_filter_results": []}) + opening
        lead = [completion.delta(_thought(behaviour, part)) for part in tokens(behaviour.reasoning)]
        body = [completion.delta({"content": words_of(behaviour, part)}) for part in pieces]
        body += [completion.delta({"refusal": part}) for part in tokens(behaviour.refusal)]
        events = [*lead, *body][: behaviour.ends_after]
        for number, event in enumerate(events):
            first = b"" if number else behaviour.opening + _shaped(behaviour, opening)
            await self._write(response, answer, first + _shaped(behaviour, event), behaviour.split_bytes)
        if behaviour.ends_after is not None:
            return response
        await answer.finish()
        closing = completion.delta({}, reason)
        if not events:
            closing = opening + closing
        if completion.wants_usage:
            closing += _event(completion.object("", []) | {"usage": completion.usage(len(pieces))})
        closing += b"data: [DONE]\n\n" if behaviour.done else b""
        await response.write(_shaped(behaviour, closing))
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


def _answer(behaviour: ChatBehaviour, asked: dict[str, Any]) -> tuple[list[str], str | None]:
    """The pieces of the answer and why it ends, after the stop strings and the token limit that were asked for."""
    if behaviour.deltas is not None:
        return list(behaviour.deltas), behaviour.finish_reason
    text = small_talk(asked["messages"]) if behaviour.text is None else behaviour.text
    text = text if behaviour.reply is None else behaviour.reply(asked["messages"])
    stops = asked.get("stop") or []
    for stop in [stops] if isinstance(stops, str) else stops:
        text = text.partition(stop)[0]
    pieces = tokens(text)
    limit = asked.get("max_completion_tokens") or asked.get("max_tokens")
    if limit and len(pieces) > limit:
        return pieces[:limit], "length"
    return pieces, behaviour.finish_reason


def _event(data: dict[str, Any]) -> bytes:
    text = json.dumps(data, ensure_ascii=False)
    try:
        return b"data: " + text.encode() + b"\n\n"
    except UnicodeEncodeError:  # halves of surrogate pairs, which servers send as escapes
        return b"data: " + json.dumps(data).encode() + b"\n\n"


def _shaped(behaviour: ChatBehaviour, events: bytes) -> bytes:
    """Events as this server writes them."""
    if behaviour.noise:
        events = b"".join(behaviour.noise + event + b"\n\n" for event in events.split(b"\n\n") if event)
    if behaviour.event_end != b"\n\n":
        events = events.replace(b"\n\n", behaviour.event_end)
    return events if behaviour.line_end == b"\n" else events.replace(b"\n", behaviour.line_end)


def _thought(behaviour: ChatBehaviour, part: str) -> dict[str, Any]:
    if behaviour.thoughts == "parts":
        return {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": part}]}]}
    return {behaviour.thoughts: part}


def _raw(behaviour: ChatBehaviour) -> web.Response:
    headers = {"Content-Type": behaviour.answer_type or "text/html", **behaviour.headers}
    return web.Response(body=behaviour.body, status=behaviour.status, headers=headers)


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "loopback"}


def _picture(url: str) -> Picture:
    head, _, data = url.partition(",")
    return Picture(head.removeprefix("data:").partition(";")[0], base64.b64decode(data))

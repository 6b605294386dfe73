"""`Models`: asks a model by the name of its route and gives its answer as clean text, piece by piece."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.errors import ModelError
from core.llm.chunks import Piece, read_piece, whole_answer
from core.llm.cleaning import Chain
from core.llm.client import make_client
from core.llm.failures import empty, failure, missing_key, scrubbed
from core.llm.opening import Opening
from core.llm.patience import Patience
from core.llm.routes import Route
from core.llm.stops import Stops
from core.llm.thinking import Thinking
from core.llm.trimming import trim

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from openai import AsyncOpenAI

    from core.config.model import RouteSection
    from core.llm.messages import Message

_log = logging.getLogger(__name__)

DEFAULT = "default"
END = object()
SERVER_STOPS = 4  # more stop strings than this are refused by OpenAI; ours are kept here in any case
RETRY_PAUSE_S = 0.25  # doubled with every try
CHECK_TIMEOUT_S = 5.0
PASSING = (408, 409, 429)  # statuses worth another try, as all of 500 and above


@dataclass(frozen=True, slots=True)
class ModelHealth:
    """How a route is: `problem` is a sentence for the person, empty if there is none."""

    route: str
    reachable: bool
    model_known: bool | None  # None: the server does not tell which models it has
    latency_s: float | None
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Whether prompts can be sent."""
        return not self.problem


class Models:
    """The configured routes and their clients. One is current: it answers when no other is named."""

    def __init__(
        self,
        routes: Mapping[str, Route | RouteSection],
        *,
        environ: Mapping[str, str],
        names: Sequence[str] = (),
    ) -> None:
        """Takes the routes by name, the environment that holds their keys, and what the persona calls itself."""
        self._routes = {
            name: route if isinstance(route, Route) else Route.of(name, route) for name, route in routes.items()
        }
        self._environ = environ
        self._names = tuple(names)
        self._clients: dict[str, AsyncOpenAI] = {}
        self._making = asyncio.Lock()
        self._current = DEFAULT

    @property
    def routes(self) -> Mapping[str, Route]:
        """All routes by name."""
        return self._routes

    @property
    def current(self) -> str:
        """The route that answers when none is named."""
        return self._current

    def use(self, name: str) -> str:
        """Makes a route the current one and gives the name of the one before. Raises `ModelError` if there is none."""
        before, self._current = self._current, self._find(name).name
        return before

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        route: str | None = None,
        temperature: float | None = None,
        names: Sequence[str] = (),
        stop: Sequence[str] = (),
    ) -> AsyncGenerator[str]:
        """The answer as pieces of clean text, as they come.

        Thoughts, role prefixes (also those of `names`), leading blanks and everything from a stop string on are left
        out. Messages that do not fit the route's context are left out from the oldest on. Close the generator
        (`contextlib.aclosing`) or cancel its reader to end the request at the server.

        Raises:
            ModelError: One sentence for the person; the cause is in `__cause__`. Text that came before stays valid.
        """
        chosen = self._find(route or self._current)
        if not chosen.vision and any(message.images for message in messages):
            raise ModelError(f"The model {chosen.model} cannot look at pictures.")
        stops = Stops((*chosen.stop, *stop))
        cleaner = Chain(Thinking(), stops, Opening((*self._names, *names)))
        body = _body(chosen, messages, temperature, (*chosen.stop, *stop))
        said = False
        reason: str | None = None
        async with aclosing(self._pieces(chosen, body)) as pieces:
            async for piece in pieces:
                reason = piece.finish_reason or reason
                text = cleaner.feed(piece.text)
                if text:
                    said = True
                    yield text
                if stops.reached:
                    break
        rest = cleaner.flush()
        if rest:
            yield rest
        elif not said:
            raise empty(chosen, reason)

    async def check(self, route: str | None = None) -> ModelHealth:
        """Whether the server can be reached and knows the model. Never raises a `ModelError`; spends no tokens."""
        name = route or self._current
        started_s = time.monotonic()
        try:
            chosen = self._find(name)
            client = await self._client(chosen)
        except ModelError as error:
            return ModelHealth(name, reachable=False, model_known=None, latency_s=None, problem=error.sentence)
        started_s = time.monotonic()
        from openai import APIStatusError, OpenAIError

        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                page = await client.models.list()
            known = [str(model.id) for model in page.data]
        except TimeoutError:
            problem = f"The model server at {chosen.address} did not answer within {CHECK_TIMEOUT_S:g} seconds."
            return ModelHealth(name, reachable=False, model_known=None, latency_s=None, problem=problem)
        except APIStatusError as error:
            latency_s = time.monotonic() - started_s
            lists_none = error.status_code in (404, 405, 501)  # many servers have no list of models
            problem = "" if lists_none else failure(chosen, error, begun=False).sentence
            return ModelHealth(name, reachable=True, model_known=None, latency_s=latency_s, problem=problem)
        except (OpenAIError, ValueError, TypeError, AttributeError) as error:  # the last three: no list of models
            problem = failure(chosen, error, begun=False).sentence
            return ModelHealth(name, reachable=False, model_known=None, latency_s=None, problem=problem)
        latency_s = time.monotonic() - started_s
        if chosen.kind == "azure":  # lists base models, while routes name deployments
            return ModelHealth(name, reachable=True, model_known=None, latency_s=latency_s)
        has = any(model == chosen.model or model.startswith(f"{chosen.model}:") for model in known)
        problem = "" if has else _unknown(chosen, known)
        return ModelHealth(name, reachable=True, model_known=has, latency_s=latency_s, problem=problem)

    async def close(self) -> None:
        """Closes all connections; a later prompt opens them again."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.close()

    async def _pieces(self, route: Route, body: dict[str, Any]) -> AsyncGenerator[Piece]:
        """The raw pieces of an answer; tries again while nothing of it has come."""
        client = await self._client(route)
        key = self._key(route)
        from openai import OpenAIError

        patience = Patience(route)
        for attempt in itertools.count():
            begun = False
            try:
                async with aclosing(_ask(client, body, patience)) as pieces:
                    async for piece in pieces:
                        begun = begun or piece.begins
                        yield piece
                return
            except (OpenAIError, ValueError, TypeError, AttributeError) as error:  # the last three: garbage
                pause_s = _pause(error, attempt)
                if begun or pause_s is None or attempt >= route.retries or pause_s >= patience.left_s:
                    raise failure(route, error, begun=begun) from scrubbed(error, key)
                _log.info("model route %s: try %d failed (%s)", route.name, attempt + 1, type(error).__name__)
            await patience.wait(asyncio.sleep(pause_s))

    def _find(self, name: str) -> Route:
        if name in self._routes:
            return self._routes[name]
        if not self._routes:
            raise ModelError("No model is configured; add [model.routes.default] to config.toml.")
        raise ModelError(f"There is no model route named '{name}'; known are: {', '.join(sorted(self._routes))}.")

    def _key(self, route: Route) -> str:
        return self._environ.get(route.api_key_env, "")

    async def _client(self, route: Route) -> AsyncOpenAI:
        key = self._key(route)
        if route.needs_key and not key:
            raise missing_key(route)
        async with self._making:
            if route.name not in self._clients:
                self._clients[route.name] = await asyncio.to_thread(make_client, route, key)
            return self._clients[route.name]


async def _ask(client: AsyncOpenAI, body: dict[str, Any], patience: Patience) -> AsyncGenerator[Piece]:
    """One request. The server sees the connection end as soon as this generator is closed or cancelled."""
    stream = await patience.wait(client.chat.completions.create(**body, stream=True))
    try:
        if "json" in stream.response.headers.get("content-type", ""):  # the server does not stream
            yield whole_answer(await patience.wait(stream.response.aread()))
            return
        while (chunk := await patience.wait(anext(stream, END))) is not END:
            piece = read_piece(chunk)
            if piece.begins:
                patience.begin()
            yield piece
    finally:
        await stream.close()


def _body(route: Route, messages: Sequence[Message], temperature: float | None, stops: Sequence[str]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": route.model,
        "messages": [message.payload() for message in trim(messages, None, route.prompt_tokens)],
    }
    chosen = route.temperature if temperature is None else temperature
    if chosen is not None:
        body["temperature"] = chosen
    if route.max_tokens is not None:
        body["max_tokens"] = route.max_tokens
    if stops:
        body["stop"] = list(stops[:SERVER_STOPS])
    if route.extra_body:
        body["extra_body"] = dict(route.extra_body)
    return body


def _pause(error: Exception, attempt: int) -> float | None:
    """How long to wait before another try, in seconds; None if another would end the same."""
    from openai import APIConnectionError, APIStatusError

    pause_s = RETRY_PAUSE_S * 2**attempt
    if isinstance(error, APIConnectionError):
        return pause_s
    if isinstance(error, APIStatusError) and (error.status_code in PASSING or error.status_code >= 500):
        asked = error.response.headers.get("retry-after", "")
        return max(pause_s, float(asked)) if asked.replace(".", "", 1).isdecimal() else pause_s
    return None


def _unknown(route: Route, known: Sequence[str]) -> str:
    some = ", ".join(known[:5]) or "none"
    return f"The model server at {route.address} does not know the model {route.model}; it has: {some}."

"""`Models`: asks a model by the name of its route and yields its answer as clean text, piece by piece."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import ModelError
from core.llm.answers import BrokenOffError, WebPageError
from core.llm.asking import ask, pause_after
from core.llm.chunks import ServerSaidError
from core.llm.cleaner import Cleaner
from core.llm.client import make_client
from core.llm.deadline import Deadline
from core.llm.failures import cut_short, empty, failure, missing_key, refusal, scrubbed, told
from core.llm.messages import ModelRequest
from core.llm.quirks import Quirks
from core.llm.routes import Route
from core.names import term
from core.surrogates import mended

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from openai import AsyncOpenAI

    from core.config.model import RouteSection
    from core.llm.chunks import Piece
    from core.llm.messages import ChatMessage

_log = logging.getLogger(__name__)

DEFAULT = "default"
STRAY = (
    "model route %s: its answer began inside a thought that is not marked, and was spoken with it; the next ones are held "
    'back up to the end of a thought; set reasoning = "starts_inside" for it'
)
CHECK_TIMEOUT_S = 5.0
# Of an answer's bytes; the last is JSON that is nested too deeply.
FAULTS = (ServerSaidError, BrokenOffError, WebPageError, ValueError, TypeError, AttributeError, RecursionError)


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
        self._quirks: dict[str, Quirks] = {}
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
        """Makes a route the current one and returns the name of the one before. Raises `ModelError` if there is none."""
        before, self._current = self._current, self._find(name).name
        return before

    def add(self, route: Route) -> None:
        """Know another route from now on, or know it anew; nothing asks it before it is named."""
        self._routes[route.name] = route

    async def client(self, name: str) -> AsyncOpenAI:
        """The client of a route, for what is no chat. It neither retries nor is it to be closed.

        Raises:
            ModelError: There is no such route, or its key is missing.
        """
        return await self._client(self._find(name))

    def key(self, name: str) -> str:
        """The key of a route, to be kept out of what is shown; empty if it has none."""
        return self._key(self._find(name))

    def scrubbed(self, name: str, error: Exception) -> Exception:
        """An error for the log, without the key of the route if a server repeated it."""
        return scrubbed(error, self.key(name))

    def request(
        self, messages: Sequence[ChatMessage], *, route: str | None = None, temperature: float | None = None
    ) -> ModelRequest:
        """What `stream` would ask, as it is kept to be learned from.

        Raises:
            ModelError: There is no such route.
        """
        chosen = self._find(route or self._current)
        asked = chosen.temperature if temperature is None else temperature
        return ModelRequest(tuple(messages), chosen.name, chosen.model, asked)

    async def stream(
        self,
        messages: Sequence[ChatMessage],
        *,
        route: str | None = None,
        temperature: float | None = None,
        names: Sequence[str] = (),
        stop: Sequence[str] = (),
        max_tokens: int | None = None,
        spent: Callable[[int], object] | None = None,
    ) -> AsyncGenerator[str]:
        """The answer as pieces of clean text, as they come.

        Thoughts, role prefixes (also those of `names`), leading blanks and everything from a stop string on are left
        out. Messages that do not fit the route's context are left out from the oldest on. Close the generator
        (`contextlib.aclosing`) or cancel its reader to end the request at the server. `max_tokens` holds where the route
        allows more; `spent` is told how many tokens prompt and answer cost, if the server tells.

        Raises:
            ModelError: One sentence for the person; the cause is in `__cause__`. Text that came before stays valid.
        """
        chosen = self._find(route or self._current)
        if not chosen.vision and any(message.images for message in messages):
            raise ModelError(f"The model {chosen.model} cannot look at pictures.")
        stops = (*chosen.stop, *stop)
        quirks = self._quirks_of(chosen)
        sure = chosen.reasoning == "starts_inside"
        cleaner = Cleaner(
            (*self._names, *names), stops, starts_inside=sure or quirks.starts_inside, unless_unended=not sure
        )
        answer = _Answer(chosen, spent)
        problem: ModelError | None = None
        asked = _Asked(messages, temperature, stops, max_tokens, usage=spent is not None)
        try:
            async with aclosing(self._pieces(chosen, asked)) as pieces:
                async for piece in pieces:
                    answer.take(piece)
                    if piece.thought:
                        cleaner.thinking.apart()
                    text = cleaner.feed(piece.text)
                    if text:
                        answer.said = True
                        yield text
                    if cleaner.ended:
                        break
        except ModelError as error:  # what is still held back was said before it
            problem = error
        rest = cleaner.flush()
        if rest:
            answer.said = True
            yield rest
        if cleaner.thinking.stray and not sure:
            quirks.starts_inside = True
            _log.warning(STRAY, chosen.name)
        elif cleaner.thinking.unended and problem is None:
            quirks.starts_inside = False
        answer.thought = answer.thought or cleaner.thinking.thought
        problem = problem or answer.problem(complete=cleaner.ended)
        if problem is not None:
            raise problem

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
        except (OpenAIError, *FAULTS) as error:  # the latter: no list of models
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

    async def _pieces(self, route: Route, asked: _Asked) -> AsyncGenerator[Piece]:
        """The raw pieces of an answer; while nothing of it has come, tries again, and otherwise if the server says how."""
        client = await self._client(route)
        from openai import OpenAIError

        quirks = self._quirks_of(route)
        patience = Deadline(route)
        budget, shortened, tries = quirks.budget(route), False, 0
        while True:
            body = quirks.body(
                route, asked.messages, budget, asked.temperature, asked.stops, asked.max_tokens, usage=asked.usage
            )
            begun = False
            try:
                async with aclosing(ask(client, body, patience)) as pieces:
                    async for piece in pieces:
                        begun = begun or piece.begins
                        yield piece
                return
            except (OpenAIError, *FAULTS) as error:
                refused = told(error)
                if refused is not None and not begun:
                    if quirks.learn(refused, body):
                        _log.info("model route %s: asked in another way from now on: %s", route.name, quirks)
                        continue
                    if refused.too_long and not shortened:
                        shorter = quirks.shorten(refused, route, budget, asked.messages)
                        shortened = shorter is not None
                        budget = shorter or budget
                        if shortened:
                            _log.info("model route %s: the prompt was too long; trying %d tokens", route.name, budget)
                            continue
                pause_s = None if begun else pause_after(error, refused, tries)
                if pause_s is None or tries >= route.retries or pause_s >= patience.left_s:
                    raise failure(route, error, begun=begun) from scrubbed(error, self._key(route))
                tries += 1
                _log.info("model route %s: try %d failed (%s)", route.name, tries, type(error).__name__)
            await patience.wait(asyncio.sleep(pause_s))

    def _quirks_of(self, route: Route) -> Quirks:
        return self._quirks.setdefault(route.name, Quirks.of(route))

    def _find(self, name: str) -> Route:
        if name in self._routes:
            return self._routes[name]
        if not self._routes:
            raise ModelError("No model is configured; add [model.routes.default] to config.toml.")
        raise ModelError(
            f"There is no model route named '{term(name)}'; known are: {', '.join(term(each) for each in sorted(self._routes))}."
        )

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


@dataclass(frozen=True, slots=True)
class _Asked:
    messages: Sequence[ChatMessage]
    temperature: float | None
    stops: Sequence[str]
    max_tokens: int | None
    usage: bool


class _Answer:
    """What is known of an answer, to tell at its end whether it is one."""

    def __init__(self, route: Route, spent: Callable[[int], object] | None) -> None:
        self._route = route
        self._spent = spent
        self._reason: str | None = None
        self._refusal: list[str] = []
        self.thought = False
        self.said = False

    def take(self, piece: Piece) -> None:
        """Note what a piece brought, besides text."""
        self._reason = piece.finish_reason or self._reason
        if piece.refusal:
            self._refusal.append(piece.refusal)
        self.thought = self.thought or piece.thought
        if piece.spent and self._spent is not None:
            self._spent(piece.spent)

    def problem(self, *, complete: bool) -> ModelError | None:
        """What the person has to be told, if anything. `complete`: a stop string ended it."""
        if self._refusal:
            return refusal(self._route, mended("".join(self._refusal)))
        if not self.said:
            return empty(self._route, self._reason, thought=self.thought)
        return None if complete else cut_short(self._route, self._reason)


def _unknown(route: Route, known: Sequence[str]) -> str:
    some = ", ".join(term(each) for each in known[:5]) or "none"
    return f"The model server at {route.address} does not know the model {route.model}; it has: {some}."

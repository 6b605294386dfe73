"""Remembers what a route's server wants otherwise, learned from its refusals, as long as the process lives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.llm.alternating import alternate, system_first
from core.llm.trimming import message_tokens, trim

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.llm.messages import ChatMessage
    from core.llm.refusals import Refused
    from core.llm.routes import Route

SERVER_STOPS = 4  # more stop strings than this are refused by OpenAI; ours are kept here in any case
SHORTER = 0.5  # of a prompt that was too long goes into the second try
LEAST_TOKENS = 64  # a prompt shorter than this is not made shorter


@dataclass(slots=True)
class Quirks:
    """How one route is asked. `limit_key` carries max_tokens."""

    limit_key: str = "max_tokens"
    limit_settled: bool = False  # nothing else is tried
    temperature: bool = True
    stop: bool = True
    usage: bool = True  # tells what an answer cost, if asked to
    system_role: bool = True
    prompt_tokens: int | None = None  # the server takes no more
    starts_inside: bool = False  # the last answer began inside a thought that was not marked

    @classmethod
    def of(cls, route: Route) -> Quirks:
        """What the configuration says."""
        if route.limit_key == "auto":
            return cls()
        return cls(limit_key=route.limit_key, limit_settled=True)

    def learn(self, refused: Refused, body: dict[str, Any]) -> bool:
        """Whether the same prompt, asked another way, may be taken: that way is known from now on."""
        messages: list[dict[str, Any]] = body["messages"]
        if refused.no_system and self.system_role and messages[0]["role"] == "system":
            self.system_role = False
            return True
        named = refused.parameter
        if named not in body:
            return False
        if named == "temperature":
            self.temperature = False
        elif named == "stop":
            self.stop = False
        elif named == "stream_options":
            self.usage = False
        elif self.limit_settled:
            return False
        else:
            self.limit_key = "max_completion_tokens" if self.limit_key == "max_tokens" else "max_tokens"
            self.limit_settled = True
        return True

    def shorten(self, refused: Refused, route: Route, budget: int, messages: Sequence[ChatMessage]) -> int | None:
        """How long a second try of a prompt that was too long may be, in tokens; None if there is nothing to leave out."""
        tokens = sum(message_tokens(message) for message in trim(system_first(messages), None, budget))
        if tokens <= LEAST_TOKENS:
            return None
        shorter = int(tokens * SHORTER)
        if refused.context_tokens is not None and refused.context_tokens < route.context_tokens:
            self.prompt_tokens = route.room_in(refused.context_tokens)
            shorter = min(shorter, self.prompt_tokens)
        return max(LEAST_TOKENS, shorter)

    def budget(self, route: Route) -> int:
        """How many tokens a prompt may have."""
        return min(route.prompt_tokens, self.prompt_tokens or route.prompt_tokens)

    def body(
        self,
        route: Route,
        messages: Sequence[ChatMessage],
        budget: int,
        temperature: float | None,
        stops: Sequence[str],
        max_tokens: int | None = None,
        *,
        usage: bool = False,
    ) -> dict[str, Any]:
        """The request. `max_tokens` holds if the route allows more; `usage`: the server is to tell what it cost."""
        told = alternate(trim(system_first(messages), None, budget), system_role=self.system_role)
        body: dict[str, Any] = {"model": route.model, "messages": [message.payload() for message in told]}
        chosen = route.temperature if temperature is None else temperature
        if chosen is not None and self.temperature:
            body["temperature"] = chosen
        limits = [limit for limit in (route.max_tokens, max_tokens) if limit is not None]
        if limits:
            body[self.limit_key] = min(limits)
        if usage and self.usage:
            body["stream_options"] = {"include_usage": True}
        if stops and self.stop:
            body["stop"] = list(stops[:SERVER_STOPS])
        if route.extra_body:
            body["extra_body"] = dict(route.extra_body)
        return body

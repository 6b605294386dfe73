"""A server that takes any HTTP request and keeps it: for hooks, web pages and whatever else is only called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

from aiohttp import web

from loopback.services.http_service import BEHAVIOUR, HttpService
from loopback.services.service import Behaviour

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class HookBehaviour(Behaviour):
    """How one call is answered."""

    body: bytes = b'{"ok": true}'
    content_type: str = "application/json"


class Hooks(HttpService[HookBehaviour]):
    """Answers every method on every path; `calls` tells what was called."""

    behaviour: ClassVar[type[Behaviour]] = HookBehaviour

    @property
    def calls(self) -> list[str]:
        """What was called, in order: "POST /unload"."""
        return [f"{recorded.method} {recorded.path}" for recorded in self.requests]

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Everything."""
        return [web.route("*", "/{path:.*}", self._take)]

    async def _take(self, request: web.Request) -> web.StreamResponse:
        behaviour = cast("HookBehaviour", request[BEHAVIOUR])
        response = web.StreamResponse(headers={"Content-Type": behaviour.content_type, **behaviour.headers})
        response.content_length = len(behaviour.body)
        await response.prepare(request)
        answer = self.answer(request, response)
        if behaviour.body:
            await answer.send(behaviour.body)
        await answer.finish()
        return response

"""Users: the caller, others, and the caller's guilds and direct messages."""

from __future__ import annotations

from aiohttp import web

from loopback.rest.app import answer, user_of

routes = web.RouteTableDef()


@routes.get("/users/@me")
async def own_user(request: web.Request) -> web.Response:
    """The caller."""
    return answer(user_of(request).to_own_json())

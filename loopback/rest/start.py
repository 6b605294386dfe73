"""What a client asks first: where the gateway is, and which application it is."""

from __future__ import annotations

from aiohttp import web

from loopback.errors import unknown
from loopback.rest.app import LOOPBACK, answer, user_of

routes = web.RouteTableDef()


@routes.get("/gateway")
async def gateway(request: web.Request) -> web.Response:
    """The gateway's address."""
    return answer({"url": request.app[LOOPBACK].gateway})


@routes.get("/gateway/bot")
async def gateway_bot(request: web.Request) -> web.Response:
    """The gateway's address with the number of shards and session starts left."""
    user_of(request)
    starts = {"total": 1000, "remaining": 999, "reset_after": 14_400_000, "max_concurrency": 1}
    return answer({"url": request.app[LOOPBACK].gateway, "shards": 1, "session_start_limit": starts})


@routes.get("/soundboard-default-sounds")
async def default_sounds(request: web.Request) -> web.Response:
    """The sounds that every user may play: this Discord has none. py-cord asks for them at login."""
    user_of(request)
    return answer([])


@routes.get("/oauth2/applications/@me")
@routes.get("/applications/@me")
async def own_application(request: web.Request) -> web.Response:
    """The caller's application."""
    application = user_of(request).application
    if application is None:
        raise unknown("Application")
    return answer(application.to_json())

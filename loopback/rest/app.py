"""The API application: who is asking, which fault is due, how fast, and how an error is worded."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import web

from loopback.errors import ApiError, RateLimited, not_found, unauthorized

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from loopback.interactions.command_registry import CommandRegistry
    from loopback.interactions.lifecycle import Interactions
    from loopback.rest.faults import Due, Faults
    from loopback.rest.limits import RateLimits
    from loopback.world.users import User
    from loopback.world.world import World

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = logging.getLogger(__name__)


class Backend(Protocol):
    """What the routes answer from."""

    world: World
    registry: CommandRegistry
    interactions: Interactions
    faults: Faults
    limits: RateLimits
    gateway: str
    unknown_routes: list[str]


LOOPBACK: web.AppKey[Backend] = web.AppKey("loopback")
USER: web.RequestKey[User] = web.RequestKey("user")
"""`request[USER]` is the authenticated `User`; absent where a token in the path takes the place of an account."""

PREFIX = "/api/v10"
MAX_BODY_BYTES = 200 * 1024 * 1024
"""What is read at all; more than one upload's limit, so that the limit can be answered in Discord's words."""
_WITHOUT_ACCOUNT = ("/gateway", "/interactions/", "/webhooks/")


def answer(data: Any, status: int = 200) -> web.Response:
    """A JSON answer. The content type carries no charset: discord.py compares it literally."""
    return web.Response(body=json.dumps(data).encode(), status=status, content_type="application/json")


def no_content() -> web.Response:
    """Discord's answer to requests that have nothing to say."""
    return web.Response(status=204)


def user_of(request: web.Request) -> User:
    """The caller; raises 401 where the route let somebody without an account through."""
    user = request.get(USER)
    if user is None:
        raise unauthorized()
    return user


def api_path(request: web.Request) -> str:
    """The request's path without the API's prefix."""
    return request.path.removeprefix(PREFIX)


def make_api(loopback: Backend, tables: Iterable[web.RouteTableDef]) -> web.Application:
    """The API as a sub-application to be mounted at `PREFIX`."""
    api = web.Application(middlewares=[_limit, _apply_faults, _word_errors, _authenticate])
    api[LOOPBACK] = loopback
    for table in tables:
        api.add_routes(table)
    return api


@web.middleware
async def _word_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as error:
        return answer(error.to_json(), error.status)
    except RateLimited as refusal:
        response = _too_many(refusal.retry_after_s, is_global=False, headers=refusal.headers)
        response.headers["X-RateLimit-Scope"] = "shared"
        return response
    except web.HTTPRequestEntityTooLarge:
        return answer({"message": "Request entity too large", "code": 40005}, 413)
    except web.HTTPException as error:
        if error.status not in (404, 405):
            raise
        route = f"{request.method} {api_path(request)}"
        _log.error("unknown route: %s", route)
        request.app[LOOPBACK].unknown_routes.append(route)
        return answer(not_found().to_json(), 404)


@web.middleware
async def _limit(request: web.Request, handler: Handler) -> web.StreamResponse:
    limits = request.app[LOOPBACK].limits
    resource = request.match_info.route.resource
    template = "unknown" if resource is None else resource.canonical
    window = limits.take(request.method, template, request.match_info)
    if window.exceeded:
        return _too_many(window.reset_after_s, is_global=False, headers=window.headers())
    response = await handler(request)
    if "X-RateLimit-Bucket" not in response.headers:
        response.headers.update(window.headers())
    return response


@web.middleware
async def _apply_faults(request: web.Request, handler: Handler) -> web.StreamResponse:
    fault = await fault_of(request)
    return await handler(request) if fault is None else fault


async def fault_of(request: web.Request) -> web.Response | None:
    """What goes wrong with a request, by `Faults`; waits if it is to be slow, and returns None if it is to go on."""
    due: Due = request.app[LOOPBACK].faults.due(request.method, api_path(request))
    if due.delay_s:
        await asyncio.sleep(due.delay_s)
    if due.retry_after_s is not None:
        return _too_many(due.retry_after_s, is_global=due.is_global, headers={})
    if due.status is not None:
        return web.Response(status=due.status, text="upstream connect error", content_type="text/plain")
    return None


@web.middleware
async def _authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    header = request.headers.get("Authorization", "")
    if header:
        user = request.app[LOOPBACK].world.user_of(header.removeprefix("Bot ").removeprefix("Bearer "))
        if user is None:
            raise unauthorized()
        request[USER] = user
    elif request.match_info.http_exception is None and not api_path(request).startswith(_WITHOUT_ACCOUNT):
        raise unauthorized()
    return await handler(request)


def _too_many(retry_after_s: float, *, is_global: bool, headers: dict[str, str]) -> web.Response:
    """Discord's 429; without `Via` discord.py takes it for a ban by the proxy in front."""
    body = {"message": "You are being rate limited.", "retry_after": retry_after_s, "global": is_global}
    response = answer(body, 429)
    response.headers.update(headers)
    response.headers["Via"] = "1.1 google"
    response.headers["Retry-After"] = str(max(1, round(retry_after_s)))
    response.headers["X-RateLimit-Scope"] = "global" if is_global else "user"
    if is_global:
        response.headers["X-RateLimit-Global"] = "true"
    return response

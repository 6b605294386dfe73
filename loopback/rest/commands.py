"""Application commands, global and of one guild: list, bulk overwrite, create, edit, delete."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aiohttp import web

from loopback.errors import ApiError, missing_access, unknown
from loopback.rest.app import LOOPBACK, answer, no_content, user_of

if TYPE_CHECKING:
    from loopback.interactions.command_registry import CommandRegistry

routes = web.RouteTableDef()

GLOBAL = r"/applications/{application_id:\d+}/commands"
OF_GUILD = r"/applications/{application_id:\d+}/guilds/{guild_id:\d+}/commands"


def _scope(request: web.Request) -> tuple[int, int | None]:
    """The application and guild addressed; only the application's own bot may touch its commands."""
    application_id = int(request.match_info["application_id"])
    user = user_of(request)
    if user.application is None or user.application.id != application_id:
        raise ApiError(403, 20012, "You are not authorized to perform this action on this application")
    if "guild_id" not in request.match_info:
        return application_id, None
    guild_id = int(request.match_info["guild_id"])
    guild = request.app[LOOPBACK].world.guilds.get(guild_id)
    if guild is None:
        raise unknown("Guild")
    if user.id not in guild.members:
        raise missing_access()
    return application_id, guild_id


def _registry(request: web.Request) -> CommandRegistry:
    return request.app[LOOPBACK].registry


async def _body(request: web.Request) -> object:
    try:
        return json.loads(await request.text())
    except ValueError:
        raise ApiError(400, 50109, "The request body contains invalid JSON.") from None


@routes.get(GLOBAL)
@routes.get(OF_GUILD)
async def list_commands(request: web.Request) -> web.Response:
    """All commands of the scope."""
    return answer(_registry(request).all(*_scope(request)))


@routes.put(GLOBAL)
@routes.put(OF_GUILD)
async def overwrite_commands(request: web.Request) -> web.Response:
    """Replace all commands of the scope; answers them with their ids."""
    return answer(_registry(request).overwrite(*_scope(request), await _body(request)))


@routes.post(GLOBAL)
@routes.post(OF_GUILD)
async def create_command(request: web.Request) -> web.Response:
    """Add one command, or overwrite the one of that name."""
    command, is_new = _registry(request).create(*_scope(request), await _body(request))
    return answer(command, 201 if is_new else 200)


@routes.get(GLOBAL + r"/{command_id:\d+}")
@routes.get(OF_GUILD + r"/{command_id:\d+}")
async def get_command(request: web.Request) -> web.Response:
    """One command."""
    return answer(_registry(request).get(*_scope(request), int(request.match_info["command_id"])))


@routes.patch(GLOBAL + r"/{command_id:\d+}")
@routes.patch(OF_GUILD + r"/{command_id:\d+}")
async def edit_command(request: web.Request) -> web.Response:
    """Change some fields of one command."""
    command_id = int(request.match_info["command_id"])
    return answer(_registry(request).edit(*_scope(request), command_id, await _body(request)))


@routes.delete(GLOBAL + r"/{command_id:\d+}")
@routes.delete(OF_GUILD + r"/{command_id:\d+}")
async def delete_command(request: web.Request) -> web.Response:
    """Remove one command."""
    _registry(request).delete(*_scope(request), int(request.match_info["command_id"]))
    return no_content()


@routes.get(OF_GUILD + "/permissions")
async def list_permissions(request: web.Request) -> web.Response:
    """Overwrites of who may use which command: nobody has set any here."""
    _scope(request)
    return answer([])


@routes.get(OF_GUILD + r"/{command_id:\d+}/permissions")
async def get_permissions(request: web.Request) -> web.Response:
    """Overwrites of one command: 10066 as long as nobody has set any."""
    application_id, guild_id = _scope(request)
    _registry(request).get(application_id, guild_id, int(request.match_info["command_id"]))
    raise ApiError(404, 10066, "Unknown application command permissions")

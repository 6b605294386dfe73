"""Users: the caller, others, and the caller's guilds and direct messages."""

from __future__ import annotations

from aiohttp import web

from loopback.errors import ApiError, FormErrors, invalid_form, missing_access, unknown
from loopback.rest.access import id_in, world_of
from loopback.rest.app import answer, no_content, user_of
from loopback.rest.forms import read_json
from loopback.rest.profile_pictures import check_pace, picture_of
from loopback.world.guilds import ChannelKind
from loopback.world.rights import in_guild

routes = web.RouteTableDef()


@routes.get("/users/@me")
async def own_user(request: web.Request) -> web.Response:
    """The caller."""
    return answer(user_of(request).to_own_json())


@routes.patch("/users/@me")
async def edit_own_user(request: web.Request) -> web.Response:
    """Change the caller's name or avatar (a data URI, or null for none)."""
    user = user_of(request)
    body = await read_json(request)
    errors = FormErrors()
    name = body.get("username")
    if name is not None and not 2 <= len(name) <= 32:
        errors.length(("username",), 2, 32)
    avatar = picture_of(body["avatar"], "avatar", errors) if "avatar" in body else None
    if avatar is not None and not errors:
        check_pace(request, user.id, errors)
    if errors:
        raise invalid_form(errors.tree)
    world_of(request).edit_user(user, name=name, avatar=avatar)
    return answer(user.to_own_json())


@routes.get("/users/@me/guilds")
async def own_guilds(request: web.Request) -> web.Response:
    """The guilds the caller is in."""
    user = user_of(request)
    after, limit = int(request.query.get("after", 0)), int(request.query.get("limit", 200))
    mine = [guild for guild in world_of(request).guilds.values() if user.id in guild.members and guild.id > after]
    return answer(
        [
            {
                "id": str(guild.id),
                "name": guild.name,
                "icon": None,
                "owner": guild.owner_id == user.id,
                "permissions": str(int(in_guild(guild, user))),
                "features": [],
            }
            for guild in mine[:limit]
        ]
    )


@routes.delete("/users/@me/guilds/{guild_id}")
async def leave_guild(request: web.Request) -> web.Response:
    """Leave a guild."""
    user = user_of(request)
    guild = world_of(request).guilds.get(id_in(request, "guild_id"))
    if guild is None or user.id not in guild.members:
        raise unknown("Guild")
    world_of(request).remove_member(guild, user)
    return no_content()


@routes.post("/users/@me/channels")
async def open_direct_channel(request: web.Request) -> web.Response:
    """The direct message channel with another user."""
    user = user_of(request)
    recipient = world_of(request).users.get(int((await read_json(request)).get("recipient_id") or 0))
    if recipient is None:
        raise unknown("User")
    if recipient is user or (recipient.bot and user.bot):
        raise ApiError(400, 50007, "Cannot send messages to this user")
    return answer(world_of(request).direct_channel(user, recipient).to_json(user))


@routes.get("/users/@me/channels")
async def direct_channels(request: web.Request) -> web.Response:
    """The caller's direct message channels; always empty for bots, as Discord answers them."""
    user = user_of(request)
    if user.bot:
        return answer([])
    channels = world_of(request).channels.values()
    mine = [one for one in channels if one.kind is ChannelKind.DIRECT and user.id in one.recipient_ids]
    return answer([channel.to_json(user) for channel in mine])


@routes.get("/users/@me/guilds/{guild_id}/member")
async def own_member(request: web.Request) -> web.Response:
    """The caller's member of a guild."""
    guild = world_of(request).guilds.get(id_in(request, "guild_id"))
    if guild is None or user_of(request).id not in guild.members:
        raise missing_access()
    return answer(guild.members[user_of(request).id].to_json())


@routes.get("/users/{user_id:\\d+}")
async def user(request: web.Request) -> web.Response:
    """Any user."""
    found = world_of(request).users.get(id_in(request, "user_id"))
    if found is None:
        raise unknown("User")
    return answer(found.to_json())

"""Members of a guild: reading, nicknames, roles, server mute, moving between voice channels."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web

from loopback.errors import ApiError, FormErrors, invalid_form, missing_permissions, unknown
from loopback.rest.access import guild_of, id_in, member_of, require, world_of
from loopback.rest.app import answer, no_content, user_of
from loopback.rest.forms import read_json
from loopback.rest.guilds import check_below, highest_position
from loopback.rest.profile_pictures import check_pace, picture_of
from loopback.world.permissions import Permission
from loopback.world.rights import in_channel, in_guild

if TYPE_CHECKING:
    from loopback.world.guilds import Guild, Member
    from loopback.world.users import User
    from loopback.world.world import World

routes = web.RouteTableDef()

BIO_LIMIT = 190

_NEEDED = {
    "nick": Permission.MANAGE_NICKNAMES,
    "roles": Permission.MANAGE_ROLES,
    "mute": Permission.MUTE_MEMBERS,
    "deaf": Permission.DEAFEN_MEMBERS,
    "channel_id": Permission.MOVE_MEMBERS,
    "communication_disabled_until": Permission.MODERATE_MEMBERS,
}


@routes.get("/guilds/{guild_id}/members")
async def members(request: web.Request) -> web.Response:
    """The guild's members by id; needs the members intent."""
    guild = guild_of(request)
    application = user_of(request).application
    if application is None or "members" not in application.privileged:
        raise ApiError(403, 50001, "Missing Access")
    after, limit = int(request.query.get("after", 0)), int(request.query.get("limit", 1))
    found = sorted((member for member in guild.members.values() if member.user.id > after), key=lambda one: one.user.id)
    return answer([member.to_json() for member in found[:limit]])


@routes.get("/guilds/{guild_id}/members/search")
async def search(request: web.Request) -> web.Response:
    """Members whose name or nickname starts with the query."""
    guild = guild_of(request)
    start, limit = request.query.get("query", "").casefold(), int(request.query.get("limit", 1))
    found = [one for one in guild.members.values() if one.display_name.casefold().startswith(start)]
    return answer([member.to_json() for member in found[:limit]])


@routes.get("/guilds/{guild_id}/members/{user_id:\\d+}")
async def get(request: web.Request) -> web.Response:
    """One member."""
    return answer(member_of(request, guild_of(request)).to_json())


@routes.patch("/guilds/{guild_id}/members/@me")
async def edit_self(request: web.Request) -> web.Response:
    """Change the caller's own profile in one guild: `avatar`, `banner`, `bio`, and with CHANGE_NICKNAME `nick`."""
    guild = guild_of(request)
    body = await read_json(request)
    if "nick" in body:
        require(in_guild(guild, user_of(request)), Permission.CHANGE_NICKNAME)
    member = guild.members[user_of(request).id]
    errors = FormErrors()
    pictures = {name: picture_of(body[name], name, errors) for name in ("avatar", "banner") if name in body}
    if len(body.get("bio") or "") > BIO_LIMIT:
        errors.length(("bio",), 0, BIO_LIMIT)
    if "avatar" in pictures and not errors:
        check_pace(request, (guild.id, member.user.id), errors)
    if errors:
        raise invalid_form(errors.tree)
    _apply(world_of(request), guild, member, {name: body[name] for name in body if name == "nick"})
    changes: dict[str, Any] = {"bio": body["bio"] or None} if "bio" in body else {}
    if pictures or changes:
        world_of(request).edit_member(guild, member, **changes, **pictures)
    return answer(member.to_json() | {"bio": member.bio or ""})


@routes.patch("/guilds/{guild_id}/members/{user_id:\\d+}")
async def edit(request: web.Request) -> web.Response:
    """Change a member: nick, roles, mute, deaf, channel_id (null throws out of voice), communication_disabled_until."""
    guild = guild_of(request)
    caller = user_of(request)
    member = member_of(request, guild)
    body = {name: value for name, value in (await read_json(request)).items() if name in _NEEDED}
    granted = in_guild(guild, caller)
    for name in body:
        require(granted, _NEEDED[name])
    if "nick" in body or "communication_disabled_until" in body:
        _check_outranked(guild, caller, member)
    if "roles" in body:
        _check_roles(guild, caller, member, body["roles"])
    _apply(world_of(request), guild, member, body)
    return answer(member.to_json())


@routes.put("/guilds/{guild_id}/members/{user_id:\\d+}/roles/{role_id:\\d+}")
async def add_role(request: web.Request) -> web.Response:
    """Give a member a role."""
    return _change_role(request, gives=True)


@routes.delete("/guilds/{guild_id}/members/{user_id:\\d+}/roles/{role_id:\\d+}")
async def remove_role(request: web.Request) -> web.Response:
    """Take a role from a member."""
    return _change_role(request, gives=False)


@routes.delete("/guilds/{guild_id}/members/{user_id:\\d+}")
async def kick(request: web.Request) -> web.Response:
    """Throw a member out of the guild."""
    guild = guild_of(request, Permission.KICK_MEMBERS)
    member = member_of(request, guild)
    _check_outranked(guild, user_of(request), member)
    world_of(request).remove_member(guild, member.user)
    return no_content()


@routes.get("/guilds/{guild_id}/voice-states/{user_id:@me|\\d+}")
async def voice_state(request: web.Request) -> web.Response:
    """Where in voice a member is."""
    guild = guild_of(request)
    asked = request.match_info["user_id"]
    state = guild.voice_states.get(user_of(request).id if asked == "@me" else int(asked))
    if state is None:
        raise unknown("Voice State")
    return answer(state.to_json())


@routes.patch("/guilds/{guild_id}/voice-states/{user_id:@me|\\d+}")
async def edit_voice_state(request: web.Request) -> web.Response:
    """On a stage: bring up to speak, send back, ask to speak. Needs MUTE_MEMBERS, or REQUEST_TO_SPEAK to ask."""
    guild = guild_of(request)
    body = await read_json(request)
    me = user_of(request)
    asked = request.match_info["user_id"]
    state = guild.voice_states.get(me.id if asked == "@me" else int(asked))
    if state is None or state.channel is None:
        raise unknown("Voice State")
    if not state.channel.is_stage or int(body.get("channel_id") or state.channel.id) != state.channel.id:
        raise ApiError(400, 50024, "Cannot execute action on this channel type")
    granted = in_channel(state.channel, me)
    suppress, asks = body.get("suppress"), body.get("request_to_speak_timestamp")
    own = state.member.user is me
    if (suppress is False or not own) and not granted & Permission.MUTE_MEMBERS:
        raise missing_permissions()
    if asks is not None and own and not granted & Permission.REQUEST_TO_SPEAK:
        raise missing_permissions()
    world_of(request).voice.on_stage(state, suppress=suppress, asked_to_speak=asks)
    return no_content()


def _change_role(request: web.Request, *, gives: bool) -> web.Response:
    guild = guild_of(request, Permission.MANAGE_ROLES)
    member = member_of(request, guild)
    role = guild.roles.get(id_in(request, "role_id"))
    if role is None:
        raise unknown("Role")
    check_below(guild, user_of(request), role)
    others = [one for one in member.role_ids if one != role.id]
    world_of(request).edit_member(guild, member, role_ids=[*others, role.id] if gives else others)
    return no_content()


def _check_outranked(guild: Guild, caller: User, member: Member) -> None:
    if member.user is not caller and highest_position(guild, member.user) >= highest_position(guild, caller):
        raise missing_permissions()


def _check_roles(guild: Guild, caller: User, member: Member, wanted: list[str]) -> None:
    ids = {int(one) for one in wanted}
    if ids - guild.roles.keys():
        raise unknown("Role")
    for role_id in ids ^ set(member.role_ids):
        check_below(guild, caller, guild.roles[role_id])


def _apply(world: World, guild: Guild, member: Member, body: dict[str, Any]) -> None:
    errors = FormErrors()
    if len(body.get("nick") or "") > 32:
        errors.length(("nick",), 0, 32)
        raise invalid_form(errors.tree)
    in_voice = member.user.id in guild.voice_states
    if body.keys() & {"mute", "deaf", "channel_id"} and not in_voice:
        raise ApiError(400, 40032, "Target user is not connected to voice.")
    changes: dict[str, Any] = {}
    if "nick" in body:
        changes["nick"] = body["nick"] or None
    if "roles" in body:
        changes["role_ids"] = [int(one) for one in body["roles"]]
    if body.get("mute") is not None:
        changes["muted"] = bool(body["mute"])
    if body.get("deaf") is not None:
        changes["deafened"] = bool(body["deaf"])
    if "communication_disabled_until" in body:
        until = body["communication_disabled_until"]
        changes["timed_out_until"] = None if until is None else datetime.datetime.fromisoformat(until)
    if changes:
        world.edit_member(guild, member, **changes)
    if "channel_id" in body:
        _move(world, guild, member, body["channel_id"])


def _move(world: World, guild: Guild, member: Member, channel_id: str | None) -> None:
    if channel_id is None:
        world.voice.leave(guild, member.user.id)
        return
    channel = guild.channels.get(int(channel_id))
    if channel is None or not channel.is_voice:
        raise unknown("Channel")
    if not in_channel(channel, member.user) & Permission.CONNECT:
        raise missing_permissions()
    world.voice.move(guild, member.user.id, channel)

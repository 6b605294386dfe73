"""Guilds, their roles and their channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from loopback.errors import FormErrors, invalid_form, missing_permissions, unknown
from loopback.rest.access import guild_of, id_in, world_of
from loopback.rest.app import answer, no_content, user_of
from loopback.rest.channels import channel_attributes
from loopback.rest.forms import read_json
from loopback.world.guilds import ChannelKind
from loopback.world.permissions import Permission
from loopback.world.rights import in_guild

if TYPE_CHECKING:
    from loopback.world.guilds import Guild, Role
    from loopback.world.users import User

routes = web.RouteTableDef()


@routes.get("/guilds/{guild_id}")
async def get(request: web.Request) -> web.Response:
    """A guild."""
    return answer(guild_of(request).to_json())


@routes.get("/guilds/{guild_id}/channels")
async def channels(request: web.Request) -> web.Response:
    """The guild's channels without threads."""
    found = guild_of(request).channels.values()
    return answer([channel.to_json() for channel in found if not channel.is_thread])


@routes.get("/guilds/{guild_id}/soundboard-sounds")
async def sounds(request: web.Request) -> web.Response:
    """The guild's soundboard: this Discord has none."""
    guild_of(request)
    return answer({"items": []})


@routes.post("/guilds/{guild_id}/channels")
async def create_channel(request: web.Request) -> web.Response:
    """A new channel; needs MANAGE_CHANNELS."""
    guild = guild_of(request, Permission.MANAGE_CHANNELS)
    body = await read_json(request)
    errors = FormErrors()
    kind = body.get("type") or 0
    if kind not in set(ChannelKind) - {ChannelKind.DIRECT, ChannelKind.THREAD}:
        errors.add(("type",), "BASE_TYPE_CHOICES", "Value must be one of (0, 2, 4, 13, 15).")
        raise invalid_form(errors.tree)
    attributes = channel_attributes(body, guild)
    if not attributes.get("name"):
        errors.required(("name",))
        raise invalid_form(errors.tree)
    channel = world_of(request).add_channel(guild, ChannelKind(kind), attributes.pop("name"), **attributes)
    return answer(channel.to_json(), 201)


@routes.get("/guilds/{guild_id}/roles")
async def roles(request: web.Request) -> web.Response:
    """The guild's roles."""
    return answer([role.to_json() for role in guild_of(request).roles.values()])


@routes.post("/guilds/{guild_id}/roles")
async def create_role(request: web.Request) -> web.Response:
    """A new role; needs MANAGE_ROLES, and gives away no permission the caller has not."""
    guild = guild_of(request, Permission.MANAGE_ROLES)
    changes = _role_changes(await read_json(request), guild, user_of(request))
    world = world_of(request)
    role = world.add_role(guild, changes.pop("name", "new role"), changes.pop("permissions", Permission(0)), position=1)
    if changes:
        world.edit_role(guild, role, **changes)
    return answer(role.to_json())


@routes.get("/guilds/{guild_id}/roles/{role_id:\\d+}")
async def get_role(request: web.Request) -> web.Response:
    """One role."""
    return answer(_role_of(request, guild_of(request)).to_json())


@routes.patch("/guilds/{guild_id}/roles/{role_id:\\d+}")
async def edit_role(request: web.Request) -> web.Response:
    """Change a role below the caller's highest."""
    guild = guild_of(request, Permission.MANAGE_ROLES)
    role = _role_of(request, guild)
    check_below(guild, user_of(request), role)
    changes = _role_changes(await read_json(request), guild, user_of(request))
    world_of(request).edit_role(guild, role, **changes)
    return answer(role.to_json())


@routes.delete("/guilds/{guild_id}/roles/{role_id:\\d+}")
async def delete_role(request: web.Request) -> web.Response:
    """Delete a role below the caller's highest."""
    guild = guild_of(request, Permission.MANAGE_ROLES)
    role = _role_of(request, guild)
    check_below(guild, user_of(request), role)
    world_of(request).delete_role(guild, role)
    return no_content()


@routes.get("/guilds/{guild_id}/webhooks")
async def webhooks(request: web.Request) -> web.Response:
    """Every webhook of the guild; needs MANAGE_WEBHOOKS."""
    guild = guild_of(request, Permission.MANAGE_WEBHOOKS)
    found = [webhook for webhook in world_of(request).webhooks.values() if webhook.channel.guild is guild]
    return answer([webhook.to_json(user_of(request)) for webhook in found])


@routes.get("/guilds/{guild_id}/threads/active")
async def active_threads(request: web.Request) -> web.Response:
    """The guild's threads."""
    threads = [channel.to_json() for channel in guild_of(request).channels.values() if channel.is_thread]
    return answer({"threads": threads, "members": []})


def highest_position(guild: Guild, user: User) -> float:
    """Where the user stands among the roles; the owner stands above all."""
    if guild.owner_id == user.id:
        return float("inf")
    return max((guild.roles[role_id].position for role_id in guild.members[user.id].role_ids), default=0)


def check_below(guild: Guild, user: User, role: Role) -> None:
    """Raise 50013 unless the role stands below the user's highest."""
    if role.position >= highest_position(guild, user):
        raise missing_permissions()


def _role_of(request: web.Request, guild: Guild) -> Role:
    role = guild.roles.get(id_in(request, "role_id"))
    if role is None:
        raise unknown("Role")
    return role


def _role_changes(body: dict[str, Any], guild: Guild, user: User) -> dict[str, Any]:
    changes = {name: body[name] for name in ("name", "color", "hoist", "mentionable", "position") if name in body}
    if body.get("permissions") is not None:
        changes["permissions"] = Permission(int(body["permissions"]))
        if changes["permissions"] & ~in_guild(guild, user):
            raise missing_permissions()
    return changes

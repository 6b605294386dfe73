"""Channels: reading, changing, deleting, overwrites, typing, voice status, threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from loopback.errors import ApiError, FormErrors, invalid_form, missing_permissions, unknown
from loopback.rest.access import channel_of, id_in, message_of, require, world_of
from loopback.rest.app import answer, no_content, user_of
from loopback.rest.forms import read_json
from loopback.world.guilds import Channel, ChannelKind, Overwrite
from loopback.world.permissions import Permission
from loopback.world.rights import in_channel

if TYPE_CHECKING:
    from loopback.world.guilds import Guild

routes = web.RouteTableDef()

_NAMES = {
    "name": "name",
    "position": "position",
    "topic": "topic",
    "nsfw": "nsfw",
    "bitrate": "bitrate",
    "user_limit": "user_limit",
    "rtc_region": "rtc_region",
    "rate_limit_per_user": "slowmode_s",
}


def channel_attributes(body: dict[str, Any], guild: Guild) -> dict[str, Any]:
    """The body's fields as attributes of `Channel`; 50035 for values out of range."""
    errors = FormErrors()
    attributes = {ours: body[theirs] for theirs, ours in _NAMES.items() if theirs in body}
    if "name" in attributes and not 1 <= len(attributes["name"] or "") <= 100:
        errors.length(("name",), 1, 100)
    if len(attributes.get("topic") or "") > 1024:
        errors.length(("topic",), 0, 1024)
    if not 0 <= (attributes.get("user_limit") or 0) <= 99:
        errors.add(("user_limit",), "NUMBER_TYPE_MAX", "int value should be less than or equal to 99.")
    if "parent_id" in body:
        parent_id = body["parent_id"]
        attributes["parent"] = None if parent_id is None else guild.channels.get(int(parent_id))
    if "permission_overwrites" in body:
        listed = [_overwrite(one) for one in body["permission_overwrites"] or ()]
        attributes["overwrites"] = {overwrite.id: overwrite for overwrite in listed}
    if errors:
        raise invalid_form(errors.tree)
    return attributes


@routes.get("/channels/{channel_id}")
async def get(request: web.Request) -> web.Response:
    """A channel."""
    return answer(channel_of(request).to_json(user_of(request)))


@routes.patch("/channels/{channel_id}")
async def edit(request: web.Request) -> web.Response:
    """Change a channel; needs MANAGE_CHANNELS, and MANAGE_ROLES for overwrites."""
    channel = channel_of(request)
    guild = _guild_of(channel)
    body = await read_json(request)
    granted = in_channel(channel, user_of(request))
    require(granted, Permission.MANAGE_THREADS if channel.is_thread else Permission.MANAGE_CHANNELS)
    if "permission_overwrites" in body:
        require(granted, Permission.MANAGE_ROLES)
    world_of(request).edit_channel(channel, **channel_attributes(body, guild))
    return answer(channel.to_json())


@routes.delete("/channels/{channel_id}")
async def delete(request: web.Request) -> web.Response:
    """Delete a channel; a direct message channel only closes."""
    channel = channel_of(request)
    if channel.guild is None:
        return answer(channel.to_json(user_of(request)))
    needed = Permission.MANAGE_THREADS if channel.is_thread else Permission.MANAGE_CHANNELS
    require(in_channel(channel, user_of(request)), needed)
    shown = channel.to_json()
    world_of(request).delete_channel(channel)
    return answer(shown)


@routes.put("/channels/{channel_id}/permissions/{target_id:\\d+}")
async def set_overwrite(request: web.Request) -> web.Response:
    """Set an overwrite; needs MANAGE_ROLES in the channel, and gives away no permission the caller has not."""
    channel = channel_of(request, Permission.MANAGE_ROLES)
    guild = _guild_of(channel)
    target_id = id_in(request, "target_id")
    overwrite = _overwrite(await read_json(request) | {"id": target_id})
    granted = in_channel(channel, user_of(request))
    before = channel.overwrites.get(target_id, Overwrite(target_id, overwrite.is_member))
    if (overwrite.allow & ~before.allow | overwrite.deny & ~before.deny) & ~granted:
        raise missing_permissions()
    target = guild.members.get(target_id) if overwrite.is_member else guild.roles.get(target_id)
    if target is None:
        raise unknown("Permission overwrite")
    world_of(request).set_overwrite(channel, target, allow=overwrite.allow, deny=overwrite.deny)
    return no_content()


@routes.delete("/channels/{channel_id}/permissions/{target_id:\\d+}")
async def remove_overwrite(request: web.Request) -> web.Response:
    """Take an overwrite away."""
    channel = channel_of(request, Permission.MANAGE_ROLES)
    world_of(request).remove_overwrite(channel, id_in(request, "target_id"))
    return no_content()


@routes.post("/channels/{channel_id}/typing")
async def type_(request: web.Request) -> web.Response:
    """Show the caller as typing."""
    channel = channel_of(request)
    needed = Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES
    require(in_channel(channel, user_of(request)), needed)
    world_of(request).messages.type(channel, user_of(request))
    return no_content()


@routes.put("/channels/{channel_id}/voice-status")
async def set_voice_status(request: web.Request) -> web.Response:
    """Set the line under a voice channel's name; outside of the channel this also needs MANAGE_CHANNELS."""
    channel = channel_of(request, Permission.SET_VOICE_CHANNEL_STATUS)
    guild = _guild_of(channel)
    state = guild.voice_states.get(user_of(request).id)
    if state is None or state.channel is not channel:
        require(in_channel(channel, user_of(request)), Permission.MANAGE_CHANNELS)
    status = (await read_json(request)).get("status")
    if len(status or "") > 500:
        errors = FormErrors()
        errors.length(("status",), 0, 500)
        raise invalid_form(errors.tree)
    world_of(request).set_voice_status(channel, status or None)
    return no_content()


@routes.post("/channels/{channel_id}/threads")
async def start_thread(request: web.Request) -> web.Response:
    """A new public thread of no message."""
    channel = channel_of(request, Permission.CREATE_PUBLIC_THREADS)
    return answer(_new_thread(request, channel, await read_json(request)).to_json(), 201)


@routes.post("/channels/{channel_id}/messages/{message_id:\\d+}/threads")
async def start_thread_of_message(request: web.Request) -> web.Response:
    """A new public thread below a message."""
    channel = channel_of(request, Permission.CREATE_PUBLIC_THREADS)
    message = message_of(request, channel)
    if message.thread is not None:
        raise ApiError(400, 160004, "A thread has already been created for this message")
    message.thread = _new_thread(request, channel, await read_json(request), thread_id=message.id)
    return answer(message.thread.to_json(), 201)


@routes.put("/channels/{channel_id}/thread-members/@me")
async def join_thread(request: web.Request) -> web.Response:
    """Join a thread; everybody here already is in every thread it can see."""
    channel_of(request)
    return no_content()


def _new_thread(
    request: web.Request, parent: Channel, body: dict[str, Any], *, thread_id: int | None = None
) -> Channel:
    guild = _guild_of(parent)
    if parent.kind not in (ChannelKind.TEXT, ChannelKind.FORUM):
        raise ApiError(400, 50024, "Cannot execute action on this channel type")
    name = channel_attributes({"name": body.get("name") or ""}, guild)["name"]
    thread = Channel(
        thread_id or world_of(request).ids.next(),
        ChannelKind.THREAD,
        name,
        guild,
        parent=parent,
        owner_id=user_of(request).id,
    )
    world_of(request).put_channel(thread)
    return thread


def _guild_of(channel: Channel) -> Guild:
    if channel.guild is None:
        raise ApiError(403, 50003, "Cannot execute action on a DM channel")
    return channel.guild


def _overwrite(body: dict[str, Any]) -> Overwrite:
    return Overwrite(
        int(body["id"]),
        int(body.get("type") or 0) == 1,
        Permission(int(body.get("allow") or 0)),
        Permission(int(body.get("deny") or 0)),
    )

"""Finds what a request names and checks that the caller may reach it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopback.errors import ApiError, missing_access, missing_permissions, unknown
from loopback.rest.app import LOOPBACK, user_of
from loopback.world.permissions import Permission
from loopback.world.rights import in_channel, in_guild

if TYPE_CHECKING:
    from aiohttp import web

    from loopback.world.guilds import Channel, Guild, Member
    from loopback.world.messages import Message
    from loopback.world.world import World


def world_of(request: web.Request) -> World:
    """The world behind the request."""
    return request.app[LOOPBACK].world


def id_in(request: web.Request, name: str) -> int:
    """A snowflake of the path; 50035 if it is none."""
    text = request.match_info[name]
    if not text.isdecimal():
        message = f'Value "{text}" is not snowflake.'
        raise ApiError(
            400, 50035, "Invalid Form Body", {name: {"_errors": [{"code": "NUMBER_TYPE_COERCE", "message": message}]}}
        )
    return int(text)


def guild_of(request: web.Request, needed: Permission | None = None) -> Guild:
    """The path's guild, seen by a member who has the needed permission."""
    guild = world_of(request).guilds.get(id_in(request, "guild_id"))
    if guild is None:
        raise unknown("Guild")
    user = user_of(request)
    if user.id not in guild.members:
        raise missing_access()
    if needed is not None:
        require(in_guild(guild, user), needed)
    return guild


def member_of(request: web.Request, guild: Guild) -> Member:
    """The path's member (`user_id`) of the guild."""
    user_id = id_in(request, "user_id")
    member = guild.members.get(user_id)
    if member is None:
        raise unknown("Member" if user_id in world_of(request).users else "User")
    return member


def channel_of(request: web.Request, needed: Permission | None = None) -> Channel:
    """The path's channel: 10003 unknown, 50001 if the caller cannot see it, 50013 if it may not do `needed` there."""
    channel = world_of(request).channels.get(id_in(request, "channel_id"))
    if channel is None:
        raise unknown("Channel")
    granted = in_channel(channel, user_of(request))
    if not granted & Permission.VIEW_CHANNEL:
        raise missing_access()
    if channel.is_voice and not granted & Permission.CONNECT:
        raise missing_access()
    if needed is not None:
        require(granted, needed)
    return channel


def message_of(request: web.Request, channel: Channel) -> Message:
    """The path's message in the channel; 10008 unknown."""
    message = channel.messages.get(id_in(request, "message_id"))
    if message is None:
        raise unknown("Message")
    return message


def require(granted: Permission, needed: Permission) -> None:
    """Raise 50013 unless every needed permission is granted."""
    if granted & needed != needed:
        raise missing_permissions()

"""Attachments and avatars, served by URL as Discord's CDN does."""

from __future__ import annotations

from aiohttp import web

from loopback.rest.app import LOOPBACK, fault_of

routes = web.RouteTableDef()

_PICTURES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}


@routes.get("/attachments/{channel_id:\\d+}/{attachment_id:\\d+}/{filename}")
async def attachment(request: web.Request) -> web.Response:
    """The bytes of an attachment."""
    if (fault := await fault_of(request)) is not None:
        return fault
    found = request.app[LOOPBACK].world.messages.attachments.get(int(request.match_info["attachment_id"]))
    if found is None:
        raise web.HTTPNotFound(text="This content is no longer available.")
    headers = {"Content-Type": found.content_type or "application/octet-stream"}
    return web.Response(body=found.data, headers=headers)


@routes.get("/avatars/{user_id:\\d+}/{filename}")
async def avatar(request: web.Request) -> web.Response:
    """The avatar of a user or a webhook."""
    world, user_id = request.app[LOOPBACK].world, int(request.match_info["user_id"])
    user = world.users.get(user_id) or world.webhooks.get(user_id)
    if user is None or not user.avatar_bytes or not request.match_info["filename"].startswith(user.avatar or "?"):
        raise web.HTTPNotFound
    return _picture(user.avatar_bytes)


@routes.get("/guilds/{guild_id:\\d+}/users/{user_id:\\d+}/{kind:avatars|banners}/{filename}")
async def member_picture(request: web.Request) -> web.Response:
    """The avatar or banner that a member has in one guild only."""
    guild = request.app[LOOPBACK].world.guilds.get(int(request.match_info["guild_id"]))
    member = None if guild is None else guild.members.get(int(request.match_info["user_id"]))
    if member is None:
        raise web.HTTPNotFound
    name, data = member.avatar if request.match_info["kind"] == "avatars" else member.banner
    if name is None or not request.match_info["filename"].startswith(name):
        raise web.HTTPNotFound
    return _picture(data)


def _picture(data: bytes) -> web.Response:
    kind = next((kind for magic, kind in _PICTURES.items() if data.startswith(magic)), "image/png")
    return web.Response(body=data, content_type=kind)

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
    """A user's avatar."""
    user = request.app[LOOPBACK].world.users.get(int(request.match_info["user_id"]))
    if user is None or not user.avatar_bytes or not request.match_info["filename"].startswith(user.avatar or "?"):
        raise web.HTTPNotFound
    kind = next((kind for magic, kind in _PICTURES.items() if user.avatar_bytes.startswith(magic)), "image/png")
    return web.Response(body=user.avatar_bytes, content_type=kind)

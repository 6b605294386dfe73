"""Webhooks: managing them, and posting, editing and deleting through them.

Interaction tokens share these paths; their routes come first and their tokens have a prefix of their own. A webhook of a
channel posts in the channel's threads too, and in a forum nowhere else.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from aiohttp import web

from loopback.errors import ApiError, FormErrors, RateLimited, invalid_form, unknown
from loopback.rest.access import channel_of, id_in, require, world_of
from loopback.rest.app import LOOPBACK, answer, no_content, user_of
from loopback.rest.drafts import changes_of, draft_of
from loopback.rest.forms import read_form, read_json, uploads_of
from loopback.rest.profile_pictures import picture_of
from loopback.world.guilds import ChannelKind
from loopback.world.permissions import Permission
from loopback.world.rights import in_channel

if TYPE_CHECKING:
    from loopback.world.guilds import Channel
    from loopback.world.messages import Message, Webhook
    from loopback.world.world import World

routes = web.RouteTableDef()

WEBHOOKS_LIMIT = 15
_URL_LIMIT = 2048
_TRUE = ("1", "true", "True")
_MANAGED = "/webhooks/{webhook_id:\\d+}"
_OPEN = "/webhooks/{webhook_id:\\d+}/{token}"


@routes.post("/channels/{channel_id}/webhooks")
async def create(request: web.Request) -> web.Response:
    """A new webhook; needs MANAGE_WEBHOOKS."""
    channel = channel_of(request, Permission.MANAGE_WEBHOOKS)
    _check_kind(channel)
    body = await read_json(request)
    name, picture = _checked_name(body.get("name")), _checked_picture(body.get("avatar"))
    _check_room(world_of(request), channel)
    return answer(world_of(request).add_webhook(channel, user_of(request), name, picture).to_json())


@routes.get("/channels/{channel_id}/webhooks")
async def of_channel(request: web.Request) -> web.Response:
    """The webhooks of a channel; needs MANAGE_WEBHOOKS."""
    channel = channel_of(request, Permission.MANAGE_WEBHOOKS)
    found = [one for one in world_of(request).webhooks.values() if one.channel is channel]
    return answer([one.to_json(user_of(request)) for one in found])


@routes.get(_MANAGED)
async def get(request: web.Request) -> web.Response:
    """A webhook; needs MANAGE_WEBHOOKS."""
    return answer(_managed(request).to_json(user_of(request)))


@routes.patch(_MANAGED)
async def edit(request: web.Request) -> web.Response:
    """Change a webhook's `name`, `avatar` or `channel_id`; needs MANAGE_WEBHOOKS, in the new channel too."""
    webhook = _managed(request)
    body = await read_json(request)
    changes = _changes(body)
    if body.get("channel_id") is not None and int(body["channel_id"]) != webhook.channel.id:
        channel = world_of(request).channels.get(int(body["channel_id"]))
        if channel is None or channel.guild is not webhook.channel.guild:
            raise unknown("Channel")
        require(in_channel(channel, user_of(request)), Permission.MANAGE_WEBHOOKS)
        _check_kind(channel)
        _check_room(world_of(request), channel)
        changes["channel"] = channel
    world_of(request).edit_webhook(webhook, **changes)
    return answer(webhook.to_json(user_of(request)))


@routes.delete(_MANAGED)
async def delete(request: web.Request) -> web.Response:
    """Delete a webhook."""
    world_of(request).delete_webhook(_managed(request))
    return no_content()


@routes.get(_OPEN)
async def get_with_token(request: web.Request) -> web.Response:
    """A webhook without the user who made it, for whoever knows the token."""
    return answer(_without_user(_opened(request)))


@routes.patch(_OPEN)
async def edit_with_token(request: web.Request) -> web.Response:
    """Change a webhook's name or avatar, for whoever knows the token; it stays in its channel."""
    webhook = _opened(request)
    world_of(request).edit_webhook(webhook, **_changes(await read_json(request)))
    return answer(_without_user(webhook))


@routes.delete(_OPEN)
async def delete_with_token(request: web.Request) -> web.Response:
    """Delete a webhook, for whoever knows the token."""
    world_of(request).delete_webhook(_opened(request))
    return no_content()


@routes.post(_OPEN)
async def execute(request: web.Request) -> web.Response:
    """Post through a webhook; answers the message only with `?wait=true`."""
    webhook = _opened(request)
    form = await read_form(request)
    channel = _channel(request, webhook)
    if not channel.holds_messages:
        raise ApiError(400, 220001, "Webhooks posted to forum channels must have a thread_name or thread_id")
    draft = draft_of(form.payload, form, channel)
    name = form.payload.get("username")
    origin = {
        "webhook": webhook,
        "webhook_name": None if name is None else _checked_name(name),
        "webhook_avatar": _shown_avatar(form.payload.get("avatar_url")),
    }
    limits = request.app[LOOPBACK].limits
    window = limits.take_shared("webhooks of a channel", webhook.channel.id, limits.webhook_channel)
    if window.exceeded:
        raise RateLimited(window.reset_after_s, window.headers())
    message = world_of(request).messages.create(channel, webhook.creator, draft, **origin)
    return answer(message.to_json()) if request.query.get("wait") in _TRUE else no_content()


@routes.get(_OPEN + "/messages/{message_id:\\d+}")
async def get_message(request: web.Request) -> web.Response:
    """One of the webhook's messages."""
    return answer(_message(request, _opened(request)).to_json())


@routes.patch(_OPEN + "/messages/{message_id:\\d+}")
async def edit_message(request: web.Request) -> web.Response:
    """Edit one of the webhook's messages."""
    message = _message(request, _opened(request))
    form = await read_form(request)
    changes = changes_of(form.payload, message, form)
    uploads = uploads_of(form.files, form.payload.get("attachments"))
    return answer(world_of(request).messages.edit(message, changes, uploads).to_json())


@routes.delete(_OPEN + "/messages/{message_id:\\d+}")
async def delete_message(request: web.Request) -> web.Response:
    """Delete one of the webhook's messages."""
    world_of(request).messages.delete(_message(request, _opened(request)))
    return no_content()


def _managed(request: web.Request) -> Webhook:
    webhook = world_of(request).webhooks.get(id_in(request, "webhook_id"))
    if webhook is None:
        raise unknown("Webhook")
    require(in_channel(webhook.channel, user_of(request)), Permission.MANAGE_WEBHOOKS)
    return webhook


def _opened(request: web.Request) -> Webhook:
    webhook = world_of(request).webhooks.get(id_in(request, "webhook_id"))
    if webhook is None:
        raise unknown("Webhook")
    if webhook.token != request.match_info["token"]:
        raise ApiError(401, 50027, "Invalid Webhook Token")
    return webhook


def _channel(request: web.Request, webhook: Webhook) -> Channel:
    asked = request.query.get("thread_id")
    if asked is None:
        return webhook.channel
    thread = world_of(request).channels.get(int(asked))
    if thread is None or thread.parent is not webhook.channel:
        raise unknown("Channel")
    return thread


def _message(request: web.Request, webhook: Webhook) -> Message:
    message = _channel(request, webhook).messages.get(id_in(request, "message_id"))
    if message is None or message.webhook is not webhook:
        raise unknown("Message")
    return message


def _changes(body: dict[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if "name" in body:
        changes["name"] = _checked_name(body["name"])
    if "avatar" in body:
        changes["avatar"], changes["avatar_bytes"] = _checked_picture(body["avatar"])
    return changes


def _without_user(webhook: Webhook) -> dict[str, Any]:
    shown = webhook.to_json()
    del shown["user"]
    return shown


def _check_kind(channel: Channel) -> None:
    if channel.kind not in (ChannelKind.TEXT, ChannelKind.VOICE, ChannelKind.STAGE, ChannelKind.FORUM):
        raise ApiError(400, 50024, "Cannot execute action on this channel type")


def _check_room(world: World, channel: Channel) -> None:
    if len([one for one in world.webhooks.values() if one.channel is channel]) >= WEBHOOKS_LIMIT:
        raise ApiError(400, 30007, f"Maximum number of webhooks reached ({WEBHOOKS_LIMIT})")


def _checked_picture(value: Any) -> tuple[str | None, bytes]:
    errors = FormErrors()
    picture = picture_of(value, "avatar", errors)
    if errors:
        raise invalid_form(errors.tree)
    return picture


def _shown_avatar(url: Any) -> str | None:
    """The hash under which a message shows the picture of its `avatar_url`; the picture itself is not fetched here."""
    if not url:
        return None
    errors = FormErrors()
    if not str(url).startswith(("http://", "https://")):
        errors.add(("avatar_url",), "URL_TYPE_INVALID_SCHEME", 'Scheme must be one of ("http", "https").')
    elif len(str(url)) > _URL_LIMIT:
        errors.length(("avatar_url",), 0, _URL_LIMIT)
    if errors:
        raise invalid_form(errors.tree)
    return hashlib.blake2s(str(url).encode(), digest_size=16).hexdigest()


def _checked_name(name: Any) -> str:
    errors = FormErrors()
    if not isinstance(name, str) or not 1 <= len(name) <= 80:
        errors.length(("name",), 1, 80)
        raise invalid_form(errors.tree)
    for word in ("clyde", "discord"):
        if word in name.casefold():
            errors.add(("name",), "USERNAME_INVALID_CONTAINS", f'Username cannot contain "{word}"')
            raise invalid_form(errors.tree)
    return name

"""Messages: sending, reading, editing, deleting, pins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from loopback.errors import ApiError, invalid_form
from loopback.gateway.intents import without_content
from loopback.rest.access import channel_of, message_of, require, world_of
from loopback.rest.app import answer, no_content, user_of
from loopback.rest.drafts import changes_of, draft_of
from loopback.rest.forms import read_form, read_json, uploads_of
from loopback.world.events import timestamp
from loopback.world.messages import SUPPRESS_EMBEDS
from loopback.world.permissions import Permission
from loopback.world.rights import in_channel

if TYPE_CHECKING:
    from loopback.world.guilds import Channel
    from loopback.world.messages import Message
    from loopback.world.users import User

routes = web.RouteTableDef()

HISTORY_LIMIT = 100
PINS_LIMIT = 50


def seen_by(message: Message, user: User) -> dict[str, Any]:
    """The message as the user may read it: without content where the application has not the content intent."""
    shown = message.to_json(user)
    if user.application is not None and "content" in user.application.privileged:
        return shown
    guild_id = message.channel.guild_id
    if guild_id is None:
        return shown
    return without_content(shown | {"guild_id": str(guild_id)}, user)


@routes.post("/channels/{channel_id}/messages")
async def send(request: web.Request) -> web.Response:
    """Post a message."""
    user = user_of(request)
    channel = channel_of(request)
    form = await read_form(request)
    _check_may_send(channel, user)
    draft = draft_of(form.payload, form, channel)
    granted = in_channel(channel, user)
    if draft.uploads:
        require(granted, Permission.ATTACH_FILES)
    if draft.embeds:
        require(granted, Permission.EMBED_LINKS)
    if draft.reply_to is not None and not granted & Permission.READ_MESSAGE_HISTORY:
        raise ApiError(400, 160002, "Cannot reply without permission to read message history")
    message = world_of(request).messages.create(channel, user, draft)
    return answer(seen_by(message, user))


@routes.get("/channels/{channel_id}/messages")
async def history(request: web.Request) -> web.Response:
    """Read a channel's messages, newest first."""
    user = user_of(request)
    channel = channel_of(request)
    if not in_channel(channel, user) & Permission.READ_MESSAGE_HISTORY:
        return answer([])
    found = _slice(list(channel.messages.values()), request)
    return answer([seen_by(message, user) for message in reversed(found)])


@routes.get("/channels/{channel_id}/messages/{message_id:\\d+}")
async def get(request: web.Request) -> web.Response:
    """Read one message."""
    channel = channel_of(request, Permission.READ_MESSAGE_HISTORY)
    return answer(seen_by(message_of(request, channel), user_of(request)))


@routes.patch("/channels/{channel_id}/messages/{message_id:\\d+}")
async def edit(request: web.Request) -> web.Response:
    """Edit an own message; of others only embeds can be hidden, with MANAGE_MESSAGES."""
    user = user_of(request)
    channel = channel_of(request)
    message = message_of(request, channel)
    form = await read_form(request)
    if message.author is not user or message.webhook is not None:
        if form.payload.keys() - {"flags"}:
            raise ApiError(403, 50005, "Cannot edit a message authored by another user")
        require(in_channel(channel, user), Permission.MANAGE_MESSAGES)
        hide = int(form.payload.get("flags") or 0) & SUPPRESS_EMBEDS
        flags = (message.flags & ~SUPPRESS_EMBEDS) | hide
        return answer(seen_by(world_of(request).messages.edit(message, {"flags": flags}), user))
    changes = changes_of(form.payload, message, form)
    uploads = uploads_of(form.files, form.payload.get("attachments"))
    return answer(seen_by(world_of(request).messages.edit(message, changes, uploads), user))


@routes.delete("/channels/{channel_id}/messages/{message_id:\\d+}")
async def delete(request: web.Request) -> web.Response:
    """Delete an own message, or another's with MANAGE_MESSAGES."""
    user = user_of(request)
    channel = channel_of(request)
    message = message_of(request, channel)
    if message.author is not user or message.webhook is not None:
        if channel.guild is None:
            raise ApiError(403, 50003, "Cannot execute action on a DM channel")
        require(in_channel(channel, user), Permission.MANAGE_MESSAGES)
    world_of(request).messages.delete(message)
    return no_content()


@routes.post("/channels/{channel_id}/messages/bulk-delete")
async def delete_many(request: web.Request) -> web.Response:
    """Delete 2 to 100 messages at once."""
    channel = channel_of(request, Permission.MANAGE_MESSAGES)
    ids = (await read_json(request)).get("messages") or []
    if not 2 <= len(ids) <= HISTORY_LIMIT:
        raise ApiError(
            400, 50016, "Provided too few or too many messages to delete. Must provide at least 2 and at most 100."
        )
    world_of(request).messages.delete_many(channel, [int(one) for one in ids])
    return no_content()


@routes.get("/channels/{channel_id}/pins")
async def old_pins(request: web.Request) -> web.Response:
    """The pinned messages, newest pin first, as a bare list."""
    user = user_of(request)
    return answer([seen_by(message, user) for message in _pinned(channel_of(request))])


@routes.get("/channels/{channel_id}/messages/pins")
async def pins(request: web.Request) -> web.Response:
    """The pinned messages, newest pin first, with the times of their pins."""
    user = user_of(request)
    found = _pinned(channel_of(request))[: int(request.query.get("limit", PINS_LIMIT))]
    items = [{"pinned_at": timestamp(one.pinned_at), "message": seen_by(one, user)} for one in found]
    return answer({"items": items, "has_more": False})


@routes.put("/channels/{channel_id}/messages/pins/{message_id:\\d+}")
@routes.put("/channels/{channel_id}/pins/{message_id:\\d+}")
async def pin(request: web.Request) -> web.Response:
    """Pin a message."""
    return _set_pin(request, pinned=True)


@routes.delete("/channels/{channel_id}/messages/pins/{message_id:\\d+}")
@routes.delete("/channels/{channel_id}/pins/{message_id:\\d+}")
async def unpin(request: web.Request) -> web.Response:
    """Take a pin away."""
    return _set_pin(request, pinned=False)


def _set_pin(request: web.Request, *, pinned: bool) -> web.Response:
    channel = channel_of(request)
    if not in_channel(channel, user_of(request)) & Permission.PIN_MESSAGES:
        require(in_channel(channel, user_of(request)), Permission.MANAGE_MESSAGES)
    world_of(request).messages.pin(message_of(request, channel), pinned=pinned)
    return no_content()


def _check_may_send(channel: Channel, user: User) -> None:
    if not channel.holds_messages:
        raise ApiError(400, 50008, "Cannot send messages in a non-text channel")
    if any(one is not user and not one.accepts_direct_messages for one in channel.recipients):
        raise ApiError(403, 50007, "Cannot send messages to this user")
    needed = Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES
    require(in_channel(channel, user), needed)


def _pinned(channel: Channel) -> list[Message]:
    pinned = [message for message in channel.messages.values() if message.pinned_at is not None]
    return sorted(pinned, key=lambda message: timestamp(message.pinned_at) or "", reverse=True)


def _slice(messages: list[Message], request: web.Request) -> list[Message]:
    """The part of the history that `before`, `after` or `around` and `limit` ask for, oldest first."""
    query = request.query
    limit = int(query.get("limit", 50))
    if not 1 <= limit <= HISTORY_LIMIT:
        message = f"int value should be between 1 and {HISTORY_LIMIT}."
        raise invalid_form({"limit": {"_errors": [{"code": "NUMBER_TYPE_MAX", "message": message}]}})
    if "after" in query:
        later = [message for message in messages if message.id > int(query["after"])]
        return later[:limit]
    if "around" in query:
        middle = int(query["around"])
        older = [message for message in messages if message.id < middle][-(limit // 2) :] if limit > 1 else []
        newer = [message for message in messages if message.id >= middle]
        return older + newer[: limit - len(older)]
    if "before" in query:
        messages = [message for message in messages if message.id < int(query["before"])]
    return messages[-limit:]

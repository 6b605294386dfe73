"""Reactions: adding, taking away, listing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from loopback.errors import ApiError, unknown
from loopback.rest.access import channel_of, id_in, message_of, require, world_of
from loopback.rest.app import answer, no_content, user_of
from loopback.world.messages import Emoji
from loopback.world.permissions import Permission
from loopback.world.rights import in_channel

if TYPE_CHECKING:
    from loopback.world.messages import Message
    from loopback.world.users import User

routes = web.RouteTableDef()

REACTION_KINDS_LIMIT = 20
_REACTIONS = "/channels/{channel_id}/messages/{message_id:\\d+}/reactions"


@routes.put(_REACTIONS + "/{emoji}/@me")
async def react(request: web.Request) -> web.Response:
    """React to a message; the first of a kind needs ADD_REACTIONS."""
    channel = channel_of(request, Permission.READ_MESSAGE_HISTORY)
    message = message_of(request, channel)
    emoji = _emoji_of(request)
    if emoji not in message.reactions:
        require(in_channel(channel, user_of(request)), Permission.ADD_REACTIONS)
        if len(message.reactions) >= REACTION_KINDS_LIMIT:
            raise ApiError(403, 30010, f"Maximum number of reactions reached ({REACTION_KINDS_LIMIT})")
    world_of(request).messages.react(message, user_of(request), emoji)
    return no_content()


@routes.delete(_REACTIONS + "/{emoji}/@me")
async def unreact(request: web.Request) -> web.Response:
    """Take the own reaction away."""
    message = message_of(request, channel_of(request))
    world_of(request).messages.unreact(message, user_of(request), _emoji_of(request))
    return no_content()


@routes.delete(_REACTIONS + "/{emoji}/{user_id:\\d+}")
async def unreact_other(request: web.Request) -> web.Response:
    """Take somebody else's reaction away, with MANAGE_MESSAGES."""
    message = message_of(request, channel_of(request, Permission.MANAGE_MESSAGES))
    user = world_of(request).users.get(id_in(request, "user_id"))
    if user is None:
        raise unknown("User")
    world_of(request).messages.unreact(message, user, _emoji_of(request))
    return no_content()


@routes.get(_REACTIONS + "/{emoji}")
async def reactors(request: web.Request) -> web.Response:
    """Who reacted with one emoji."""
    message = message_of(request, channel_of(request, Permission.READ_MESSAGE_HISTORY))
    limit, after = int(request.query.get("limit", 25)), int(request.query.get("after", 0))
    users = _after(message, _emoji_of(request), after)
    return answer([user.to_json() for user in users[:limit]])


@routes.delete(_REACTIONS + "/{emoji}")
async def clear_emoji(request: web.Request) -> web.Response:
    """Take away every reaction of one emoji, with MANAGE_MESSAGES."""
    message = message_of(request, channel_of(request, Permission.MANAGE_MESSAGES))
    world_of(request).messages.clear_reactions(message, _emoji_of(request))
    return no_content()


@routes.delete(_REACTIONS)
async def clear(request: web.Request) -> web.Response:
    """Take away every reaction, with MANAGE_MESSAGES."""
    message = message_of(request, channel_of(request, Permission.MANAGE_MESSAGES))
    world_of(request).messages.clear_reactions(message)
    return no_content()


def _emoji_of(request: web.Request) -> Emoji:
    text = request.match_info["emoji"]
    if text.isascii() and ":" not in text:  # a plain word is no emoji; custom ones are name:id
        raise ApiError(400, 10014, "Unknown Emoji")
    return Emoji.parse(text)


def _after(message: Message, emoji: Emoji, after: int) -> list[User]:
    return sorted((user for user in message.reactions.get(emoji, ()) if user.id > after), key=lambda user: user.id)

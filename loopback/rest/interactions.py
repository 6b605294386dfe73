"""Interaction callbacks, and the original responses and follow-ups behind an interaction's token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from loopback.errors import ApiError
from loopback.interactions.answers import Answers, callback_answer
from loopback.interactions.callback_form import check_callback
from loopback.interactions.interaction import Callback
from loopback.interactions.lifecycle import TOKEN_PREFIX
from loopback.rest.access import id_in, world_of
from loopback.rest.app import LOOPBACK, answer, no_content
from loopback.rest.drafts import changes_of, draft_of
from loopback.rest.forms import read_form, uploads_of
from loopback.world.messages import Draft

if TYPE_CHECKING:
    from loopback.interactions.interaction import Interaction
    from loopback.rest.forms import Form
    from loopback.world.messages import Message

routes = web.RouteTableDef()

# Webhooks have the same paths; the prefix of the token tells them apart, so these routes must come first.
_TOKEN = "/webhooks/{application_id}/{token:" + TOKEN_PREFIX + "[^/]+}"
_MESSAGE = _TOKEN + "/messages/{message_id:@original|\\d+}"
_TRUE = ("1", "true", "True")


@routes.post("/interactions/{interaction_id}/{token}/callback")
async def callback(request: web.Request) -> web.Response:
    """The first response to an interaction."""
    form = await read_form(request)
    interactions = request.app[LOOPBACK].interactions
    interaction = interactions.to_respond(id_in(request, "interaction_id"), request.match_info["token"])
    kind, data = check_callback(interaction, form.payload)
    try:
        draft, changes = _message_in(interaction, kind, data, form)
    except ApiError as error:
        if error.errors is not None:
            error.errors = {"data": error.errors}
        raise
    Answers(world_of(request).messages).respond(interaction, kind, data, draft, changes)
    interactions.bell.ring()
    if request.query.get("with_response") in _TRUE:
        return answer(callback_answer(interaction))
    return no_content()


@routes.post(_TOKEN)
async def follow_up(request: web.Request) -> web.Response:
    """A further message; right after a deferral it fills the waiting one."""
    form = await read_form(request)
    interaction = _interaction(request)
    draft = draft_of(form.payload, form, interaction.channel)
    message = Answers(world_of(request).messages).follow_up(interaction, draft)
    return _told(request, message)


@routes.get(_MESSAGE)
async def get_message(request: web.Request) -> web.Response:
    """The original response or a follow-up."""
    return answer(_message(request).to_json())


@routes.patch(_MESSAGE)
async def edit_message(request: web.Request) -> web.Response:
    """Change the original response or a follow-up."""
    form = await read_form(request)
    message = _message(request)
    changes = changes_of(form.payload, message, form)
    uploads = uploads_of(form.files, form.payload.get("attachments"))
    return _told(request, Answers(world_of(request).messages).edit(message, changes, uploads))


@routes.delete(_MESSAGE)
async def delete_message(request: web.Request) -> web.Response:
    """Take the original response or a follow-up away."""
    Answers(world_of(request).messages).delete(_message(request))
    request.app[LOOPBACK].interactions.bell.ring()
    return no_content()


def _message_in(
    interaction: Interaction, kind: Callback, data: dict[str, Any], form: Form
) -> tuple[Draft, dict[str, Any]]:
    """The message a callback brings: a draft, and what to change if it updates the component's message."""
    if kind in (Callback.MESSAGE, Callback.DEFER):
        return draft_of(data, form, interaction.channel, may_be_empty=kind is Callback.DEFER), {}
    if kind is Callback.UPDATE and interaction.source is not None:
        changes = changes_of(data, interaction.source, form)
        return Draft(uploads=uploads_of(form.files, data.get("attachments"))), changes
    return Draft(), {}


def _interaction(request: web.Request) -> Interaction:
    interactions = request.app[LOOPBACK].interactions
    return interactions.by_token(id_in(request, "application_id"), request.match_info["token"])


def _message(request: web.Request) -> Message:
    wanted = request.match_info["message_id"]
    return Answers.find(_interaction(request), None if wanted == "@original" else int(wanted))


def _told(request: web.Request, message: Message) -> web.Response:
    """Ephemeral messages make no event: the bell tells the person who may see them."""
    request.app[LOOPBACK].interactions.bell.ring()
    return answer(message.to_json())

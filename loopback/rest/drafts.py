"""Checks message bodies as Discord does and makes drafts of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loopback.errors import ApiError, FormErrors, invalid_form
from loopback.interactions.component_form import check_components
from loopback.rest.forms import Form, uploads_of
from loopback.world.messages import (
    COMPONENTS_V2,
    EPHEMERAL,
    SUPPRESS_EMBEDS,
    SUPPRESS_NOTIFICATIONS,
    VOICE_MESSAGE,
    Draft,
    Message,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loopback.world.guilds import Channel

CONTENT_LIMIT = 2000
EMBEDS_LIMIT = 10
EMBED_TOTAL_LIMIT = 6000
FIELDS_LIMIT = 25
_EMBED_LIMITS = {"title": 256, "description": 4096}
_SETTABLE_FLAGS = SUPPRESS_EMBEDS | EPHEMERAL | SUPPRESS_NOTIFICATIONS | VOICE_MESSAGE | COMPONENTS_V2


def draft_of(payload: Mapping[str, Any], form: Form, channel: Channel, *, may_be_empty: bool = False) -> Draft:
    """A draft of a new message.

    Args:
        payload: The message's part of the body (the whole body, or an interaction callback's `data`).
        form: The body itself, for its files.
        channel: Where it will go, to find the message it replies to.
        may_be_empty: Whether a message without anything in it is right, as for deferred answers.

    Raises:
        ApiError: 50035 with the errors of every field, or 50006 for an empty message.
    """
    errors = FormErrors()
    check_fields(payload, errors)
    _check_components(payload, errors)
    draft = Draft(
        payload.get("content") or "",
        tuple(_embeds(payload)),
        tuple(payload.get("components") or ()),
        uploads_of(form.files, payload.get("attachments")),
        allowed_mentions=payload.get("allowed_mentions"),
        reply_to=_replied(payload, channel, errors),
        flags=int(payload.get("flags") or 0) & _SETTABLE_FLAGS,
        tts=bool(payload.get("tts")),
        nonce=payload.get("nonce"),
    )
    if errors:
        raise invalid_form(errors.tree)
    if not may_be_empty and not (draft.content.strip() or draft.embeds or draft.components or draft.uploads):
        raise ApiError(400, 50006, "Cannot send an empty message")
    return draft


def changes_of(payload: Mapping[str, Any], message: Message, form: Form) -> dict[str, Any]:
    """The fields an edit changes, with None read as empty; raises like `draft_of`."""
    errors = FormErrors()
    check_fields(payload, errors)
    _check_components(payload, errors, message.flags)
    if errors:
        raise invalid_form(errors.tree)
    changes: dict[str, Any] = {}
    if "content" in payload:
        changes["content"] = payload["content"] or ""
    if "embeds" in payload or "embed" in payload:
        changes["embeds"] = _embeds(payload)
    for name in ("components", "attachments"):
        if name in payload:
            changes[name] = payload[name] or []
    if payload.get("flags") is not None:
        editable = SUPPRESS_EMBEDS | COMPONENTS_V2
        changes["flags"] = (message.flags & ~SUPPRESS_EMBEDS) | (int(payload["flags"]) & editable)
    if "allowed_mentions" in payload:
        changes["allowed_mentions"] = payload["allowed_mentions"]
    left = {
        "content": changes.get("content", message.content).strip(),
        "embeds": changes.get("embeds", message.embeds),
        "components": changes.get("components", message.components),
        "attachments": changes.get("attachments", message.attachments) or form.files,
    }
    if not any(left.values()):
        raise ApiError(400, 50006, "Cannot send an empty message")
    return changes


def _check_components(payload: Mapping[str, Any], errors: FormErrors, flags: int = 0) -> None:
    flags |= int(payload.get("flags") or 0)
    check_components(payload.get("components") or (), errors, ("components",), v2=bool(flags & COMPONENTS_V2))


def check_fields(payload: Mapping[str, Any], errors: FormErrors) -> None:
    """Note what is wrong with the fields of a message body."""
    content = payload.get("content")
    if content is not None and not isinstance(content, str):
        errors.add(("content",), "BASE_TYPE_BAD_STRING", "Could not interpret value as string.")
    elif content is not None and len(content) > CONTENT_LIMIT:
        errors.length(("content",), 0, CONTENT_LIMIT)
    embeds = _embeds(payload)
    if len(embeds) > EMBEDS_LIMIT:
        errors.length(("embeds",), 0, EMBEDS_LIMIT)
    for index, embed in enumerate(embeds):
        _check_embed(embed, ("embeds", index), errors)
    if sum(map(_embed_size, embeds)) > EMBED_TOTAL_LIMIT:
        message = f"Embed size exceeds maximum size of {EMBED_TOTAL_LIMIT}"
        errors.add(("embeds",), "MAX_EMBED_SIZE_EXCEEDED", message)
    if int(payload.get("flags") or 0) & COMPONENTS_V2 and (content or embeds):
        message = "The 'content' and 'embeds' fields cannot be used when using MessageFlags.IS_COMPONENTS_V2"
        errors.add(("content",), "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", message)
    _check_allowed_mentions(payload.get("allowed_mentions"), errors)


def _embeds(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    single = payload.get("embed")
    return list(payload.get("embeds") or ()) or ([single] if single else [])


def _check_embed(embed: Mapping[str, Any], path: tuple[str | int, ...], errors: FormErrors) -> None:
    for name, limit in _EMBED_LIMITS.items():
        if len(embed.get(name) or "") > limit:
            errors.length((*path, name), 0, limit)
    if len((embed.get("footer") or {}).get("text") or "") > 2048:
        errors.length((*path, "footer", "text"), 0, 2048)
    if len((embed.get("author") or {}).get("name") or "") > 256:
        errors.length((*path, "author", "name"), 0, 256)
    fields = embed.get("fields") or []
    if len(fields) > FIELDS_LIMIT:
        errors.length((*path, "fields"), 0, FIELDS_LIMIT)
    for index, one in enumerate(fields):
        for name, limit in (("name", 256), ("value", 1024)):
            text = one.get(name) or ""
            if not text:
                errors.required((*path, "fields", index, name))
            elif len(text) > limit:
                errors.length((*path, "fields", index, name), 0, limit)


def _embed_size(embed: Mapping[str, Any]) -> int:
    texts = [embed.get("title"), embed.get("description"), (embed.get("footer") or {}).get("text")]
    texts.append((embed.get("author") or {}).get("name"))
    for one in embed.get("fields") or ():
        texts += [one.get("name"), one.get("value")]
    return sum(len(text or "") for text in texts)


def _check_allowed_mentions(allowed: object, errors: FormErrors) -> None:
    if not isinstance(allowed, dict):
        return
    for kind in ("users", "roles"):
        if kind in (allowed.get("parse") or ()) and allowed.get(kind):
            message = f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.'
            errors.add(("allowed_mentions",), "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", message)


def _replied(payload: Mapping[str, Any], channel: Channel, errors: FormErrors) -> Message | None:
    reference = payload.get("message_reference")
    if not reference or "message_id" not in reference:
        return None
    found = channel.messages.get(int(reference["message_id"]))
    if found is None and reference.get("fail_if_not_exists", True):
        errors.add(("message_reference",), "MESSAGE_REFERENCE_UNKNOWN_MESSAGE", "Unknown message")
    return found

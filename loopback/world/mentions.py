"""Finds whom a message mentions, and who of them is really notified."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from loopback.world.messages import COMPONENTS_V2, Mentions
from loopback.world.permissions import Permission
from loopback.world.rights import in_channel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from loopback.world.guilds import Channel
    from loopback.world.messages import Draft
    from loopback.world.users import User

_USER = re.compile(r"<@!?(\d+)>")
_ROLE = re.compile(r"<@&(\d+)>")
_EVERYONE = re.compile(r"@(everyone|here)\b")
TEXT_DISPLAY = 10


def find_mentions(
    draft: Draft, channel: Channel, author: User, users: Mapping[int, User], *, by_webhook: bool = False
) -> Mentions:
    """Whom the draft mentions with effect.

    Without `allowed_mentions` everything in the text counts, and a reply mentions its author. With it only what it
    lists counts (developer documentation, "Allowed Mentions Object"). Role and everyone mentions also need the
    author's permission, or a mentionable role; webhooks have it always.
    """
    text = "\n".join(_texts(draft))
    allowed = draft.allowed_mentions
    may_ping_all = by_webhook or bool(in_channel(channel, author) & Permission.MENTION_EVERYONE)
    found = Mentions()
    for user_id in _ids(_USER, text):
        if user_id in users and _allows(allowed, "users", user_id):
            found.users.append(users[user_id])
    if draft.reply_to is not None and (allowed is None or allowed.get("replied_user")):
        replied = draft.reply_to.author
        if replied is not author and replied not in found.users and draft.reply_to.webhook is None:
            found.users.append(replied)
    guild = channel.guild
    if guild is None:
        return found
    for role_id in _ids(_ROLE, text):
        role = guild.roles.get(role_id)
        if role is not None and (role.mentionable or may_ping_all) and _allows(allowed, "roles", role_id):
            found.roles.append(role)
    found.everyone = bool(_EVERYONE.search(text)) and may_ping_all and _allows(allowed, "everyone", None)
    return found


def _texts(draft: Draft) -> Iterable[str]:
    yield draft.content
    if draft.flags & COMPONENTS_V2:
        yield from _displayed(draft.components)


def _displayed(components: Iterable[dict[str, Any]]) -> Iterable[str]:
    for component in components:
        if component.get("type") == TEXT_DISPLAY:
            yield component.get("content", "")
        yield from _displayed(component.get("components", ()))


def _ids(pattern: re.Pattern[str], text: str) -> list[int]:
    return list(dict.fromkeys(int(match) for match in pattern.findall(text)))


def _allows(allowed: dict[str, Any] | None, kind: str, mentioned_id: int | None) -> bool:
    if allowed is None or kind in (allowed.get("parse") or ()):
        return True
    listed = allowed.get(kind) or ()
    return mentioned_id is not None and str(mentioned_id) in {str(one) for one in listed}

"""Gateway intents: which events a session asked for, and what it may read of them."""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loopback.world.users import Application, User


class Intent(IntFlag):
    """The intents by Discord's names."""

    GUILDS = 1 << 0
    GUILD_MEMBERS = 1 << 1
    GUILD_MODERATION = 1 << 2
    GUILD_EXPRESSIONS = 1 << 3
    GUILD_INTEGRATIONS = 1 << 4
    GUILD_WEBHOOKS = 1 << 5
    GUILD_INVITES = 1 << 6
    GUILD_VOICE_STATES = 1 << 7
    GUILD_PRESENCES = 1 << 8
    GUILD_MESSAGES = 1 << 9
    GUILD_MESSAGE_REACTIONS = 1 << 10
    GUILD_MESSAGE_TYPING = 1 << 11
    DIRECT_MESSAGES = 1 << 12
    DIRECT_MESSAGE_REACTIONS = 1 << 13
    DIRECT_MESSAGE_TYPING = 1 << 14
    MESSAGE_CONTENT = 1 << 15
    GUILD_SCHEDULED_EVENTS = 1 << 16
    AUTO_MODERATION_CONFIGURATION = 1 << 20
    AUTO_MODERATION_EXECUTION = 1 << 21
    GUILD_MESSAGE_POLLS = 1 << 24
    DIRECT_MESSAGE_POLLS = 1 << 25


KNOWN = sum(Intent)

_NEEDED = {
    "GUILD_CREATE": Intent.GUILDS,
    "GUILD_DELETE": Intent.GUILDS,
    "GUILD_UPDATE": Intent.GUILDS,
    "GUILD_ROLE_CREATE": Intent.GUILDS,
    "GUILD_ROLE_UPDATE": Intent.GUILDS,
    "GUILD_ROLE_DELETE": Intent.GUILDS,
    "CHANNEL_UPDATE": Intent.GUILDS,
    "CHANNEL_DELETE": Intent.GUILDS,
    "THREAD_CREATE": Intent.GUILDS,
    "THREAD_UPDATE": Intent.GUILDS,
    "THREAD_DELETE": Intent.GUILDS,
    "GUILD_MEMBER_ADD": Intent.GUILD_MEMBERS,
    "GUILD_MEMBER_UPDATE": Intent.GUILD_MEMBERS,
    "GUILD_MEMBER_REMOVE": Intent.GUILD_MEMBERS,
    "WEBHOOKS_UPDATE": Intent.GUILD_WEBHOOKS,
    "VOICE_STATE_UPDATE": Intent.GUILD_VOICE_STATES,
    "PRESENCE_UPDATE": Intent.GUILD_PRESENCES,
}
_NEEDED_BY_PLACE = {
    "CHANNEL_CREATE": (Intent.GUILDS, Intent.DIRECT_MESSAGES),
    "CHANNEL_PINS_UPDATE": (Intent.GUILDS, Intent.DIRECT_MESSAGES),
    "MESSAGE_CREATE": (Intent.GUILD_MESSAGES, Intent.DIRECT_MESSAGES),
    "MESSAGE_UPDATE": (Intent.GUILD_MESSAGES, Intent.DIRECT_MESSAGES),
    "MESSAGE_DELETE": (Intent.GUILD_MESSAGES, Intent.DIRECT_MESSAGES),
    "MESSAGE_DELETE_BULK": (Intent.GUILD_MESSAGES, Intent.DIRECT_MESSAGES),
    "MESSAGE_REACTION_ADD": (Intent.GUILD_MESSAGE_REACTIONS, Intent.DIRECT_MESSAGE_REACTIONS),
    "MESSAGE_REACTION_REMOVE": (Intent.GUILD_MESSAGE_REACTIONS, Intent.DIRECT_MESSAGE_REACTIONS),
    "MESSAGE_REACTION_REMOVE_ALL": (Intent.GUILD_MESSAGE_REACTIONS, Intent.DIRECT_MESSAGE_REACTIONS),
    "MESSAGE_REACTION_REMOVE_EMOJI": (Intent.GUILD_MESSAGE_REACTIONS, Intent.DIRECT_MESSAGE_REACTIONS),
    "TYPING_START": (Intent.GUILD_MESSAGE_TYPING, Intent.DIRECT_MESSAGE_TYPING),
    "VOICE_CHANNEL_STATUS_UPDATE": (Intent.GUILDS, Intent.GUILDS),
}
_PRIVILEGED = {
    Intent.GUILD_MEMBERS: "members",
    Intent.GUILD_PRESENCES: "presences",
    Intent.MESSAGE_CONTENT: "content",
}


def disallowed(intents: int, application: Application | None) -> bool:
    """Whether an identify asks for an intent the application was not granted."""
    granted = frozenset() if application is None else application.privileged
    return any(intents & intent and name not in granted for intent, name in _PRIVILEGED.items())


def wants(intents: int, name: str, data: dict[str, Any], user: User) -> bool:
    """Whether a session with these intents receives the event. Events of no intent reach everybody.

    A change of the session's own member and voice state always comes.
    """
    if name in _NEEDED_BY_PLACE:
        in_guild, direct = _NEEDED_BY_PLACE[name]
        return bool(intents & (in_guild if "guild_id" in data else direct))
    if name == "GUILD_MEMBER_UPDATE" and data["user"]["id"] == str(user.id):
        return True
    needed = _NEEDED.get(name)
    return needed is None or bool(intents & needed)


def without_content(message: dict[str, Any], user: User) -> dict[str, Any]:
    """The message as somebody without the content intent reads it.

    Own messages, direct messages and messages that mention the reader keep their content (developer documentation,
    "Message Content Intent").
    """
    direct = "guild_id" not in message
    mentioned = any(one["id"] == str(user.id) for one in message["mentions"])
    if direct or mentioned or message["author"]["id"] == str(user.id):
        return message
    emptied = message | {"content": "", "embeds": [], "attachments": [], "components": []}
    replied = message.get("referenced_message")
    if replied is not None:
        place = {"guild_id": message["guild_id"]}
        emptied["referenced_message"] = without_content(replied | place, user)
    return emptied


def without_members(guild: dict[str, Any], user: User) -> dict[str, Any]:
    """A GUILD_CREATE without the presence intent: only the own member and those in voice."""
    kept = {str(user.id), *(state["user_id"] for state in guild["voice_states"])}
    members = [member for member in guild["members"] if member["user"]["id"] in kept]
    return guild | {"members": members, "presences": []}


def tailored(intents: int, name: str, data: dict[str, Any], user: User) -> dict[str, Any]:
    """The event's data as far as a session with these intents may read it."""
    if name in ("MESSAGE_CREATE", "MESSAGE_UPDATE") and not intents & Intent.MESSAGE_CONTENT:
        return without_content(data, user)
    if name == "GUILD_CREATE":
        if not intents & Intent.GUILD_VOICE_STATES:
            data = data | {"voice_states": []}
        if not intents & Intent.GUILD_PRESENCES:
            return without_members(data, user)
    return data

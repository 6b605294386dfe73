"""What a person has in view: messages of the channels they may see, as they come and change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loopback.world.messages import LOADING
from loopback.world.permissions import Permission
from loopback.world.rights import in_channel

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.waiting import Bell
    from loopback.world.events import Audience
    from loopback.world.guilds import Channel
    from loopback.world.messages import Message
    from loopback.world.users import User
    from loopback.world.world import World

_TOLD = 5


class Eyes:
    """The messages one person saw arrive, channel by channel, and has not read yet.

    A message is unread from its arrival until a wait returns it or one after it. A person's own messages are read.
    """

    def __init__(self, world: World, user: User, bell: Bell) -> None:
        self._world = world
        self._user = user
        self._bell = bell
        self._unread: dict[int, list[Message]] = {}
        world.on_event(self._on_event)

    def sees(self, channel: Channel) -> bool:
        """Whether the client shows this person the channel."""
        return bool(in_channel(channel, self._user) & Permission.VIEW_CHANNEL)

    def history(self, channel: Channel) -> list[Message]:
        """The channel's messages as this person can scroll through them, oldest first."""
        needed = Permission.VIEW_CHANNEL | Permission.READ_MESSAGE_HISTORY
        if in_channel(channel, self._user) & needed != needed:
            return []
        return list(channel.messages.values())

    async def wait_for_message(
        self, channel: Channel, predicate: Callable[[Message], object] | None, timeout: float
    ) -> Message:
        """Return the first unread message that fits, once it does not show "thinking" any more; those before are read."""

        def look() -> Message | None:
            if not self.sees(channel):
                return None
            return next((one for one in self._legible(channel) if predicate is None or predicate(one)), None)

        awaited = f"a message in #{channel.name or channel.id} for {self._user.name}"
        found = await self._bell.until(look, timeout, awaited, lambda: self._told(channel))
        unread = self._unread[channel.id]
        del unread[: unread.index(found) + 1]
        return found

    async def wait_for_edit(
        self, message: Message, predicate: Callable[[Message], object] | None, timeout: float
    ) -> Message:
        """Wait until the message fits (at once if it does already); without a predicate, for its next edit."""
        edits = len(message.revisions)

        def look() -> Message | None:
            if not self.sees(message.channel) or message.deleted:
                return None
            fits = len(message.revisions) > edits if predicate is None else predicate(message)
            return message if fits else None

        def instead() -> str:
            return "it was deleted" if message.deleted else f"it says {message.content[:200]!r}"

        return await self._bell.until(look, timeout, f"an edit of message {message.id}", instead)

    async def wait_for_reaction(self, message: Message, emoji: str | None, timeout: float) -> str:
        """Wait until somebody else put a reaction (any, or this emoji) under the message; returns its name."""

        def look() -> str | None:
            for found, users in message.reactions.items():
                if (emoji is None or found.name == emoji) and any(user is not self._user for user in users):
                    return found.name
            return None

        def instead() -> str:
            return f"reactions {[found.name for found in message.reactions]}"

        return await self._bell.until(look, timeout, f"a reaction {emoji or ''} to message {message.id}", instead)

    def _legible(self, channel: Channel) -> list[Message]:
        unread = self._unread.get(channel.id, [])
        return [message for message in unread if not message.deleted and not message.flags & LOADING]

    def _told(self, channel: Channel) -> str:
        if not self.sees(channel):
            return "the channel is hidden from this person"
        recent = list(channel.messages.values())[-_TOLD:]
        if not recent:
            return "nothing was written there"
        lines = (f"{message.author.name}: {message.content[:80]!r}" for message in recent)
        return "the last messages there are " + "; ".join(lines)

    def _on_event(self, name: str, data: dict[str, Any], audience: Audience) -> None:
        del audience  # who may see a channel is asked when the message is read
        if name == "MESSAGE_CREATE":
            channel = self._world.channels[int(data["channel_id"])]
            message = channel.messages[int(data["id"])]
            if message.author is not self._user and self.sees(channel):
                self._unread.setdefault(channel.id, []).append(message)

"""A person's hands and eyes in text channels: what the client lets them write, and what it shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopback.interactions.answers import may_see
from loopback.people.eyes import Eyes
from loopback.people.picker import as_upload
from loopback.people.refused import Refused
from loopback.waiting import PATIENCE_S
from loopback.world.events import now
from loopback.world.messages import SUPPRESS_NOTIFICATIONS, Draft, Emoji
from loopback.world.permissions import Permission
from loopback.world.rights import in_channel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loopback.people.clients import LocalDiscord
    from loopback.world.guilds import Channel
    from loopback.world.messages import Message
    from loopback.world.users import User

MAX_CHARACTERS = 2000
MAX_FILES = 10
_SILENT = "@silent "


class Writing:
    """Types, replies, uploads, reacts, and reads.

    Args:
        loopback: The Discord the person uses.
        user: The person's account.
    """

    def __init__(self, loopback: LocalDiscord, user: User) -> None:
        self.loopback = loopback
        self.world = loopback.world
        self.user = user
        self.eyes = Eyes(loopback.world, user, loopback.interactions.bell)

    @property
    def token(self) -> str:
        """Opens gateway and REST for this person."""
        return self.user.token

    def dm(self, other: User) -> Channel:
        """The direct message channel with somebody this person shares a guild with."""
        if not any({self.user.id, other.id} <= guild.members.keys() for guild in self.world.guilds.values()):
            raise Refused(f"{self.user.name} and {other.name} share no guild")
        return self.world.direct_channel(self.user, other)

    async def type(
        self,
        channel: Channel,
        text: str,
        *,
        reply_to: Message | None = None,
        ping: bool = True,
        attachments: Sequence[object] = (),
        silent: bool = False,
    ) -> Message:
        """Write a message.

        Args:
            channel: Where; direct message channels come from `dm`.
            text: What; a leading `@silent` works as in the client.
            reply_to: The message replied to.
            ping: Whether a reply mentions its author.
            attachments: Files as `(name, data, content_type)`.
            silent: Whether nobody is notified.

        Raises:
            Refused: If the client would not send it.
        """
        if text.startswith(_SILENT):
            text, silent = text.removeprefix(_SILENT), True
        uploads = tuple(as_upload(attachment) for attachment in attachments)
        needed = Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES
        if uploads:
            needed |= Permission.ATTACH_FILES
        if reply_to is not None:
            self._must_see(reply_to)
            needed |= Permission.READ_MESSAGE_HISTORY
        self._must_have(channel, Permission.VIEW_CHANNEL | needed)
        self._must_not_be_timed_out(channel)
        if not text.strip() and not uploads:
            raise Refused("the client sends no empty message")
        if len(text) > MAX_CHARACTERS:
            raise Refused(f"a message has at most {MAX_CHARACTERS} characters, not {len(text)}")
        if len(uploads) > MAX_FILES:
            raise Refused(f"a message carries at most {MAX_FILES} files, not {len(uploads)}")
        draft = Draft(
            text.strip(),
            uploads=uploads,
            reply_to=reply_to,
            allowed_mentions={"parse": ["users", "roles", "everyone"], "replied_user": ping},
            flags=SUPPRESS_NOTIFICATIONS if silent else 0,
        )
        return self.world.messages.create(channel, self.user, draft)

    async def sticker(self, channel: Channel, name: str) -> Message:
        """Send a sticker and nothing else."""
        self._must_have(channel, Permission.VIEW_CHANNEL | Permission.SEND_MESSAGES)
        return self.world.messages.create(channel, self.user, Draft(stickers=(name,)))

    async def forward(self, message: Message, channel: Channel) -> Message:
        """Send a message on to another channel: the new one has no words of its own."""
        self._must_see(message)
        self._must_have(channel, Permission.VIEW_CHANNEL | Permission.SEND_MESSAGES)
        return self.world.messages.create(channel, self.user, Draft(forwards=message))

    async def typing(self, channel: Channel) -> None:
        """Show others that this person is typing."""
        self._must_have(channel, Permission.VIEW_CHANNEL | Permission.SEND_MESSAGES)
        self.world.messages.type(channel, self.user)

    async def edit(self, message: Message, text: str) -> None:
        """Change an own message."""
        self._must_see(message)
        if message.author is not self.user:
            raise Refused("the client lets people edit only their own messages")
        if len(text) > MAX_CHARACTERS or not (text.strip() or message.attachments):
            raise Refused(f"a message has 1 to {MAX_CHARACTERS} characters")
        self.world.messages.edit(message, {"content": text.strip()})

    async def delete(self, message: Message) -> None:
        """Take a message away: an own one, or with Manage Messages anybody's."""
        self._must_see(message)
        if message.author is not self.user:
            if message.channel.guild is None:
                raise Refused("in direct messages people delete only their own")
            self._must_have(message.channel, Permission.MANAGE_MESSAGES)
        self.world.messages.delete(message)

    async def react(self, message: Message, emoji: str) -> None:
        """Put a reaction under a message."""
        self._must_see(message)
        if message.is_ephemeral:
            raise Refused("the client offers no reactions on ephemeral messages")
        needed = Permission.READ_MESSAGE_HISTORY
        if Emoji.parse(emoji) not in message.reactions:
            needed |= Permission.ADD_REACTIONS
        self._must_have(message.channel, needed)
        self.world.messages.react(message, self.user, emoji)

    async def unreact(self, message: Message, emoji: str) -> None:
        """Take an own reaction back."""
        self._must_see(message)
        if self.user not in message.reactions.get(Emoji.parse(emoji), ()):
            raise Refused(f"{self.user.name} has not reacted with {emoji}")
        self.world.messages.unreact(message, self.user, emoji)

    def history(self, channel: Channel) -> list[Message]:
        """The messages of a channel this person can scroll through, oldest first."""
        return self.eyes.history(channel)

    async def wait_for_message(
        self, channel: Channel, predicate: Callable[[Message], object] | None = None, timeout: float = PATIENCE_S
    ) -> Message:
        """Return the first unread message of somebody else that fits; it and those before it are read then.

        Raises:
            TimeoutError: With what was written there instead.
        """
        return await self.eyes.wait_for_message(channel, predicate, timeout)

    async def wait_for_edit(
        self, message: Message, predicate: Callable[[Message], object] | None = None, timeout: float = PATIENCE_S
    ) -> Message:
        """Wait until a message fits (at once if it does); without a predicate, for its next edit."""
        return await self.eyes.wait_for_edit(message, predicate, timeout)

    async def wait_for_reaction(self, message: Message, emoji: str | None = None, timeout: float = PATIENCE_S) -> str:
        """Wait until somebody else reacted (with this emoji); returns the emoji's name."""
        return await self.eyes.wait_for_reaction(message, emoji, timeout)

    def _must_see(self, message: Message) -> None:
        if message.deleted:
            raise Refused("the message was deleted")
        if not self.eyes.sees(message.channel) or not may_see(message, self.user):
            raise Refused(f"{self.user.name} does not see this message")

    def _must_have(self, channel: Channel, needed: Permission) -> None:
        missing = needed & ~in_channel(channel, self.user)
        if missing:
            raise Refused(f"{self.user.name} lacks {missing.name} in #{channel.name or channel.id}")

    def _must_not_be_timed_out(self, channel: Channel) -> None:
        if channel.guild is None:
            return
        until = channel.guild.members[self.user.id].timed_out_until
        if until is not None and until > now():
            raise Refused(f"{self.user.name} is timed out until {until}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.user.name}>"

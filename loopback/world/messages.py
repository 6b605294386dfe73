"""Messages with their attachments, reactions and mentions, and the webhooks that post some of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from loopback.world.events import now, timestamp

if TYPE_CHECKING:
    import datetime

    from loopback.world.guilds import Channel, Role
    from loopback.world.users import User

DEFAULT = 0
REPLY = 19
PINS_ADD = 6
COMMAND_ANSWER = 20

SUPPRESS_EMBEDS = 1 << 2
EPHEMERAL = 1 << 6
LOADING = 1 << 7
SUPPRESS_NOTIFICATIONS = 1 << 12
VOICE_MESSAGE = 1 << 13
COMPONENTS_V2 = 1 << 15


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way in: what a client sent."""

    filename: str
    data: bytes = field(repr=False)
    content_type: str | None = None
    description: str | None = None
    duration_s: float | None = None
    waveform: str | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A stored file. `url` is served by this Discord."""

    id: int
    filename: str
    data: bytes = field(repr=False)
    content_type: str | None
    url: str
    description: str | None = None
    width: int | None = None
    height: int | None = None
    duration_s: float | None = None
    waveform: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Discord's attachment object."""
        shown: dict[str, Any] = {
            "id": str(self.id),
            "filename": self.filename,
            "size": len(self.data),
            "url": self.url,
            "proxy_url": self.url,
        }
        optional = {
            "content_type": self.content_type,
            "description": self.description,
            "width": self.width,
            "height": self.height,
            "duration_secs": self.duration_s,
            "waveform": self.waveform,
        }
        return shown | {key: value for key, value in optional.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Emoji:
    """A unicode emoji (no id) or a custom one."""

    name: str
    id: int | None = None

    @classmethod
    def parse(cls, text: str) -> Emoji:
        """Read `👍`, `name:id` or `<:name:id>`."""
        name, _, emoji_id = text.strip("<>").removeprefix("a:").removeprefix(":").partition(":")
        return cls(name, int(emoji_id)) if emoji_id.isdigit() else cls(text)

    def to_json(self) -> dict[str, Any]:
        """Discord's partial emoji object."""
        return {"id": None if self.id is None else str(self.id), "name": self.name, "animated": False}


@dataclass(slots=True)
class Mentions:
    """Whom a message mentions with effect: allowed by `allowed_mentions` and by the author's permissions."""

    everyone: bool = False
    users: list[User] = field(default_factory=list)
    roles: list[Role] = field(default_factory=list)

    def __bool__(self) -> bool:
        return self.everyone or bool(self.users) or bool(self.roles)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a client asks to be posted, checked but not yet a message.

    `allowed_mentions` is Discord's object as sent; None means it was not given.
    """

    content: str = ""
    embeds: tuple[dict[str, Any], ...] = ()
    components: tuple[dict[str, Any], ...] = ()
    uploads: tuple[Upload, ...] = ()
    allowed_mentions: dict[str, Any] | None = None
    reply_to: Message | None = None
    flags: int = 0
    tts: bool = False
    nonce: str | int | None = None
    stickers: tuple[str, ...] = ()
    forwards: Message | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """What a message said from one moment on."""

    at: datetime.datetime
    content: str


@dataclass(slots=True, eq=False)
class Webhook:
    """An incoming webhook of one channel. Who knows id and token may post through it.

    Only the application that made it, or for a person's everybody who manages webhooks, is told its token.
    """

    id: int
    token: str
    name: str
    channel: Channel
    creator: User
    avatar: str | None = None
    avatar_bytes: bytes = field(default=b"", repr=False)

    def author_json(self) -> dict[str, Any]:
        """The author of its messages: a bot user with the webhook's id."""
        return {
            "id": str(self.id),
            "username": self.name,
            "global_name": None,
            "discriminator": "0000",
            "avatar": self.avatar,
            "bot": True,
        }

    def to_json(self, viewer: User | None = None) -> dict[str, Any]:
        """Discord's webhook object, with its token unless `viewer` is another than the bot that made it."""
        shown: dict[str, Any] = {
            "id": str(self.id),
            "type": 1,
            "guild_id": str(self.channel.guild_id),
            "channel_id": str(self.channel.id),
            "user": self.creator.to_json(),
            "name": self.name,
            "avatar": self.avatar,
            "application_id": str(self.creator.id) if self.creator.bot else None,
        }
        hidden = self.creator.bot and viewer is not None and viewer is not self.creator
        return shown if hidden else shown | {"token": self.token}


@dataclass(slots=True, eq=False)
class Message:
    """One message. `pings` is whom it notified when it was posted; edits notify nobody.

    `revisions` starts with the first text and gains one entry an edit.
    """

    id: int
    channel: Channel
    author: User
    content: str = ""
    kind: int = DEFAULT
    embeds: list[dict[str, Any]] = field(default_factory=list)
    components: list[dict[str, Any]] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    mentions: Mentions = field(default_factory=Mentions)
    pings: Mentions = field(default_factory=Mentions)
    reactions: dict[Emoji, list[User]] = field(default_factory=dict)
    reply_to: Message | None = None
    reply_to_id: int | None = None
    created_at: datetime.datetime = field(default_factory=now)
    edited_at: datetime.datetime | None = None
    pinned_at: datetime.datetime | None = None
    flags: int = 0
    tts: bool = False
    nonce: str | int | None = None
    deleted: bool = False
    webhook: Webhook | None = None
    webhook_name: str | None = None
    webhook_avatar: str | None = None
    application_id: int | None = None
    interaction_metadata: dict[str, Any] | None = None
    thread: Channel | None = None
    stickers: tuple[str, ...] = ()
    forwards: Message | None = None
    revisions: list[Revision] = field(default_factory=list)

    @property
    def is_ephemeral(self) -> bool:
        """Whether only one person can see it."""
        return bool(self.flags & EPHEMERAL)

    def to_json(self, viewer: User | None = None, *, for_gateway: bool = False) -> dict[str, Any]:
        """Discord's message object as `viewer` sees it; the gateway's carries guild and member besides."""
        shown: dict[str, Any] = {
            "id": str(self.id),
            "type": self.kind,
            "channel_id": str(self.channel.id),
            "author": self._author_json(),
            "content": self.content,
            "timestamp": timestamp(self.created_at),
            "edited_timestamp": timestamp(self.edited_at),
            "tts": self.tts,
            "mention_everyone": self.mentions.everyone,
            "mentions": [self._mentioned_json(user, for_gateway=for_gateway) for user in self.mentions.users],
            "mention_roles": [str(role.id) for role in self.mentions.roles],
            "attachments": [attachment.to_json() for attachment in self.attachments],
            "embeds": [] if self.flags & SUPPRESS_EMBEDS else self.embeds,
            "components": self.components,
            "pinned": self.pinned_at is not None,
            "flags": self.flags,
        }
        shown |= self._reference_json(viewer)
        if self.stickers:
            shown["sticker_items"] = self._sticker_items()
        if self.reactions:
            shown["reactions"] = [self._reaction_json(emoji, users, viewer) for emoji, users in self.reactions.items()]
        if self.webhook is not None:
            shown["webhook_id"] = str(self.webhook.id)
        if self.application_id is not None:
            shown["application_id"] = str(self.application_id)
            shown.setdefault("webhook_id", str(self.application_id))
        if self.interaction_metadata is not None:
            shown["interaction_metadata"] = self.interaction_metadata
        if self.thread is not None:
            shown["thread"] = self.thread.to_json()
        if for_gateway:
            shown |= self._gateway_json()
        return shown

    def _author_json(self) -> dict[str, Any]:
        if self.webhook is None:
            return self.author.to_json()
        shown = self.webhook.author_json()
        if self.webhook_avatar is not None:
            shown["avatar"] = self.webhook_avatar
        return shown | ({"username": self.webhook_name} if self.webhook_name else {})

    def _mentioned_json(self, user: User, *, for_gateway: bool) -> dict[str, Any]:
        guild = self.channel.guild
        if not for_gateway or guild is None or user.id not in guild.members:
            return user.to_json()
        return user.to_json() | {"member": guild.members[user.id].to_partial_json()}

    def _sticker_items(self) -> list[dict[str, Any]]:
        return [{"id": str(self.id), "name": name, "format_type": 1} for name in self.stickers]

    def _forward_json(self, forwarded: Message) -> dict[str, Any]:
        shown = forwarded.to_json()
        names = (
            "type",
            "content",
            "timestamp",
            "edited_timestamp",
            "mentions",
            "mention_roles",
            "attachments",
            "embeds",
        )
        snapshot = {name: shown[name] for name in (*names, "components", "flags")}
        snapshot["sticker_items"] = forwarded._sticker_items()
        reference = {"type": 1, "message_id": str(forwarded.id), "channel_id": str(forwarded.channel.id)}
        return {"message_reference": reference, "message_snapshots": [{"message": snapshot}]}

    def _reference_json(self, viewer: User | None) -> dict[str, Any]:
        if self.forwards is not None:
            return self._forward_json(self.forwards)
        if self.reply_to_id is None:
            return {}
        reference = {"type": 0, "message_id": str(self.reply_to_id), "channel_id": str(self.channel.id)}
        if self.channel.guild is not None:
            reference["guild_id"] = str(self.channel.guild.id)
        shown: dict[str, Any] = {"message_reference": reference}
        if self.kind == REPLY:
            shown["referenced_message"] = None
            if self.reply_to is not None and not self.reply_to.deleted:
                bare = replace(self.reply_to, reply_to=None, reply_to_id=None)  # Discord nests replies one level deep
                shown["referenced_message"] = bare.to_json(viewer)
        return shown

    @staticmethod
    def _reaction_json(emoji: Emoji, users: list[User], viewer: User | None) -> dict[str, Any]:
        return {
            "emoji": emoji.to_json(),
            "count": len(users),
            "count_details": {"burst": 0, "normal": len(users)},
            "me": viewer in users,
            "me_burst": False,
            "burst_colors": [],
        }

    def _gateway_json(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"channel_type": int(self.channel.kind)}
        if self.nonce is not None:
            shown["nonce"] = self.nonce
        guild = self.channel.guild
        if guild is not None:
            shown["guild_id"] = str(guild.id)
            member = guild.members.get(self.author.id)
            if member is not None and self.webhook is None:
                shown["member"] = member.to_partial_json()
        return shown

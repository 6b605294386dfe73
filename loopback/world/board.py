"""Posts, edits, deletes, pins and reacts to messages, and publishes it."""

from __future__ import annotations

import mimetypes
import secrets
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from loopback.world.events import Audience, Events, now, timestamp
from loopback.world.mentions import find_mentions
from loopback.world.messages import DEFAULT, REPLY, Attachment, Draft, Emoji, Message, Revision, Upload

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from loopback.world.guilds import Channel
    from loopback.world.ids import Snowflakes
    from loopback.world.messages import Webhook
    from loopback.world.users import User


class Board:
    """Every message of the world.

    Attributes:
        cdn: Where attachments are served, without a slash at the end; set once the server listens.
        attachments: Every attachment ever posted, by id.
    """

    def __init__(self, events: Events, ids: Snowflakes, users: Mapping[int, User]) -> None:
        self.cdn = "http://127.0.0.1"
        self.attachments: dict[int, Attachment] = {}
        self._events = events
        self._ids = ids
        self._users = users

    def compose(
        self,
        channel: Channel,
        author: User,
        draft: Draft,
        *,
        webhook: Webhook | None = None,
        webhook_name: str | None = None,
        webhook_avatar: str | None = None,
        application_id: int | None = None,
    ) -> Message:
        """A message made of the draft, not yet visible to anybody."""
        mentions = find_mentions(draft, channel, author, self._users, by_webhook=webhook is not None)
        moment = now()
        message = Message(
            self._ids.next(),
            channel,
            author,
            draft.content,
            kind=DEFAULT if draft.reply_to is None else REPLY,
            embeds=[_stored_embed(embed) for embed in draft.embeds],
            components=list(draft.components),
            mentions=mentions,
            pings=replace(mentions),
            reply_to=draft.reply_to,
            reply_to_id=None if draft.reply_to is None else draft.reply_to.id,
            created_at=moment,
            flags=draft.flags,
            tts=draft.tts,
            nonce=draft.nonce,
            webhook=webhook,
            webhook_name=webhook_name,
            webhook_avatar=webhook_avatar,
            application_id=application_id,
            stickers=draft.stickers,
            forwards=draft.forwards,
            revisions=[Revision(moment, draft.content)],
        )
        message.attachments = [self._store(channel, upload) for upload in draft.uploads]
        return message

    def post(self, message: Message) -> Message:
        """Put a composed message into its channel, where everybody who may can see it."""
        message.channel.messages[message.id] = message
        self._events.publish("MESSAGE_CREATE", message.to_json(for_gateway=True), _audience(message.channel))
        return message

    def create(self, channel: Channel, author: User, draft: Draft | str, **origin: Any) -> Message:
        """Compose and post. `origin`: who posts it, as for `compose`."""
        draft = Draft(draft) if isinstance(draft, str) else draft
        return self.post(self.compose(channel, author, draft, **origin))

    def edit(self, message: Message, changes: Mapping[str, Any], uploads: Iterable[Upload] = ()) -> Message:
        """Change `content`, `embeds`, `components`, `flags`, `attachments` (those to keep) or `allowed_mentions`."""
        for name in ("content", "flags"):
            if name in changes:
                setattr(message, name, changes[name])
        if "embeds" in changes:
            message.embeds = [_stored_embed(embed) for embed in changes["embeds"]]
        if "components" in changes:
            message.components = list(changes["components"])
        if "attachments" in changes:
            kept = {int(attachment["id"]) for attachment in changes["attachments"] if "id" in attachment}
            message.attachments = [attachment for attachment in message.attachments if attachment.id in kept]
        message.attachments += [self._store(message.channel, upload) for upload in uploads]
        if "content" in changes or "components" in changes:
            draft = Draft(
                message.content,
                components=tuple(message.components),
                allowed_mentions=changes.get("allowed_mentions"),
                reply_to=message.reply_to,
                flags=message.flags,
            )
            by_webhook = message.webhook is not None
            message.mentions = find_mentions(draft, message.channel, message.author, self._users, by_webhook=by_webhook)
        message.edited_at = now()
        message.revisions.append(Revision(message.edited_at, message.content))
        self.publish_update(message)
        return message

    def publish_update(self, message: Message) -> None:
        """Tell everybody who may see it how the message looks now. Unposted messages are told to nobody."""
        if message.id in message.channel.messages:
            self._events.publish("MESSAGE_UPDATE", message.to_json(for_gateway=True), _audience(message.channel))

    def delete(self, message: Message) -> None:
        """Take the message away."""
        message.deleted = True
        if message.channel.messages.pop(message.id, None) is not None:
            data = {"id": str(message.id), **_place(message.channel)}
            self._events.publish("MESSAGE_DELETE", data, _audience(message.channel))

    def delete_many(self, channel: Channel, message_ids: Iterable[int]) -> None:
        """Take several messages away at once; ids that do not exist are ignored, as Discord does."""
        found = [channel.messages.pop(one) for one in message_ids if one in channel.messages]
        for message in found:
            message.deleted = True
        data = {"ids": [str(message.id) for message in found], **_place(channel)}
        self._events.publish("MESSAGE_DELETE_BULK", data, _audience(channel))

    def react(self, message: Message, user: User, emoji: Emoji | str) -> None:
        """Add a reaction; a second one with the same emoji changes nothing."""
        emoji = Emoji.parse(emoji) if isinstance(emoji, str) else emoji
        users = message.reactions.setdefault(emoji, [])
        if user in users:
            return
        users.append(user)
        data = self._reaction_json(message, user, emoji) | {"message_author_id": str(message.author.id)}
        guild = message.channel.guild
        if guild is not None:
            data["member"] = guild.members[user.id].to_json()
        self._events.publish("MESSAGE_REACTION_ADD", data, _audience(message.channel))

    def unreact(self, message: Message, user: User, emoji: Emoji | str) -> None:
        """Take a user's reaction away; no effect if there is none."""
        emoji = Emoji.parse(emoji) if isinstance(emoji, str) else emoji
        users = message.reactions.get(emoji, [])
        if user not in users:
            return
        users.remove(user)
        if not users:
            del message.reactions[emoji]
        data = self._reaction_json(message, user, emoji)
        self._events.publish("MESSAGE_REACTION_REMOVE", data, _audience(message.channel))

    def clear_reactions(self, message: Message, emoji: Emoji | None = None) -> None:
        """Take away all reactions, or all of one emoji."""
        data: dict[str, Any] = {"message_id": str(message.id), **_place(message.channel)}
        if emoji is None:
            message.reactions.clear()
            self._events.publish("MESSAGE_REACTION_REMOVE_ALL", data, _audience(message.channel))
        elif message.reactions.pop(emoji, None) is not None:
            data["emoji"] = emoji.to_json()
            self._events.publish("MESSAGE_REACTION_REMOVE_EMOJI", data, _audience(message.channel))

    def pin(self, message: Message, *, pinned: bool = True) -> None:
        """Pin the message, or take the pin away."""
        message.pinned_at = now() if pinned else None
        pins = [one.pinned_at for one in message.channel.messages.values() if one.pinned_at is not None]
        data = {**_place(message.channel), "last_pin_timestamp": timestamp(max(pins, default=None))}
        self._events.publish("CHANNEL_PINS_UPDATE", data, _audience(message.channel))
        self.publish_update(message)

    def type(self, channel: Channel, user: User) -> None:
        """Show that a user is typing."""
        data: dict[str, Any] = {"user_id": str(user.id), "timestamp": int(now().timestamp()), **_place(channel)}
        if channel.guild is not None:
            data["member"] = channel.guild.members[user.id].to_json()
        self._events.publish("TYPING_START", data, _audience(channel))

    def _store(self, channel: Channel, upload: Upload) -> Attachment:
        attachment_id = self._ids.next()
        signature = f"ex=7fffffff&is=60000000&hm={secrets.token_hex(16)}&"
        kind = upload.content_type or mimetypes.guess_type(upload.filename)[0]
        width, height = _picture_size(upload.data)
        attachment = Attachment(
            attachment_id,
            upload.filename,
            upload.data,
            kind,
            f"{self.cdn}/attachments/{channel.id}/{attachment_id}/{quote(upload.filename)}?{signature}",
            description=upload.description,
            width=width,
            height=height,
            duration_s=upload.duration_s,
            waveform=upload.waveform,
        )
        self.attachments[attachment_id] = attachment
        return attachment

    @staticmethod
    def _reaction_json(message: Message, user: User, emoji: Emoji) -> dict[str, Any]:
        return {
            "user_id": str(user.id),
            "message_id": str(message.id),
            **_place(message.channel),
            "emoji": emoji.to_json(),
            "burst": False,
            "type": 0,
        }


def _audience(channel: Channel) -> Audience:
    return Audience(guild_id=channel.guild_id, channel_id=channel.id)


def _place(channel: Channel) -> dict[str, str]:
    place = {"channel_id": str(channel.id)}
    return place if channel.guild is None else place | {"guild_id": str(channel.guild.id)}


def _stored_embed(embed: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich", **embed}


def _picture_size(data: bytes) -> tuple[int | None, int | None]:
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        return struct.unpack(">II", data[16:24])
    return None, None

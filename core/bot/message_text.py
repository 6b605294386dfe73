"""What a Discord message says, and whether it speaks to the bot. Discord's library is not imported: shapes are enough."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from core.names import plain, sayable

if TYPE_CHECKING:
    import discord

_MENTION = re.compile(r"<(@&|@|#)!?(\d{1,20})>")
ABOUT_LIMIT = 500  # characters of the message that a prompt replies to


def calls(message: discord.Message, me: discord.ClientUser | None) -> bool:
    """Whether a message of a server speaks to the bot: mentions it, or the role that Discord made for it, or replies."""
    if me is None or message.guild is None:
        return False
    author = getattr(_replied(message), "author", None)
    return me in message.mentions or message.guild.self_role in message.role_mentions or me == author


def words(message: discord.Message, me: discord.ClientUser | None) -> str:
    """The text without the mention that called the bot, and with names for the other mentions.

    Of a message that forwards another it is the text of that; of a poll, the question.
    """
    carried = [snapshot.content for snapshot in message.message_snapshots]
    poll = [message.poll.question] if message.poll else []
    text = "\n".join(part for part in (message.content, *carried, *poll) if part)
    own = message.guild.self_role if message.guild is not None else None
    names = {f"@{user.id}": sayable(user.display_name) for user in message.mentions}
    names |= {f"@&{role.id}": sayable(role.name, "a role") for role in message.role_mentions}
    names |= {f"#{channel.id}": sayable(channel.name, "a channel") for channel in message.channel_mentions}
    names |= {f"@{me.id}": ""} if me is not None else {}
    names |= {f"@&{own.id}": ""} if own is not None else {}
    # In one go: what is put in is looked at no more. A name is words: it brings no marks of its own into the text.
    return _MENTION.sub(lambda found: names.get(f"{found[1]}{found[2]}", found[0]), text).strip()


def sent(message: discord.Message) -> tuple[str, ...]:
    """The kinds of what came along, also with a message that is forwarded; see `Prompt.attachments`."""
    kinds: list[str] = []
    for each in (message, *message.message_snapshots):
        kinds += [_kind(attachment) for attachment in each.attachments] + ["sticker"] * len(each.stickers)
    return tuple(kinds)


def answered(message: discord.Message) -> str:
    """The message that this one replies to, as "Name: text", shortened; Discord sends it along."""
    replied = _replied(message)
    text = " ".join(replied.clean_content.split()) if replied is not None else ""
    return f"{plain(replied.author.display_name)}: {text[:ABOUT_LIMIT]}" if replied is not None and text else ""


def _replied(message: discord.Message) -> discord.Message | None:
    resolved = message.reference.resolved if message.reference is not None else None
    return resolved if hasattr(resolved, "clean_content") else None  # pyright: ignore[reportReturnType] - not for a deleted one


def _kind(attachment: discord.Attachment) -> str:
    kind = (attachment.content_type or "").split("/")[0]
    return kind if kind in ("image", "video", "audio") else "file"

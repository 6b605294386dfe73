"""The written reply to what was said: a message of its own, with what was heard above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.bot.reply_poster import ChannelPoster
from core.conversation.live_text import LiveText
from core.names import shown, shown_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    import discord

    from core.clock import Clock
    from core.voice.session import VoiceSession

MOST_QUOTED = 600  # characters of what was heard


def quoted(lines: Sequence[tuple[str, str]]) -> str:
    """What people said, as a quotation: names and words are protected, and ping nobody."""
    said = [f"**{shown(name)}:** {shown_text(' '.join(text.split()), MOST_QUOTED)}" for name, text in lines]
    return "\n".join(f"> {line}" for line in "\n".join(said).split("\n"))


class HeardReply:
    """A written reply that grows below a quotation.

    Args:
        channel: Where it is written.
        clock: Time.
        quote: Stands above the reply.
    """

    def __init__(self, channel: discord.abc.Messageable, clock: Clock, quote: str) -> None:
        self._text = LiveText(ChannelPoster(channel), clock)
        self._quote = quote

    @property
    def message_ids(self) -> tuple[int, ...]:
        """The messages that show it, in order."""
        return self._text.message_ids

    async def update(self, text: str) -> None:
        """Show the reply so far."""
        await self._text.update(self._above(text))

    async def finish(self, text: str) -> None:
        """Show the whole reply; one that never began is not shown."""
        await self._text.finish(self._above(text))

    def _above(self, text: str) -> str:
        return f"{self._quote}\n{text}" if text.strip() else ""


class HeardPlace:
    """The `ReplyPlace` of what was said in a voice session: a message in its prompt channel.

    Args:
        session: The session.
        clock: Time for calm edits.
        quote: What was heard, above the reply.
    """

    def __init__(self, session: VoiceSession, clock: Clock, quote: str) -> None:
        self._session = session
        self._clock = clock
        self._quote = quote

    def sink(self) -> HeardReply:
        """A message that grows below what was heard."""
        return HeardReply(self._session.prompt_channel or self._session.channel, self._clock, self._quote)

    async def tell(self, sentence: str) -> None:
        """Say something about it in the prompt channel."""
        await self._session.notice(sentence)

    async def acknowledge(self) -> None:
        """Whoever speaks hears the answer: there is nothing to put a reaction on."""

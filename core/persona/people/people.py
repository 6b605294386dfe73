"""`runtime.people`: everything the bot knows of people beside their conversations with it, in one place."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from core.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from core.persona.people.channels import ObservedChannels
    from core.persona.people.joining_in import JoiningIn
    from core.persona.people.messages import ObservedMessages
    from core.persona.people.profiles import Profiles
    from core.persona.people.temperature import Temperatures
    from core.store.observed import Observed

_log = logging.getLogger(__name__)

READS, MAKES = "I read along in {count} channels here.", "{count} profiles are to be made here."


class People:
    """The parts, and what concerns several of them."""

    def __init__(
        self,
        channels: ObservedChannels,
        messages: ObservedMessages,
        profiles: Profiles,
        joining_in: JoiningIn,
        temperatures: Temperatures,
    ) -> None:
        """Takes the parts, opened."""
        self.channels = channels
        self.messages = messages
        self.profiles = profiles
        self.joining_in = joining_in
        self.temperatures = temperatures
        messages.tell(self._written, profiles.invalidated)

    async def close(self) -> None:
        """Make no more profiles, and write what waits."""
        await self.profiles.close()
        await self.messages.close()
        await self.channels.flush()

    async def _written(self, messages: Sequence[Observed]) -> None:
        await self.profiles.noted(messages)
        await self.channels.flush()

    def lines(self, guild_id: int) -> list[str]:
        """What is at work on a server, as sentences for `/persona status`; nothing of anybody."""
        count = len(self.channels.observed(guild_id))
        lines = [READS.format(count=count)] if count else []
        return lines + ([MAKES.format(count=due)] if (due := self.profiles.due_on(guild_id)) else [])

    def heard(self, message: Observed, *, worth_keeping: bool, addressed: bool) -> bool:
        """Somebody wrote where the bot reads along; returns whether it is its turn to join in.

        Args:
            message: What was written.
            worth_keeping: Whether it is words for people: no command, and not written to another bot.
            addressed: Whether the bot was spoken to.
        """
        kept = worth_keeping and bool(message.content) and self.messages.put(message)
        return self.joining_in.heard(message.channel_id, counts=kept, addressed=addressed)

    async def stop_observing(self, guild_id: int, channel_id: int) -> None:
        """Read along in a channel no more, and forget what was read there.

        Raises:
            StoreError: It cannot be kept, or not forgotten.
        """
        await self.channels.observe(guild_id, channel_id, announced_at=None)
        await self.messages.forget_channel(channel_id)

    async def channels_gone(self, channel_ids: Iterable[int]) -> None:
        """Channels were deleted: what was written there goes."""
        for channel_id in channel_ids:
            try:
                await self.messages.forget_channel(channel_id)
                await self.channels.forget([channel_id])
            except StoreError:
                _log.exception("a deleted channel's messages could not be forgotten; the next start tries again")

    async def server_gone(self, guild_id: int) -> None:
        """The bot is on a server no more: nothing of it stays."""
        try:
            await self.messages.forget_server(guild_id)
            await self.channels.forget(self.channels.of_server(guild_id))
        except StoreError:
            _log.exception("a server's messages could not be forgotten; the next start tries again")

    async def member_gone(self, guild_id: int, user_id: int) -> None:
        """Somebody left a server: nothing of theirs stays of it."""
        try:
            await self.messages.forget_member(guild_id, user_id)
        except StoreError:
            _log.exception("the messages of somebody who left could not be forgotten; the next look tries again")

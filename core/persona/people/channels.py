"""Knows in which channels the bot reads along and how often it joins in, and counts what is said there."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from core.errors import StoreError
from core.store.persona_channels import PersonaChannel

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from core.clock import Clock
    from core.store.persona_channels import PersonaChannelsRepository

_log = logging.getLogger(__name__)


class ObservedChannels:
    """The channels, in memory; the database has them too. A channel counts as observed once people there were told."""

    def __init__(
        self, repository: PersonaChannelsRepository, *, configured: Collection[int], every: int, clock: Clock
    ) -> None:
        """Nothing is known before `open`.

        Args:
            repository: Where they are kept.
            configured: `[persona] observe`.
            every: `[persona.joining_in] every`.
            clock: Time.
        """
        self._repository = repository
        self._configured = frozenset(configured)
        self._every = every
        self._clock = clock
        self._channels: dict[int, PersonaChannel] = {}
        self._of_server: defaultdict[int, set[int]] = defaultdict(set)
        self._counted: set[int] = set()

    async def open(self) -> None:
        """Read them.

        Raises:
            StoreError: They cannot be read.
        """
        for each in await self._repository.all():
            self._take(each)

    def get(self, channel_id: int) -> PersonaChannel | None:
        """What is known of a channel."""
        return self._channels.get(channel_id)

    def wanted(self, channel_id: int) -> bool:
        """Whether the bot is to read along: by a command, or else by the configuration."""
        known = self._channels.get(channel_id)
        chosen = known.observed if known is not None else None
        return channel_id in self._configured if chosen is None else chosen

    def is_observed(self, channel_id: int) -> bool:
        """Whether the bot reads along: it is to, and people were told."""
        known = self._channels.get(channel_id)
        return known is not None and known.announced_at is not None and self.wanted(channel_id)

    def observed(self, guild_id: int) -> list[int]:
        """The channels of a server in which it reads along."""
        return sorted(each for each in self._of_server.get(guild_id, ()) if self.is_observed(each))

    def unannounced(self) -> list[int]:
        """Channels of the configuration in which people are still to be told."""
        return sorted(each for each in self._configured if self.wanted(each) and not self.is_observed(each))

    def every(self, channel_id: int) -> int:
        """After how many messages it joins in; 0 is never."""
        known = self._channels.get(channel_id)
        return self._every if known is None or known.every is None else known.every

    async def observe(self, guild_id: int, channel_id: int, *, announced_at: datetime | None) -> None:
        """Read along from now on, since people were told just then; without a time, no more.

        Raises:
            StoreError: It cannot be kept.
        """
        known = self._known(guild_id, channel_id)
        await self._save(replace(known, observed=announced_at is not None, announced_at=announced_at, count=0))

    async def announced(self, guild_id: int, channel_id: int, at: datetime) -> None:
        """People of a channel of the configuration were told; should it be taken out there, nothing is observed any more."""
        await self._save(replace(self._known(guild_id, channel_id), announced_at=at))

    async def join_in(self, guild_id: int, channel_id: int, every: int) -> None:
        """Set after how many messages it joins in, and count from now on."""
        await self._save(replace(self._known(guild_id, channel_id), every=every, count=0))

    async def forget(self, channel_ids: Iterable[int]) -> None:
        """Channels are gone."""
        gone = [each for each in channel_ids if each in self._channels]
        for each in gone:
            self._of_server[self._channels.pop(each).guild_id].discard(each)
            self._counted.discard(each)
        if gone:
            await self._repository.forget(gone)

    def of_server(self, guild_id: int) -> list[int]:
        """Every channel of a server of which anything is known."""
        return sorted(self._of_server.get(guild_id, ()))

    @property
    def servers(self) -> list[int]:
        """Every server of which anything is known."""
        return sorted(guild_id for guild_id, channels in self._of_server.items() if channels)

    # Counting ---------------------------------------------------------------------------------------------------------

    def count(self, channel_id: int) -> int:
        """A message came; returns how many came since the bot last spoke or was spoken to."""
        known = self._channels[channel_id]
        self._take(replace(known, count=min(known.count + 1, 10**9)))
        self._counted.add(channel_id)
        return known.count + 1

    def start_anew(self, channel_id: int, *, joined_in: bool = False) -> None:
        """Count from 0: the bot was spoken to, or it joined in."""
        known = self._channels.get(channel_id)
        if known is not None:
            at = self._clock.now() if joined_in else known.joined_in_at
            self._take(replace(known, count=0, joined_in_at=at))
            self._counted.add(channel_id)

    async def flush(self) -> None:
        """Write what was counted; what cannot be written is written with the next."""
        counted, self._counted = self._counted, set()
        if not counted:
            return
        try:
            await self._repository.save([self._channels[each] for each in counted if each in self._channels])
        except StoreError:
            self._counted |= counted
            _log.warning("what was counted in %d channels cannot be written yet", len(counted), exc_info=True)

    def _known(self, guild_id: int, channel_id: int) -> PersonaChannel:
        return self._channels.get(channel_id) or PersonaChannel(channel_id, guild_id)

    async def _save(self, channel: PersonaChannel) -> None:
        await self._repository.save([channel])
        self._take(channel)

    def _take(self, channel: PersonaChannel) -> None:
        self._channels[channel.channel_id] = channel
        self._of_server[channel.guild_id].add(channel.channel_id)

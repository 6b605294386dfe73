"""Keeps messages of people who let the bot read along: written in batches, gone as soon as Discord or a person says so."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from core.errors import StoreError
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

    from core.clock import Clock
    from core.privacy.consent import Consent
    from core.store.observed import Observed, ObservedRepository
    from core.store.profiles import ProfileKey

_log = logging.getLogger(__name__)

BATCH_S = 1.0  # after the first message of a batch it is written
BATCH_MOST = 200
RETRY_MOST_S = 60.0
WAITING_MOST = 5000  # while the database cannot be written; then the oldest are not kept
PURGE_S = 3600.0
LONGEST = 2000  # characters kept of a message


class ObservedMessages:
    """The messages: those that wait to be written, and the database behind them.

    `put`, `change` and `remove` only note what is to be done; nothing waits for the database. Consent is asked when a
    message comes and again when it is written.
    """

    def __init__(
        self,
        repository: ObservedRepository,
        consent: Consent,
        clock: Clock,
        *,
        keep_days: float,
        keep_least: int,
    ) -> None:
        """Nothing waits yet.

        Args:
            repository: The database.
            consent: What people decided.
            clock: Time.
            keep_days: Older messages go ...
            keep_least: ... but for so many of each person.
        """
        self.repository = repository
        self._consent = consent
        self._clock = clock
        self._keep_days = keep_days
        self._keep_least = keep_least
        self._written: Callable[[Sequence[Observed]], Awaitable[object]] | None = None
        self._invalidated: Callable[[Iterable[ProfileKey]], object] = list
        self._added: dict[int, Observed] = {}
        self._changed: dict[int, str | None] = {}
        self._writing = asyncio.Lock()
        self._retry_s = BATCH_S
        self._tasks = Tasks("observed messages")

    def tell(
        self,
        written: Callable[[Sequence[Observed]], Awaitable[object]],
        invalidated: Callable[[Iterable[ProfileKey]], object],
    ) -> None:
        """Have somebody told of messages once they are kept, and of profiles that rested on something that is gone."""
        self._written, self._invalidated = written, invalidated

    def begin(self) -> None:
        """Forget what is too old, now and every hour."""
        self._tasks.start(self._purge(), "purge")

    async def close(self) -> None:
        """Write what waits, and stop."""
        try:
            await self.flush()
        except StoreError:
            _log.exception("%d observed messages could not be kept", len(self._added))
        await self._tasks.cancel_all()

    # Noting -----------------------------------------------------------------------------------------------------------

    def put(self, message: Observed) -> bool:
        """Keep a message, if its author lets themselves be observed; returns whether it will be."""
        if not self._allowed(message):
            return False
        self._added[message.id] = replace(message, content=message.content[:LONGEST])
        if len(self._added) > WAITING_MOST:
            self._added.pop(next(iter(self._added)))
        self._soon()
        return True

    def change(self, message_id: int, content: str) -> None:
        """Somebody edited a message; one that says nothing any more is taken away."""
        waiting = self._added.get(message_id)
        if waiting is not None:
            self._added[message_id] = replace(waiting, content=content[:LONGEST])
        self._changed[message_id] = content[:LONGEST] or None
        self._soon()

    def remove(self, message_ids: Iterable[int]) -> None:
        """Messages were deleted."""
        for message_id in message_ids:
            self._added.pop(message_id, None)
            self._changed[message_id] = None
        self._soon()

    # Writing ----------------------------------------------------------------------------------------------------------

    async def flush(self) -> None:
        """Write what waits.

        Raises:
            StoreError: The database cannot be written; it waits on.
        """
        async with self._writing:
            while self._added or self._changed:
                await self._flush_batch()

    async def _flush_batch(self) -> None:
        added = [self._added[each] for each in list(self._added)[:BATCH_MOST]]
        changed, self._changed = self._changed, {}
        for each in added:
            self._added.pop(each.id, None)
        allowed = [each for each in added if self._allowed(each)]
        try:
            gone = await self.repository.apply(allowed, changed)
        except BaseException:
            self._added = {each.id: each for each in added if changed.get(each.id, "") is not None} | self._added
            self._changed = changed | self._changed
            raise
        self._invalidated(gone)
        if allowed and self._written is not None:
            await self._written(allowed)

    def _soon(self) -> None:
        delay_s = 0.0 if len(self._added) >= BATCH_MOST and self._retry_s == BATCH_S else self._retry_s
        self._tasks.start(self._flush_after(delay_s), "write")

    async def _flush_after(self, delay_s: float) -> None:
        await self._clock.sleep(delay_s)
        while self._added or self._changed:
            try:
                await self.flush()
            except StoreError:
                self._retry_s = min(2 * self._retry_s, RETRY_MOST_S)
                _log.warning(
                    "observed messages cannot be written; trying again in %.0f s", self._retry_s, exc_info=True
                )
                await self._clock.sleep(self._retry_s)
            else:
                self._retry_s = BATCH_S

    def _allowed(self, message: Observed) -> bool:
        return self._consent.allows("observed", message.guild_id, message.user_id)

    # Forgetting -------------------------------------------------------------------------------------------------------

    async def forget_channel(self, channel_id: int) -> None:
        """Take a channel's messages away, with what rests on them.

        Raises:
            StoreError: The database cannot be written.
        """
        async with self._writing:
            self._drop(lambda each: each.channel_id == channel_id)
            self._invalidated(await self.repository.forget_channel(channel_id))

    async def forget_server(self, guild_id: int) -> None:
        """Take a server's messages away, with what rests on them."""
        async with self._writing:
            self._drop(lambda each: each.guild_id == guild_id)
            self._invalidated(await self.repository.forget_server(guild_id))

    async def forget_member(self, guild_id: int, user_id: int) -> None:
        """Take away everything of somebody on one server."""
        async with self._writing:
            self._drop(lambda each: each.guild_id == guild_id and each.user_id == user_id)
            self._invalidated(await self.repository.forget_member(guild_id, user_id))

    async def forget_person(self, user_id: int) -> int:
        """Take away everything of somebody everywhere; returns how much that was."""
        async with self._writing:
            waiting = self._drop(lambda each: each.user_id == user_id)
            return waiting + await self.repository.forget_person(user_id)

    def _drop(self, theirs: Callable[[Observed], bool]) -> int:
        dropped = [each.id for each in self._added.values() if theirs(each)]
        for each in dropped:
            del self._added[each]
        return len(dropped)

    async def _purge(self) -> None:
        while True:
            before = self._clock.now() - timedelta(days=self._keep_days)
            try:
                async with self._writing:
                    self._invalidated(await self.repository.purge(before, self._keep_least))
            except StoreError:
                _log.exception("old messages could not be forgotten; the next try is in an hour")
            await self._clock.sleep(PURGE_S)

    # Reading ----------------------------------------------------------------------------------------------------------

    async def newest(self, guild_id: int, user_id: int, channels: Collection[int], limit: int) -> list[Observed]:
        """The newest messages of somebody in some channels, oldest first; none if they refuse by now.

        Raises:
            StoreError: The database cannot be read, or what waits cannot be written.
        """
        await self.flush()
        if not self._consent.allows("observed", guild_id, user_id):
            return []
        return await self.repository.newest(guild_id, user_id, channels, limit)

    async def newest_of_channel(self, channel_id: int, limit: int) -> list[Observed]:
        """The newest messages of a channel by people who still let themselves be observed, oldest first."""
        await self.flush()
        found = await self.repository.newest_of_channel(channel_id, 4 * limit)
        return [each for each in found if self._allowed(each)][-limit:]

"""Remembers conversations as they were heard, and nothing of anybody who was deleted while they were answered."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from core.errors import StoreError
from core.privacy.mentions import cleaner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from core.clock import Clock
    from core.privacy.owners import Person
    from core.store.history import HistoryEntry, HistoryRepository

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Exchange:
    """One question on its way to an answer, from when it was asked until both are remembered."""

    conversation_id: int
    authors: frozenset[int]
    asked_at: datetime
    gone: set[int] = field(default_factory=set[int])  # those of the authors who were deleted meanwhile
    cleaners: list[Callable[[str], str]] = field(default_factory=list["Callable[[str], str]"])

    @property
    def forgotten(self) -> bool:
        """Whether somebody who asked was deleted: the answer is remembered no more than the question."""
        return bool(self.gone)

    def kept(self, entries: Iterable[HistoryEntry]) -> list[HistoryEntry]:
        """What may be remembered of the entries, each dated when it was asked, without those who were deleted."""
        kept: list[HistoryEntry] = []
        for entry in entries:
            if entry.user_id in self.gone or (entry.user_id is None and self.gone):
                continue
            content = entry.content
            for clean in self.cleaners:
                content = clean(content)
            kept.append(replace(entry, content=content, at=self.asked_at))
        return kept


class ConversationMemory:
    """Reads and writes the history of conversations, and knows what is about to be written."""

    def __init__(self, history: HistoryRepository, clock: Clock) -> None:
        self._history = history
        self._clock = clock
        self._open: set[Exchange] = set()
        self._writing = asyncio.Lock()

    def begin(self, conversation_id: int, authors: Iterable[int]) -> Exchange:
        """Open an exchange: somebody asked. Call `end` when both question and answer are remembered, or never will be."""
        exchange = Exchange(conversation_id, frozenset(authors), self._clock.now())
        self._open.add(exchange)
        return exchange

    def end(self, exchange: Exchange) -> None:
        """Close an exchange: nothing more will be written of it."""
        self._open.discard(exchange)

    async def recall(self, conversation_id: int, limit: int) -> Sequence[HistoryEntry]:
        """The newest lines of a conversation, oldest first; none if the database cannot be read."""
        try:
            return await self._history.newest(conversation_id, limit)
        except StoreError:  # an answer without a memory is better than none
            _log.exception("what was said before cannot be recalled")
            return ()

    async def keep(self, exchange: Exchange, entries: Iterable[HistoryEntry]) -> None:
        """Remember question and answer, less what a deletion took; if the database cannot be written, the log says so."""
        async with self._writing:
            kept = exchange.kept(entries)
            if not kept:
                return
            try:
                await self._history.add(exchange.conversation_id, *kept)
            except StoreError:  # the answer was given; that it will be forgotten is for the log
                _log.exception("an answer in %d is not remembered", exchange.conversation_id)

    async def forget(self, person: Person) -> frozenset[int]:
        """Have nothing more written of a person; returns the conversations that they took part in.

        What is written already is for whoever deletes from the database next: it has been written when this returns.

        Raises:
            StoreError: The database cannot be read; what was theirs is not written all the same.
        """
        theirs = [each for each in self._open if person.id in each.authors]
        for each in theirs:
            each.gone.add(person.id)
        async with self._writing:
            places = {each.conversation_id for each in theirs}
            places |= await self._history.places_of(person.id)
            for each in self._open:
                # A name is a word as others write it too: it is taken out only where the person was.
                names = person.names if each.conversation_id in places else ()
                each.cleaners.append(cleaner(person.id, names))
        return frozenset(places)

"""Counts the tokens of a day for what the bot does by itself; a restart does not begin a new day."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.store.spending import NO_SERVER, Spending

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from core.clock import Clock
    from core.store.spending import SpendingRepository

TODAY = "Today I spent {spent:,} of {limit:,} tokens on what I do by myself, {here:,} of them here."
SHARE = "This server may spend {share:,} of them in a day."
FEATURE = "{questions} questions for “{feature}”: {tokens:,} tokens."
NONE = "I do nothing that needs a model by myself: [persona] tokens_per_day is 0."


@dataclass(frozen=True, slots=True)
class Account:
    """Tokens that are set aside for a question under way."""

    guild_id: int
    feature: str
    tokens: int
    day: date


class DayBudget:
    """What may be spent in a day (UTC), in all and by one server, and what was."""

    def __init__(
        self, repository: SpendingRepository, *, limit: int, share: float, servers: Callable[[], int], clock: Clock
    ) -> None:
        """Nothing is known before `open`.

        Args:
            repository: Where it is kept.
            limit: Tokens a day, of all servers together.
            share: The part of it that one server may spend if the bot is on several.
            servers: How many the bot is on.
            clock: Time.
        """
        self.limit = limit
        self._repository = repository
        self._share = share
        self._servers = servers
        self._clock = clock
        self._day = clock.now().date()
        self._spent: dict[tuple[int, str], Spending] = {}
        self._set_aside: defaultdict[int, int] = defaultdict(int)
        self._writing = asyncio.Lock()

    async def open(self) -> None:
        """Read what was spent today already.

        Raises:
            StoreError: It cannot be read.
        """
        self._day = self._clock.now().date()
        self._spent = {(each.guild_id, each.feature): each for each in await self._repository.of(self._day)}

    @property
    def left(self) -> int:
        """Tokens of today that nobody has spent or set aside."""
        self._turn_page()
        spent = sum(each.tokens for each in self._spent.values())
        return self.limit - spent - sum(self._set_aside.values())

    def spent(self, guild_id: int | None) -> int:
        """Tokens that a server has spent today."""
        self._turn_page()
        return sum(each.tokens for each in self._spent.values() if each.guild_id == (guild_id or NO_SERVER))

    def share(self, guild_id: int | None) -> int:
        """Tokens that a server may spend in a day."""
        return int(self.limit * self._share) if guild_id is None or self._servers() > 1 else self.limit

    def room(self, guild_id: int | None) -> int:
        """Tokens that a server may still spend today."""
        mine = self.share(guild_id) - self.spent(guild_id) - self._set_aside[guild_id or NO_SERVER]
        return min(mine, self.left)

    def reserve(self, guild_id: int | None, feature: str, tokens: int) -> Account:
        """Set tokens aside for a question that is about to be asked, so that two at once do not spend the same."""
        self._turn_page()
        account = Account(guild_id or NO_SERVER, feature, tokens, self._day)
        self._set_aside[account.guild_id] += tokens
        return account

    async def settle(self, account: Account, tokens: int) -> None:
        """Give back what was set aside, and note what the question did cost; it counts from the call on.

        Raises:
            StoreError: It cannot be written down; it counts until the process ends.
        """
        self._set_aside[account.guild_id] -= account.tokens
        self._turn_page()
        key = account.guild_id, account.feature
        before = self._spent.get(key, Spending(*key, 0, 0))
        self._spent[key] = Spending(*key, before.tokens + tokens, before.questions + 1)
        async with self._writing:
            if key in self._spent:  # or another day has begun meanwhile
                await self._repository.save(self._day, [self._spent[key]])

    def lines(self, guild_id: int | None) -> list[str]:
        """What was spent today, as sentences; of other servers only the sum."""
        if not self.limit:
            return [NONE]
        self._turn_page()
        total = sum(each.tokens for each in self._spent.values())
        lines = [TODAY.format(spent=total, limit=self.limit, here=self.spent(guild_id))]
        if self.share(guild_id) < self.limit:
            lines.append(SHARE.format(share=self.share(guild_id)))
        here = [each for each in self._spent.values() if each.guild_id == (guild_id or NO_SERVER)]
        for each in sorted(here, key=lambda each: -each.tokens):
            name = each.feature.replace("_", " ")
            lines.append(FEATURE.format(questions=each.questions, feature=name, tokens=each.tokens))
        return lines

    def _turn_page(self) -> None:
        today = self._clock.now().date()
        if today > self._day:  # a clock that is set back does not give a day twice
            self._day = today
            self._spent = {}

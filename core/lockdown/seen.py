"""Shows the lockdown as somebody may see it: the whole of it, or what concerns one server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.lockdown.status import FeatureStatus, OwedUndo, State
from core.store.lockdown import Hold

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from core.lockdown.ledger import Ledger
    from core.lockdown.registered import Registered
    from core.lockdown.waiting import WaitingMessages

ELSEWHERE = "a voice session on another server"


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at ledger and queues. With a `guild_id`, nothing of other servers is in it, their ids least of all."""

    ledger: Ledger
    waiting: WaitingMessages
    guild_id: int | None = None

    def holds(self) -> tuple[Hold, ...]:
        """Who holds locks, oldest first; sessions of other servers become one without a place."""
        found: list[Hold] = []
        for hold in self.ledger.holds.values():
            if self.guild_id in (None, hold.guild_id) or (hold.by_hand and hold.server_id is None):
                found.append(hold)
            elif not hold.by_hand and not any(other.reason == ELSEWHERE for other in found):
                found.append(Hold("elsewhere", ELSEWHERE, hold.since))
        return tuple(found)

    def owed(self) -> Sequence[OwedUndo]:
        """The undos that failed or wait for their cog."""
        return [
            OwedUndo(owed.entry.kind, owed.entry.name, owed.entry.attempts, owed.entry.error, owed.next_try_at)
            for owed in self.ledger.owed
        ]

    def features(self, registered: Iterable[Registered]) -> list[FeatureStatus]:
        """Every feature as it is there."""
        holds = self.holds()
        return [self._feature(one, holds) for one in registered]

    def _feature(self, registered: Registered, holds: Sequence[Hold]) -> FeatureStatus:
        name, guild_id = registered.feature.name, self.guild_id
        covering = [hold for hold in holds if hold.covers(name, hold.server_id if guild_id is None else guild_id)]
        here = [hold for hold in covering if guild_id is not None and hold.server_id == guild_id]
        waiting = self.waiting.counts.get(name, 0) if guild_id is None else self.waiting.count(name, guild_id)
        locked = registered.locked or bool(here)
        state: State = "locked" if locked else "free"
        if not locked and any(owed.entry.thing == ("pause", name) for owed in self.ledger.owed):
            state = "resuming"
        elif not locked and self.waiting.replaying(name) and (guild_id is None or waiting):
            state = "answering"
        return FeatureStatus(
            name,
            registered.feature.title,
            type(registered.feature.policy).__name__.removesuffix("Policy").lower(),
            state,
            covering,
            waiting,
            registered.uses.total() if guild_id is None else registered.uses[guild_id],
            self.ledger.faults.get(("pause", name)),
        )

"""What is locked, why and since when, as plain data for whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from core.machine.memory import Memory
    from core.store.lockdown import Hold, Kind

State = Literal["free", "locked", "resuming", "answering"]


@dataclass(frozen=True, slots=True)
class FeatureStatus:
    """One feature. `resuming` owes an undo; `answering` works through its queue; `fault` is a failed pause."""

    name: str
    title: str
    policy: str  # "block", "silence", "pause", "queue", "lock"
    state: State
    holds: Sequence[Hold]
    waiting: int
    in_use: int
    fault: str | None

    @property
    def since(self) -> datetime | None:
        """Since when it is locked."""
        return min((hold.since for hold in self.holds), default=None)


@dataclass(frozen=True, slots=True)
class OwedUndo:
    """An undo that failed, or that waits for its cog (then there is no next try)."""

    kind: Kind
    name: str
    attempts: int
    error: str | None
    next_try_at: datetime | None


@dataclass(frozen=True, slots=True)
class LockdownStatus:
    """Everything at once."""

    holds: Sequence[Hold]
    features: Sequence[FeatureStatus]
    owed: Sequence[OwedUndo]
    faults: Sequence[str]  # what could not be applied, in sentences
    route: str | None
    memories: Sequence[Memory]

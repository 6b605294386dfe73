"""How often a picture may be changed: about two times in ten minutes, and who asks more often is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

CHANGES = 2
WINDOW_S = 600.0
SPARE_S = 5.0  # clocks differ


def wait_s(changes: Sequence[datetime], now: datetime) -> float:
    """How long until another change is allowed, in seconds; 0 is now. Changes of the future (a clock set back) count as now's."""
    if len(changes) < CHANGES:
        return 0.0
    first = min(changes[-CHANGES], now)
    return max(0.0, WINDOW_S + SPARE_S - (now - first).total_seconds())


def noted(changes: Sequence[datetime], now: datetime) -> tuple[datetime, ...]:
    """The changes that matter, with one more now."""
    return (*changes, now)[-CHANGES:]


def refused(now: datetime, for_s: float = WINDOW_S) -> tuple[datetime, ...]:
    """As if everything allowed had been used so that nothing more is for `for_s` seconds: Discord said that it is too much."""
    at = now + timedelta(seconds=min(for_s, WINDOW_S * 6) - WINDOW_S)
    return (at,) * CHANGES

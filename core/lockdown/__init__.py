"""What gives way while the bot talks, and how it comes back.

Other people's cogs use this much of it:

    from core.lockdown import BlockPolicy, Feature, lockable

    bot.parley.lockdown.register(Feature("pictures", "Pictures", BlockPolicy("Not while I talk.")), owner=self)
    if await bot.parley.lockdown.allows("pictures", message): ...
"""

from __future__ import annotations

from core.lockdown.feature import (
    Block,
    BlockPolicy,
    Feature,
    Lock,
    LockPolicy,
    Pause,
    PausePolicy,
    Policy,
    Queue,
    QueuePolicy,
    Silence,
    SilencePolicy,
)
from core.lockdown.lockable import lockable

__all__ = [
    "Block",
    "BlockPolicy",
    "Feature",
    "Lock",
    "LockPolicy",
    "Pause",
    "PausePolicy",
    "Policy",
    "Queue",
    "QueuePolicy",
    "Silence",
    "SilencePolicy",
    "lockable",
]

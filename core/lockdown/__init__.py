"""What gives way while the bot talks, and how it comes back.

Other people's cogs use this much of it:

    from core.lockdown import Block, Feature, Pause, lockable

    bot.parley.lockdown.register(Feature("pictures", "Pictures", Block("Not while I talk.")), owner=self)
    if await bot.parley.lockdown.allows("pictures", message): ...
"""

from __future__ import annotations

from core.lockdown.feature import Block, Feature, Lock, Pause, Policy, Queue, Silence
from core.lockdown.lockable import lockable

__all__ = ["Block", "Feature", "Lock", "Pause", "Policy", "Queue", "Silence", "lockable"]

"""Opens the gate of what the bot does by itself, and what it knows of people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.bot.openers import Ground
    from core.bot.rooms import Rooms
    from core.persona.occasions import Occasions


async def open_occasions(rooms: Rooms, ground: Ground, *, servers: Callable[[], int]) -> Occasions:
    """The gate of what the bot does by itself, with what it has spent of the day.

    Raises:
        StoreError: That cannot be read.
    """
    from core.llm.tokens import estimate_tokens
    from core.persona.budget import DayBudget
    from core.persona.occasions import Occasions
    from core.store.spending import SpendingRepository

    section = ground.config.persona
    budget = DayBudget(
        SpendingRepository(rooms.store),
        limit=section.tokens_per_day,
        share=section.server_share,
        servers=servers,
        clock=ground.clock,
    )
    await budget.open()
    return Occasions(
        budget,
        route=section.route,
        doors=rooms.lockdown,
        consent=rooms.privacy.consent,
        models=rooms.models,
        busy=lambda: rooms.conversation.busy,
        count_tokens=estimate_tokens,
        clock=ground.clock,
    )

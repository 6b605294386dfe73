"""Examples for the tests of the trainer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from core.store.training_values import Example, Line

AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
ADA, BOB = 734_512_889_100_234_567, 734_512_889_100_234_999


def example(question: str, chosen: str | None = None, rejected: str | None = None, **more: Any) -> Example:
    """Ada asks; by default in a conversation of its own."""
    name = more.pop("name", "Ada")
    before = more.pop("before", (Line("system", "You are Parley."),))
    given = {
        "guild_id": 1,
        "conversation": question,
        "messages": (*before, Line("user", question, name)),
        "source": "correction",
        "at": AT,
        "people": {ADA: "Ada"},
    } | more
    return Example(chosen=chosen, rejected=rejected, **given)

"""Take somebody's name and id out of a text that others wrote."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from core.privacy.owners import SHORTEST_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SOMEBODY = "somebody"


def cleaner(user_id: int, names: Iterable[str]) -> Callable[[str], str]:
    """A function that puts “somebody” where a text mentions, names or numbers a person.

    Names count as whole words, written as they are.
    """
    known = sorted({name.strip() for name in names if len(name.strip()) >= SHORTEST_NAME}, key=len, reverse=True)
    parts = [rf"<@!?{user_id}>", rf"(?<!\d){user_id}(?!\d)", *(rf"(?<!\w){re.escape(name)}(?!\w)" for name in known)]
    pattern = re.compile("|".join(parts))
    return lambda text: pattern.sub(SOMEBODY, text)

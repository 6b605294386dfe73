"""A feature that takes part: whose it is, whether its door is closed, and who uses it now."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.lockdown.feature import Feature


@dataclass(slots=True, eq=False)
class Registered:
    """A feature as it stands now. `locked` is for every server; `uses` counts what runs, by server."""

    feature: Feature
    owner: object
    locked: bool = False
    uses: Counter[int | None] = field(default_factory=Counter[int | None])

    @property
    def owner_name(self) -> str:
        """Whose feature it is, the same before and after a reload."""
        if isinstance(self.owner, str):
            return self.owner
        kind = type(self.owner)
        return f"{kind.__module__}.{kind.__qualname__}"

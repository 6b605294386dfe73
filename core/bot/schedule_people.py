"""What schedules keep of people: whoever added them, and what they are to say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from core.privacy.owners import About

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.privacy.owners import Person
    from core.schedule.service import Schedules
    from core.store.schedules import Schedule

ADDED = "You added {count} schedule(s)."
REMOVED = "Removed: {count} schedule(s) that you had added."


class ScheduledPeople:
    """A `DataOwner` over the schedules that a person added."""

    def __init__(self, schedules: Schedules) -> None:
        self._schedules = schedules

    def _of(self, person: Person) -> list[Schedule]:
        return [each for each in self._schedules.all() if each.added_by == person.id]

    async def describe_person(self, person: Person) -> About:
        """Say how many there are."""
        found = self._of(person)
        return About((ADDED.format(count=len(found)),) if found else ())

    async def export_person(self, person: Person) -> Mapping[str, bytes]:
        """Return them: when they are due, and what they do."""
        found = [
            {"when": each.wording, "kind": each.kind, "what": dict(each.what), "added_at": each.added_at.isoformat()}
            for each in self._of(person)
        ]
        return {"schedules.json": json.dumps(found, indent=2, ensure_ascii=False).encode()} if found else {}

    async def delete_person(self, person: Person) -> Sequence[str]:
        """Remove them, with their pictures: they are done by that person's rights.

        Raises:
            StoreError: They cannot be removed.
        """
        count = await self._schedules.remove_of(person.id, person.until)
        return (REMOVED.format(count=count),) if count else ()

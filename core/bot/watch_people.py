"""What watches keep of people: who added them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from core.privacy.owners import About

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.persona.watching.service import Watching
    from core.privacy.owners import Person
    from core.store.watches import Watch

ADDED = "You had me watch {count} page(s) and feed(s)."
FORGOTTEN = "Forgotten: that you had me watch {count} page(s) and feed(s). The servers go on watching them."


class WatchPeople:
    """A `DataOwner` over who added which watch."""

    def __init__(self, watching: Watching) -> None:
        self._watching = watching

    def _of(self, person: Person) -> list[Watch]:
        return [each for each in self._watching.all() if each.added_by == person.id]

    async def describe_person(self, person: Person) -> About:
        """Say how many there are."""
        found = self._of(person)
        return About((ADDED.format(count=len(found)),) if found else ())

    async def export_person(self, person: Person) -> Mapping[str, bytes]:
        """Return them."""
        found = [
            {
                "url": each.url,
                "selector": each.selector,
                "words": list(each.words),
                "added_at": each.added_at.isoformat(),
            }
            for each in self._of(person)
        ]
        return {"watches.json": json.dumps(found, indent=2, ensure_ascii=False).encode()} if found else {}

    async def delete_person(self, person: Person) -> Sequence[str]:
        """Forget who added them: they are the server's, and say nothing else of that person.

        Raises:
            StoreError: That cannot be stored.
        """
        found = [each for each in self._of(person) if each.added_at <= person.until]
        for each in found:
            await self._watching.change(replace(each, added_by=None))
        return (FORGOTTEN.format(count=len(found)),) if found else ()

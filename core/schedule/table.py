"""Every schedule in memory and in the database: read once, written through, and written again when the disk comes back."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from core.errors import ScheduleError, StoreError
from core.schedule.planning import follows
from core.schedule.zones import USUAL, zone_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from core.store.schedules import Schedule, SchedulesRepository

_log = logging.getLogger(__name__)

CUT = "I was ended while it was being done, so I do not know how far it came. It is not done again."


class Table:
    """The schedules there are. What is changed here is changed in the database too, or as soon as that can be written."""

    def __init__(self, repository: SchedulesRepository, usual_zone: str) -> None:
        self._repository = repository
        self._usual = usual_zone
        self._schedules: dict[int, Schedule] = {}
        self._zones: dict[int, ZoneInfo] = {}
        self._usual_zone = ZoneInfo(USUAL)
        self._unsaved: set[int] = set()
        self._unclaimed: set[int] = set()
        self._saving = asyncio.Lock()

    async def open(self) -> None:
        """Read all of it. What was being done when the process died counts as done, and is told.

        Raises:
            StoreError: It cannot be read.
        """
        chosen = await self._repository.zones()
        self._usual_zone = await asyncio.to_thread(_zone, self._usual)
        self._zones = await asyncio.to_thread(lambda: {guild_id: _zone(name) for guild_id, name in chosen.items()})
        self._schedules = {each.id: each for each in await self._repository.all()}
        await self.settle(self._cut(each) for each in self.all() if each.claimed_at is not None)

    def _cut(self, schedule: Schedule) -> Schedule:
        due = schedule.claimed_at
        assert due is not None  # noqa: S101 - asked for by the caller
        next_at = follows(schedule, due, self.zone(schedule.guild_id))
        state = "over" if next_at is None else schedule.state
        return replace(
            schedule,
            claimed_at=None,
            last_due=due,
            last_end=due,
            outcome="cut",
            detail=CUT,
            next_at=next_at,
            state=state,
        )

    # Reading ----------------------------------------------------------------------------------------------------------

    def all(self) -> list[Schedule]:
        """Every schedule, oldest first."""
        return list(self._schedules.values())

    def get(self, schedule_id: int) -> Schedule | None:
        """One, or None."""
        return self._schedules.get(schedule_id)

    def zone(self, guild_id: int | None) -> ZoneInfo:
        """The time zone of a server."""
        return self._zones.get(guild_id or 0, self._usual_zone)

    # Writing ----------------------------------------------------------------------------------------------------------

    async def add(self, schedules: Sequence[Schedule]) -> list[Schedule]:
        """Add some; gives them with their numbers.

        Raises:
            StoreError: They cannot be written, and there are none of them.
        """
        ids = await self._repository.add(schedules)
        added = [replace(each, id=id_) for each, id_ in zip(schedules, ids, strict=True)]
        self._schedules.update({each.id: each for each in added})
        return added

    async def change(self, schedule: Schedule, **values: Any) -> Schedule:
        """Change one.

        Raises:
            StoreError: It cannot be written, and stays as it was.
        """
        await self._repository.change(schedule.id, **values)
        current = self._schedules.get(schedule.id, schedule)
        changed = replace(current, **values)
        self._schedules[schedule.id] = changed
        return changed

    async def remove(self, schedules: Sequence[Schedule]) -> None:
        """Take some away.

        Raises:
            StoreError: They cannot be taken out of the database, and stay.
        """
        await self._repository.remove([each.id for each in schedules])
        for each in schedules:
            self._schedules.pop(each.id, None)
            self._unsaved.discard(each.id)

    async def claim(self, ids: Sequence[int], now: datetime) -> set[int]:
        """Note that firings begin; gives those that may.

        Raises:
            StoreError: It cannot be written, so none may.
        """
        won = await self._repository.claim(ids, now)
        for id_ in won:
            if (found := self._schedules.get(id_)) is not None:
                self._schedules[id_] = replace(found, claimed_at=found.next_at)
        return won

    async def refresh(self, ids: Sequence[int]) -> None:
        """Read some anew: another process has done them, or is about to.

        Raises:
            StoreError: They cannot be read.
        """
        found = {each.id: each for each in await self._repository.some(ids)}
        for id_ in ids:
            if id_ in found:
                self._schedules[id_] = found[id_]
            else:
                self._schedules.pop(id_, None)

    async def unclaim(self, ids: Sequence[int]) -> None:
        """Note that firings did not begin after all; as `settle` does."""
        for id_ in ids:
            if (found := self._schedules.get(id_)) is not None:
                self._schedules[id_] = replace(found, claimed_at=None)
        self._unclaimed.update(ids)
        await self.save()

    async def settle(self, schedules: Iterable[Schedule]) -> None:
        """Note how firings went. If the database does not take it now, it is offered again with the next ones."""
        changed = {each.id: each for each in schedules if each.id in self._schedules}
        self._schedules.update(changed)
        self._unsaved.update(changed)
        await self.save()

    async def save(self) -> None:
        """Write what is not written yet; several that end together are one transaction."""
        async with self._saving:
            ids, self._unsaved = self._unsaved, set()
            freed, self._unclaimed = self._unclaimed, set()
            rows = [each for id_ in ids if (each := self._schedules.get(id_)) is not None]
            if not rows and not freed:
                return
            try:
                await self._repository.move(rows)
                await self._repository.unclaim(sorted(freed))
            except StoreError:
                _log.exception("how %d schedules went is not written down yet", len(rows) + len(freed))
                self._unsaved.update(ids)
                self._unclaimed.update(freed)

    async def set_zone(self, guild_id: int, zone: ZoneInfo) -> None:
        """Give a server another time zone.

        Raises:
            StoreError: It cannot be written, and stays as it was.
        """
        await self._repository.save_zone(guild_id, zone.key)
        self._zones[guild_id] = zone


def _zone(name: str) -> ZoneInfo:
    """A zone that was chosen once; one that there is no more is UTC, and the log says so."""
    try:
        return zone_named(name)
    except ScheduleError:
        _log.error("there is no time zone %r on this machine; UTC stands for it", name)
        return ZoneInfo(USUAL)

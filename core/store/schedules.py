"""What is due when: schedules with how they went, and each server's time zone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, cast

from sqlalchemy import Integer, bindparam, delete, insert, select, update
from sqlalchemy.orm import Mapped, mapped_column

from core.store.base import Base

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from core.store.store import Store

Late = Literal["skip", "once"]
State = Literal["active", "paused", "over"]
Outcome = Literal["", "done", "failed", "overdue", "skipped", "cut"]
_CHUNK = 400  # ids in one statement


class ScheduleRow(Base):
    """One schedule."""

    __tablename__ = "schedule"

    id: Mapped[int] = mapped_column(Integer(), primary_key=True)
    guild_id: Mapped[int | None] = mapped_column(index=True)
    channel_id: Mapped[int | None]
    added_by: Mapped[int | None] = mapped_column(index=True)
    added_at: Mapped[datetime]
    kind: Mapped[str]
    what: Mapped[str]  # JSON, as the kind wants it
    wording: Mapped[str]  # as somebody wrote it
    rule: Mapped[str]
    late: Mapped[str]
    grace_s: Mapped[int]
    state: Mapped[str]
    reason: Mapped[str]  # why it is paused
    next_at: Mapped[datetime | None]
    claimed_at: Mapped[datetime | None]  # the time whose firing has begun
    last_due: Mapped[datetime | None]
    last_end: Mapped[datetime | None]
    outcome: Mapped[str]
    detail: Mapped[str]
    missed: Mapped[int]
    missed_last: Mapped[str]  # what became of those that were missed last


class ScheduleZoneRow(Base):
    """The time zone of one server."""

    __tablename__ = "schedule_zone"

    guild_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    zone: Mapped[str]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Something that is done at a time, or again and again.

    Attributes:
        id: Its number; 0 until it is stored.
        guild_id: The server that it belongs to; None: the bot itself.
        channel_id: Where it is done.
        added_by: By whose rights.
        added_at: When it was added.
        kind: Who does it.
        what: What exactly, as the kind wants it.
        wording: The time in people's words; untrusted.
        rule: The time as `core.schedule.rules` stores it.
        late: What becomes of a time that was missed.
        grace_s: How late it may be made up.
        state: Whether it goes on.
        reason: Why it is paused, as a sentence; empty if by hand.
        next_at: When it is due next.
        claimed_at: The time whose firing has begun and not ended.
        last_due: The last time that was done, missed or skipped.
        last_end: When that was over.
        outcome: How that went.
        detail: The same as a sentence; untrusted.
        missed: How many times were missed in all.
        missed_last: What became of the last of those, as a sentence.
    """

    id: int
    guild_id: int | None
    channel_id: int | None
    added_by: int | None
    added_at: datetime
    kind: str
    what: Mapping[str, Any]
    wording: str
    rule: str
    late: Late = "skip"
    grace_s: int = 0
    state: State = "active"
    reason: str = ""
    next_at: datetime | None = None
    claimed_at: datetime | None = None
    last_due: datetime | None = None
    last_end: datetime | None = None
    outcome: Outcome = ""
    detail: str = ""
    missed: int = 0
    missed_last: str = ""


_FIELDS = tuple(name for name in Schedule.__dataclass_fields__ if name != "id")
_MOVING = (
    "state",
    "next_at",
    "last_due",
    "last_end",
    "outcome",
    "detail",
    "missed",
    "missed_last",
    "reason",
    "added_at",
)


class SchedulesRepository:
    """Reads and writes schedules. Each method is one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def all(self) -> list[Schedule]:
        """Every schedule, oldest first."""
        columns = [getattr(ScheduleRow, name) for name in ("id", *_FIELDS)]
        async with self._store.transaction() as session:
            rows = await session.execute(select(*columns).order_by(ScheduleRow.id))
            return [_schedule(cast("Sequence[Any]", row)) for row in rows.all()]

    async def some(self, ids: Sequence[int]) -> list[Schedule]:
        """Those of these numbers that there still are."""
        columns = [getattr(ScheduleRow, name) for name in ("id", *_FIELDS)]
        async with self._store.transaction() as session:
            rows = await session.execute(select(*columns).where(ScheduleRow.id.in_(ids)))
            return [_schedule(cast("Sequence[Any]", row)) for row in rows.all()]

    async def add(self, schedules: Sequence[Schedule]) -> list[int]:
        """Store new ones; gives their numbers, in order."""
        async with self._store.transaction() as session:
            statement = insert(ScheduleRow).returning(ScheduleRow.id, sort_by_parameter_order=True)
            found = await session.scalars(statement, [_values(each, _FIELDS) for each in schedules])
            return list(found)

    async def claim(self, ids: Sequence[int], now: datetime) -> set[int]:
        """Note that firings begin, before they do; gives those that are really this process's to begin."""
        found: set[int] = set()
        async with self._store.transaction() as session:
            for start in range(0, len(ids), _CHUNK):
                statement = (
                    update(ScheduleRow)
                    .where(
                        ScheduleRow.id.in_(ids[start : start + _CHUNK]),
                        ScheduleRow.claimed_at.is_(None),
                        ScheduleRow.state == "active",
                        ScheduleRow.next_at <= now,
                    )
                    .values(claimed_at=ScheduleRow.next_at)
                    .returning(ScheduleRow.id)
                    .execution_options(synchronize_session=False)
                )
                found.update(await session.scalars(statement))
        return found

    async def move(self, schedules: Iterable[Schedule]) -> None:
        """Write how firings went and when the next ones are due; what was claimed is claimed no more."""
        rows = [{"b_id": each.id, "claimed_at": None, **_values(each, _MOVING)} for each in schedules]
        if rows:
            table = ScheduleRow.__table__
            statement = update(ScheduleRow).where(table.c.id == bindparam("b_id"))
            async with self._store.transaction() as session:
                connection = await session.connection()
                await connection.execute(statement, rows)

    async def unclaim(self, ids: Sequence[int]) -> None:
        """Note that firings that were claimed did not begin after all."""
        async with self._store.transaction() as session:
            await session.execute(
                update(ScheduleRow)
                .where(ScheduleRow.id.in_(ids))
                .values(claimed_at=None)
                .execution_options(synchronize_session=False)
            )

    async def change(self, schedule_id: int, **values: Any) -> None:
        """Write some columns of one."""
        if "what" in values:
            values["what"] = json.dumps(values["what"])
        async with self._store.transaction() as session:
            await session.execute(update(ScheduleRow).where(ScheduleRow.id == schedule_id).values(**values))

    async def remove(self, ids: Sequence[int]) -> None:
        """Take some away."""
        async with self._store.transaction() as session:
            for start in range(0, len(ids), _CHUNK):
                await session.execute(delete(ScheduleRow).where(ScheduleRow.id.in_(ids[start : start + _CHUNK])))

    async def zones(self) -> dict[int, str]:
        """The time zone of each server that chose one."""
        async with self._store.transaction() as session:
            rows = await session.execute(select(ScheduleZoneRow.guild_id, ScheduleZoneRow.zone))
            return {guild_id: zone for guild_id, zone in rows.all()}

    async def save_zone(self, guild_id: int, zone: str) -> None:
        """Write the time zone of a server."""
        async with self._store.transaction() as session:
            await session.merge(ScheduleZoneRow(guild_id=guild_id, zone=zone))


def _values(schedule: Schedule, names: Iterable[str]) -> dict[str, Any]:
    return {name: json.dumps(dict(schedule.what)) if name == "what" else getattr(schedule, name) for name in names}


def _schedule(row: Sequence[Any]) -> Schedule:
    values = dict(zip(("id", *_FIELDS), row, strict=True))
    values["what"] = json.loads(values["what"])
    return Schedule(**values)

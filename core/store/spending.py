"""What the bot has spent of a day's tokens on questions that nobody asked, by server and feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, select
from sqlalchemy.orm import Mapped, mapped_column

from core.store.base import Base

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from core.store.store import Store

NO_SERVER = 0  # direct messages


class SpendingRow(Base):
    """Tokens of one day, server and feature."""

    __tablename__ = "persona_spending"

    day: Mapped[str] = mapped_column(primary_key=True)  # ISO 8601, in UTC
    guild_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    feature: Mapped[str] = mapped_column(primary_key=True)
    tokens: Mapped[int]
    questions: Mapped[int]


@dataclass(frozen=True, slots=True)
class Spending:
    """What one feature spent on one server in a day."""

    guild_id: int
    feature: str
    tokens: int
    questions: int


class SpendingRepository:
    """Reads and writes what was spent."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, day: date) -> list[Spending]:
        """Everything that was spent on a day."""
        async with self._store.transaction() as session:
            rows = await session.scalars(select(SpendingRow).where(SpendingRow.day == day.isoformat()))
            return [Spending(row.guild_id, row.feature, row.tokens, row.questions) for row in rows]

    async def save(self, day: date, spent: Iterable[Spending]) -> None:
        """Write the sums of a day, in place of those of the same server and feature; of earlier days nothing is kept.

        Raises:
            StoreError: The database cannot be written.
        """
        async with self._store.transaction() as session:
            await session.execute(delete(SpendingRow).where(SpendingRow.day < day.isoformat()))
            for each in spent:
                await session.merge(
                    SpendingRow(
                        day=day.isoformat(),
                        guild_id=each.guild_id,
                        feature=each.feature,
                        tokens=each.tokens,
                        questions=each.questions,
                    )
                )

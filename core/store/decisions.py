"""What people decided about being recorded, heard, observed and trained on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, get_args

from sqlalchemy import delete, select
from sqlalchemy.orm import Mapped, mapped_column

from core.store.base import Base

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.store.store import Store

Kind = Literal["recorded", "heard", "observed", "trained_on"]
Decision = Literal["in", "out"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class DecisionRow(Base):
    """What one person decided about one kind of use, everywhere."""

    __tablename__ = "decision"

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(primary_key=True)
    decision: Mapped[str]
    decided_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision; None takes back what was said before. Without a time it counts as having always held."""

    user_id: int
    kind: Kind
    decision: Decision | None
    at: datetime | None = None


class DecisionsRepository:
    """Reads and writes people's decisions."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def all(self) -> list[Decided]:
        """What everybody decided who did."""
        async with self._store.transaction() as session:
            rows = list(await session.scalars(select(DecisionRow)))
        return [
            Decided(row.user_id, kind, "in" if row.decision == "in" else "out", row.decided_at)
            for row in rows
            for kind in KINDS
            if kind == row.kind
        ]

    async def save(self, decisions: Iterable[Decided]) -> None:
        """Keep decisions, in one transaction; None forgets one.

        Raises:
            StoreError: The database cannot be written; none of them is kept.
        """
        async with self._store.transaction() as session:
            for each in decisions:
                where = (DecisionRow.user_id == each.user_id, DecisionRow.kind == each.kind)
                if each.decision is None or each.at is None:
                    await session.execute(delete(DecisionRow).where(*where))
                else:
                    await session.merge(
                        DecisionRow(user_id=each.user_id, kind=each.kind, decision=each.decision, decided_at=each.at)
                    )

"""What was said in a conversation: the prompts as written, the replies as heard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from sqlalchemy import BigInteger, Integer, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from core.store.base import Base
from core.surrogates import mended

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from core.store.store import Store

Role = Literal["user", "assistant"]

KEPT = 1000  # lines of each conversation: twice what a prompt may take along
LOOK_EVERY = 50  # lines written between two looks for older ones


class HistoryRow(Base):
    """One message of a conversation."""

    __tablename__ = "history"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    conversation_id: Mapped[int] = mapped_column(index=True)  # the prompt channel, or the channel of a direct message
    turn_id: Mapped[str]
    role: Mapped[str]
    user_id: Mapped[int | None]
    name: Mapped[str | None]
    content: Mapped[str]
    at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a conversation."""

    turn_id: str
    role: Role
    content: str
    at: datetime
    user_id: int | None = None
    name: str | None = None


class HistoryRepository:
    """Reads and writes conversations."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, conversation_id: int, *lines: Line) -> None:
        """Append lines to a conversation, in order; of a long one the oldest are forgotten."""
        async with self._store.transaction() as session:
            rows = [
                HistoryRow(
                    conversation_id=conversation_id,
                    turn_id=line.turn_id,
                    role=line.role,
                    user_id=line.user_id,
                    name=None if line.name is None else mended(line.name),
                    content=mended(line.content),
                    at=line.at,
                )
                for line in lines
            ]
            session.add_all(rows)
            await session.flush()
            if any(row.id % LOOK_EVERY == 0 for row in rows):
                await self._forget_oldest(session, conversation_id)

    async def _forget_oldest(self, session: AsyncSession, conversation_id: int) -> None:
        ids = select(HistoryRow.id).where(HistoryRow.conversation_id == conversation_id)
        oldest = await session.scalar(ids.order_by(HistoryRow.id.desc()).offset(KEPT - 1).limit(1))
        if oldest is not None:
            older = (HistoryRow.conversation_id == conversation_id, HistoryRow.id < oldest)
            await session.execute(delete(HistoryRow).where(*older))

    async def newest(self, conversation_id: int, limit: int) -> list[Line]:
        """At most `limit` newest lines of a conversation, oldest first."""
        query = (
            select(HistoryRow)
            .where(HistoryRow.conversation_id == conversation_id)
            .order_by(HistoryRow.id.desc())
            .limit(limit)
        )
        async with self._store.transaction() as session:
            rows = list(await session.scalars(query))
        return [
            Line(
                row.turn_id,
                "assistant" if row.role == "assistant" else "user",
                row.content,
                row.at,
                row.user_id,
                row.name,
            )
            for row in reversed(rows)
        ]

    async def clear(self, conversation_id: int) -> None:
        """Forget a conversation."""
        async with self._store.transaction() as session:
            await session.execute(delete(HistoryRow).where(HistoryRow.conversation_id == conversation_id))

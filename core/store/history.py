"""What was said in a conversation: the prompts as written, the replies as heard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from sqlalchemy import BigInteger, Integer, delete, func, or_, select
from sqlalchemy.orm import Mapped, mapped_column

from core.store.base import Base
from core.surrogates import mended

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncSession

    from core.store.store import Store

Role = Literal["user", "assistant"]

KEPT = 1000  # lines of each conversation: twice what a prompt may take along
_AT_ONCE = 500  # turns named in one statement
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
    character_id: Mapped[str | None]  # who answered, if not the bot itself
    content: Mapped[str]
    at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One message of a conversation; `name` is of the person, or of the character whose id `character_id` is.

    A line of the assistant without a `character_id` was said by the bot itself.
    """

    turn_id: str
    role: Role
    content: str
    at: datetime
    user_id: int | None = None
    name: str | None = None
    character_id: str = ""


class HistoryRepository:
    """Reads and writes conversations."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, conversation_id: int, *lines: HistoryEntry) -> None:
        """Append lines to a conversation, in order; of a long one the oldest are forgotten."""
        async with self._store.transaction() as session:
            rows = [
                HistoryRow(
                    conversation_id=conversation_id,
                    turn_id=line.turn_id,
                    role=line.role,
                    user_id=line.user_id,
                    name=None if line.name is None else mended(line.name),
                    character_id=line.character_id or None,
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

    async def newest(self, conversation_id: int, limit: int) -> list[HistoryEntry]:
        """At most `limit` newest lines of a conversation, oldest first."""
        query = (
            select(HistoryRow)
            .where(HistoryRow.conversation_id == conversation_id)
            .order_by(HistoryRow.id.desc())
            .limit(limit)
        )
        async with self._store.transaction() as session:
            rows = list(await session.scalars(query))
        return [_line(row) for row in reversed(rows)]

    async def clear(self, conversation_id: int) -> None:
        """Forget a conversation."""
        async with self._store.transaction() as session:
            await session.execute(delete(HistoryRow).where(HistoryRow.conversation_id == conversation_id))

    async def names_of(self, user_id: int) -> frozenset[str]:
        """The names under which somebody wrote."""
        query = select(HistoryRow.name).where(HistoryRow.user_id == user_id).distinct()
        async with self._store.transaction() as session:
            return frozenset(name for name in await session.scalars(query) if name)

    async def places_of(self, user_id: int) -> frozenset[int]:
        """The conversations in which somebody wrote."""
        query = select(HistoryRow.conversation_id).where(HistoryRow.user_id == user_id).distinct()
        async with self._store.transaction() as session:
            return frozenset(await session.scalars(query))

    async def lines_of(self, user_id: int) -> list[HistoryEntry]:
        """What is remembered of somebody: their lines, and the replies to them, oldest first."""
        turns = select(HistoryRow.turn_id).where(HistoryRow.user_id == user_id)
        query = select(HistoryRow).where(HistoryRow.turn_id.in_(turns)).order_by(HistoryRow.id)
        async with self._store.transaction() as session:
            rows = list(await session.scalars(query))
        return [
            _line(row)
            for row in rows
            if row.user_id in (user_id, None)  # never what somebody else wrote
        ]

    async def delete_person(self, user_id: int, clean: Callable[[str], str], until: datetime) -> int:
        """Forget what somebody wrote, and what was replied to it; returns how many lines of theirs that were.

        What others wrote, and was replied to them, stays, but for the mentions that `clean` takes out of it: in the
        conversations that the person took part in, and of their id everywhere.
        """
        theirs = (HistoryRow.user_id == user_id, HistoryRow.at <= until)
        async with self._store.transaction() as session:
            count = await session.scalar(select(func.count()).select_from(HistoryRow).where(*theirs))
            turns = list(await session.scalars(select(HistoryRow.turn_id).where(*theirs).distinct()))
            places = list(await session.scalars(select(HistoryRow.conversation_id).where(*theirs).distinct()))
            mentioning = or_(HistoryRow.conversation_id.in_(places), HistoryRow.content.contains(str(user_id)))
            for start in range(0, len(turns), _AT_ONCE):
                part = turns[start : start + _AT_ONCE]
                theirs_there = or_(HistoryRow.user_id == user_id, HistoryRow.user_id.is_(None))
                await session.execute(delete(HistoryRow).where(HistoryRow.turn_id.in_(part), theirs_there))
            for row in await session.scalars(select(HistoryRow).where(mentioning, HistoryRow.at <= until)):
                cleaned = clean(row.content)
                if cleaned != row.content:
                    row.content = cleaned
        return count or 0


def _line(row: HistoryRow) -> HistoryEntry:
    role: Role = "assistant" if row.role == "assistant" else "user"
    return HistoryEntry(row.turn_id, role, row.content, row.at, row.user_id, row.name, row.character_id or "")

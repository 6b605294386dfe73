"""What is locked, by whom, what is still to be undone, and the messages that wait for it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, cast

from sqlalchemy import BigInteger, Integer, UniqueConstraint, delete, func, or_, select, tuple_, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from core.errors import StoreError
from core.store.base import Base

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncSession

    from core.store.store import Store

Kind = Literal["route", "hook", "lock", "pause"]

MANUAL = "manual"  # begins the id of a claim by hand


class LockHolderRow(Base):
    """Who holds locks: a voice session, or an admin by hand."""

    __tablename__ = "lock_holder"

    id: Mapped[str] = mapped_column(primary_key=True)
    feature: Mapped[str | None]  # the only feature held; None holds all
    reason: Mapped[str]
    guild_id: Mapped[int | None]
    channel_id: Mapped[int | None]
    since: Mapped[datetime]
    until: Mapped[datetime | None]


class LockEntryRow(Base):
    """One thing that was switched, called, locked or paused for a holder, until its undo succeeded."""

    __tablename__ = "lock_entry"
    __table_args__ = (UniqueConstraint("holder", "kind", "name"),)

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    holder: Mapped[str]
    kind: Mapped[str]
    name: Mapped[str]
    detail: Mapped[str]  # what the undo needs to know, as JSON
    taken_at: Mapped[datetime]
    released: Mapped[bool]  # the holder is gone, the undo is owed
    attempts: Mapped[int] = mapped_column(Integer())
    error: Mapped[str | None]


@dataclass(frozen=True, slots=True)
class Hold:
    """A claim on every feature, or on one. `id` is that of a session, or begins with `MANUAL`.

    A session takes what is of the process, for every server. A claim by hand is of one server if it has a `guild_id`, and
    then takes nothing: it closes doors for the people there.
    """

    id: str
    reason: str
    since: datetime
    feature: str | None = None
    guild_id: int | None = None
    channel_id: int | None = None
    until: datetime | None = None

    @property
    def by_hand(self) -> bool:
        """Whether a person made it."""
        return self.id.startswith(MANUAL)

    @property
    def server_id(self) -> int | None:
        """The one server it is for; None: all of them."""
        return self.guild_id if self.by_hand else None

    def covers(self, feature: str, guild_id: int | None = None) -> bool:
        """Whether this claim is on a feature: for every server, or for this one."""
        return self.feature in (None, feature) and self.server_id in (None, guild_id)


def manual_id(feature: str | None, guild_id: int | None) -> str:
    """The id of a claim by hand on a feature, or on all; of one server, or for all of them."""
    place = MANUAL if guild_id is None else f"{MANUAL}@{guild_id}"
    return place if feature is None else f"{place}:{feature}"


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One line of the ledger. `id` is 0 until it is stored."""

    holder: str
    kind: Kind
    name: str
    taken_at: datetime
    detail: str = ""
    released: bool = False
    attempts: int = 0
    error: str | None = None
    id: int = 0

    @property
    def thing(self) -> tuple[Kind, str]:
        """What was taken, whoever holds it."""
        return self.kind, self.name


class LedgerRepository:
    """Reads and writes holders and what was done for them. Each method is one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def holds(self) -> list[Hold]:
        """Every claim, oldest first."""
        async with writing(self._store) as session:
            rows = await session.scalars(select(LockHolderRow).order_by(LockHolderRow.since))
            return [
                Hold(row.id, row.reason, row.since, row.feature, row.guild_id, row.channel_id, row.until)
                for row in rows
            ]

    async def entries(self) -> list[LedgerEntry]:
        """Every line of the ledger, in the order of taking."""
        async with writing(self._store) as session:
            rows = await session.scalars(select(LockEntryRow).order_by(LockEntryRow.id))
            return [
                LedgerEntry(
                    row.holder,
                    cast("Kind", row.kind),
                    row.name,
                    row.taken_at,
                    row.detail,
                    row.released,
                    row.attempts,
                    row.error,
                    row.id,
                )
                for row in rows
            ]

    async def take(self, hold: Hold, entries: Sequence[LedgerEntry]) -> list[LedgerEntry]:
        """Write a claim and what it is about to do, in place of owed undos of the same things.

        Returns the entries with their ids. A claim of the same id is replaced.
        """
        async with writing(self._store) as session:
            await session.merge(
                LockHolderRow(
                    id=hold.id,
                    feature=hold.feature,
                    reason=hold.reason,
                    guild_id=hold.guild_id,
                    channel_id=hold.channel_id,
                    since=hold.since,
                    until=hold.until,
                )
            )
            things = [entry.thing for entry in entries]
            await session.execute(
                delete(LockEntryRow).where(
                    LockEntryRow.released, tuple_(LockEntryRow.kind, LockEntryRow.name).in_(things)
                )
            )
            rows = [
                LockEntryRow(
                    holder=entry.holder,
                    kind=entry.kind,
                    name=entry.name,
                    detail=entry.detail,
                    taken_at=entry.taken_at,
                    released=False,
                    attempts=0,
                )
                for entry in entries
            ]
            session.add_all(rows)
            await session.flush()
            return [
                LedgerEntry(entry.holder, entry.kind, entry.name, entry.taken_at, entry.detail, id=row.id)
                for entry, row in zip(entries, rows, strict=True)
            ]

    async def release(self, holders: Sequence[str], *, owed: Sequence[int]) -> None:
        """End claims: some of their undos are owed from now on, the lines that need none go."""
        rows = LockEntryRow.id.in_(owed)
        async with writing(self._store) as session:
            await session.execute(delete(LockHolderRow).where(LockHolderRow.id.in_(holders)))
            await session.execute(delete(LockEntryRow).where(LockEntryRow.holder.in_(holders), ~rows))
            await session.execute(update(LockEntryRow).where(rows).values(released=True))

    async def strike(self, entries: Sequence[int]) -> None:
        """Take lines away: what they say was undone."""
        async with writing(self._store) as session:
            await session.execute(delete(LockEntryRow).where(LockEntryRow.id.in_(entries)))

    async def failed(self, entry: int, attempts: int, error: str) -> None:
        """Note that an undo failed."""
        async with writing(self._store) as session:
            await session.execute(
                update(LockEntryRow).where(LockEntryRow.id == entry).values(attempts=attempts, error=error)
            )


class QueuedMessageRow(Base):
    """A message that waits to be answered."""

    __tablename__ = "queued_message"
    __table_args__ = (UniqueConstraint("feature", "message_id"),)

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    feature: Mapped[str]
    guild_id: Mapped[int | None]
    channel_id: Mapped[int]
    message_id: Mapped[int]
    author_id: Mapped[int]
    arrived_at: Mapped[datetime]
    claimed: Mapped[bool]  # its answer has begun


class QueueNoticeRow(Base):
    """An author who was told that messages were dropped; forgotten when the queue is empty again."""

    __tablename__ = "queue_notice"

    feature: Mapped[str] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message that waits to be answered. Its text is not kept: it is read again when its turn comes."""

    feature: str
    guild_id: int | None
    channel_id: int
    message_id: int
    author_id: int
    arrived_at: datetime
    claimed: bool = False
    id: int = 0


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of a message: whether it is new, what was dropped for it, and of that, whose author must be told."""

    new: bool
    dropped: Sequence[QueuedMessage] = ()
    to_tell: Sequence[QueuedMessage] = ()


class QueueRepository:
    """Reads and writes waiting messages. Each method is one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def push(self, queued: QueuedMessage, limit: int) -> Pushed:
        """Append a message; past `limit` the oldest of its server go, one notice an author."""
        async with writing(self._store) as session:
            known = await session.scalar(
                select(QueuedMessageRow.id).where(
                    QueuedMessageRow.feature == queued.feature, QueuedMessageRow.message_id == queued.message_id
                )
            )
            if known is not None:
                return Pushed(new=False)
            session.add(
                QueuedMessageRow(
                    feature=queued.feature,
                    guild_id=queued.guild_id,
                    channel_id=queued.channel_id,
                    message_id=queued.message_id,
                    author_id=queued.author_id,
                    arrived_at=queued.arrived_at,
                    claimed=False,
                )
            )
            await session.flush()
            here = (QueuedMessageRow.feature == queued.feature, _of_server(queued.guild_id))
            count = await session.scalar(select(func.count()).select_from(QueuedMessageRow).where(*here))
            over = (count or 0) - limit
            if over <= 0:
                return Pushed(new=True)
            waiting = select(QueuedMessageRow).where(*here, ~QueuedMessageRow.claimed)
            rows = list(await session.scalars(waiting.order_by(QueuedMessageRow.message_id).limit(over)))
            dropped = [_queued(row) for row in rows]
            to_tell = await self._not_told(session, dropped)
            await session.execute(delete(QueuedMessageRow).where(QueuedMessageRow.id.in_([row.id for row in rows])))
            return Pushed(new=True, dropped=dropped, to_tell=to_tell)

    async def oldest(self, feature: str, *, without: Collection[int] = ()) -> QueuedMessage | None:
        """The message whose turn it is: that was written first, whichever was kept first. Discord's ids tell.

        Those of the servers of `without` are passed over.
        """
        query = select(QueuedMessageRow).where(QueuedMessageRow.feature == feature)
        if without:
            query = query.where(
                or_(QueuedMessageRow.guild_id.is_(None), QueuedMessageRow.guild_id.not_in(list(without)))
            )
        async with writing(self._store) as session:
            row = await session.scalar(query.order_by(QueuedMessageRow.message_id).limit(1))
            return None if row is None else _queued(row)

    async def claim(self, queued: QueuedMessage, *, claimed: bool = True) -> None:
        """Note that a message is about to be answered, or that it was not after all."""
        async with writing(self._store) as session:
            await session.execute(
                update(QueuedMessageRow).where(QueuedMessageRow.id == queued.id).values(claimed=claimed)
            )

    async def strike(self, queued: QueuedMessage) -> None:
        """Take a message away; with the last one the notices go."""
        async with writing(self._store) as session:
            await session.execute(delete(QueuedMessageRow).where(QueuedMessageRow.id == queued.id))
            if not await _count(session, queued.feature):
                await session.execute(delete(QueueNoticeRow).where(QueueNoticeRow.feature == queued.feature))

    async def counts(self) -> dict[tuple[str, int | None], int]:
        """How many messages wait, by feature and server; None stands for direct messages."""
        place = (QueuedMessageRow.feature, QueuedMessageRow.guild_id)
        query = select(*place, func.count()).group_by(*place)
        async with writing(self._store) as session:
            return {(feature, guild_id): count for feature, guild_id, count in await session.execute(query)}

    async def delete_person(self, author_id: int) -> int:
        """Take away the messages of somebody and the notice they got; returns how many messages that were.

        Locks that they set by hand stay, without their name.
        """
        theirs = QueuedMessageRow.author_id == author_id
        async with writing(self._store) as session:
            count = await session.scalar(select(func.count()).select_from(QueuedMessageRow).where(theirs))
            await session.execute(delete(QueuedMessageRow).where(theirs))
            await session.execute(delete(QueueNoticeRow).where(QueueNoticeRow.author_id == author_id))
            nameless = func.replace(LockHolderRow.reason, f"<@{author_id}>", "somebody")
            await session.execute(update(LockHolderRow).values(reason=nameless))
        return int(count or 0)

    async def count_of(self, author_id: int) -> int:
        """How many messages of somebody wait."""
        theirs = QueuedMessageRow.author_id == author_id
        async with writing(self._store) as session:
            return int(await session.scalar(select(func.count()).select_from(QueuedMessageRow).where(theirs)) or 0)

    async def _not_told(self, session: AsyncSession, dropped: Sequence[QueuedMessage]) -> list[QueuedMessage]:
        """One message for each author who has no notice yet; the notices are written."""
        first: dict[int, QueuedMessage] = {}
        for queued in dropped:
            first.setdefault(queued.author_id, queued)
        feature = dropped[0].feature if dropped else ""
        told = set(await session.scalars(select(QueueNoticeRow.author_id).where(QueueNoticeRow.feature == feature)))
        to_tell = [queued for author_id, queued in first.items() if author_id not in told]
        session.add_all(QueueNoticeRow(feature=feature, author_id=queued.author_id) for queued in to_tell)
        return to_tell


@asynccontextmanager
async def writing(store: Store) -> AsyncGenerator[AsyncSession]:
    """A transaction whose failure is a StoreError."""
    try:
        async with store.transaction() as session:
            yield session
    except SQLAlchemyError as error:
        raise StoreError("The database could not be read or written.") from error


def _of_server(guild_id: int | None) -> ColumnElement[bool]:
    return QueuedMessageRow.guild_id.is_(None) if guild_id is None else QueuedMessageRow.guild_id == guild_id


async def _count(session: AsyncSession, feature: str) -> int:
    query = select(func.count()).select_from(QueuedMessageRow).where(QueuedMessageRow.feature == feature)
    return int(await session.scalar(query) or 0)


def _queued(row: QueuedMessageRow) -> QueuedMessage:
    return QueuedMessage(
        row.feature,
        row.guild_id,
        row.channel_id,
        row.message_id,
        row.author_id,
        row.arrived_at,
        row.claimed,
        row.id,
    )

"""The index of recordings, and who is on them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from sqlalchemy import ForeignKey, delete, select, update
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.store.base import Base
from core.store.word_index import forget_words, things_said

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Select

    from core.store.store import Store

RecordingState = Literal["recording", "rendering", "finished", "failed"]


class RecordingChannelRow(Base):
    """A channel that a recording went on in, besides the one where it began."""

    __tablename__ = "recording_channels"

    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True)
    channel_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class RecordingRow(Base):
    """One recording."""

    __tablename__ = "recordings"

    id: Mapped[str] = mapped_column(primary_key=True)
    guild_id: Mapped[int] = mapped_column(index=True)
    channel_id: Mapped[int]
    channel_name: Mapped[str]
    folder: Mapped[str]  # below the recordings' root, with forward slashes
    state: Mapped[str] = mapped_column(index=True)
    started_at: Mapped[datetime]
    started_by: Mapped[int | None]
    report_channel_id: Mapped[int | None]  # where to say how it ended
    duration_s: Mapped[float | None]
    moved_to: Mapped[list[RecordingChannelRow]] = relationship(
        viewonly=True, lazy="selectin", order_by=RecordingChannelRow.channel_id
    )


class RecordingPersonRow(Base):
    """One person on a recording."""

    __tablename__ = "recording_people"

    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, index=True)
    name: Mapped[str]


@dataclass(frozen=True, slots=True)
class RecordingRecord:
    """One recording as the index knows it."""

    id: str
    guild_id: int
    channel_id: int
    channel_name: str
    folder: str
    state: RecordingState
    started_at: datetime
    started_by: int | None = None
    report_channel_id: int | None = None
    duration_s: float | None = None
    moved_to: tuple[int, ...] = ()  # other channels that it went on in

    @property
    def channel_ids(self) -> tuple[int, ...]:
        """Every channel of which it holds sound: rights are needed in all of them."""
        return (self.channel_id, *self.moved_to)


class RecordingsRepository:
    """Reads and writes the index of recordings."""

    def __init__(self, store: Store) -> None:
        self.store = self._store = store

    async def save(self, record: RecordingRecord) -> None:
        """Write a recording, new or changed; a channel it went on in stays, named or not."""
        async with self._store.transaction() as session:
            await session.merge(
                RecordingRow(
                    id=record.id,
                    guild_id=record.guild_id,
                    channel_id=record.channel_id,
                    channel_name=record.channel_name,
                    folder=record.folder,
                    state=record.state,
                    started_at=record.started_at,
                    started_by=record.started_by,
                    report_channel_id=record.report_channel_id,
                    duration_s=record.duration_s,
                )
            )
            for channel_id in record.moved_to:
                await session.merge(RecordingChannelRow(recording_id=record.id, channel_id=channel_id))

    async def add_channel(self, recording_id: str, channel_id: int) -> None:
        """Say that a recording goes on in another channel."""
        async with self._store.transaction() as session:
            await session.merge(RecordingChannelRow(recording_id=recording_id, channel_id=channel_id))

    async def save_people(self, recording_id: str, names: Mapping[int, str]) -> None:
        """Say who is on a recording, by user id; whoever is not named is on it no more."""
        async with self._store.transaction() as session:
            gone = delete(RecordingPersonRow).where(RecordingPersonRow.recording_id == recording_id)
            await session.execute(gone)
            session.add_all(
                RecordingPersonRow(recording_id=recording_id, user_id=user_id, name=name)
                for user_id, name in names.items()
            )

    async def get(self, recording_id: str) -> RecordingRecord | None:
        """One recording, if there is one of this id."""
        async with self._store.transaction() as session:
            row = await session.get(RecordingRow, recording_id)
        return None if row is None else _record(row)

    async def all(self) -> list[RecordingRecord]:
        """Every recording, oldest first."""
        return await self._records(select(RecordingRow).order_by(RecordingRow.started_at))

    async def of_person(self, user_id: int) -> list[RecordingRecord]:
        """Every recording a person is on, newest first."""
        query = select(RecordingRow).join(RecordingPersonRow).where(RecordingPersonRow.user_id == user_id)
        return await self._records(query.order_by(RecordingRow.started_at.desc()))

    async def older_than(self, before: datetime) -> list[RecordingRecord]:
        """Every finished or failed recording that began before a time, oldest first."""
        query = select(RecordingRow).where(
            RecordingRow.started_at < before, RecordingRow.state.in_(("finished", "failed"))
        )
        return await self._records(query.order_by(RecordingRow.started_at))

    async def people(self, recording_id: str) -> dict[int, str]:
        """Who is on a recording: names by user id."""
        query = select(RecordingPersonRow).where(RecordingPersonRow.recording_id == recording_id)
        async with self._store.transaction() as session:
            return {row.user_id: row.name for row in await session.scalars(query)}

    async def delete(self, recording_id: str) -> None:
        """Forget a recording, and every byte of what was said on it.

        Raises:
            StoreError: The database cannot be written; or it is forgotten, but bytes of it are still in the files.
        """
        async with self._store.transaction() as session:
            said = await things_said(session, recording_id)
            people = delete(RecordingPersonRow).where(RecordingPersonRow.recording_id == recording_id)
            await session.execute(people)
            channels = delete(RecordingChannelRow).where(RecordingChannelRow.recording_id == recording_id)
            await session.execute(channels)
            await session.execute(delete(RecordingRow).where(RecordingRow.id == recording_id))
            if said:
                await forget_words(session)
        if said:
            await self._store.scrub()

    async def add_person(self, recording_id: str, user_id: int, name: str) -> None:
        """Say that somebody is on a recording."""
        async with self._store.transaction() as session:
            await session.merge(RecordingPersonRow(recording_id=recording_id, user_id=user_id, name=name))

    async def names_of(self, user_id: int) -> frozenset[str]:
        """The names under which somebody was recorded."""
        query = select(RecordingPersonRow.name).where(RecordingPersonRow.user_id == user_id).distinct()
        async with self._store.transaction() as session:
            return frozenset(await session.scalars(query))

    async def forget_person(self, user_id: int, until: datetime) -> None:
        """Take somebody out of the index of all recordings that began by then, also as who started them."""
        began = select(RecordingRow.id).where(RecordingRow.started_at <= until)
        theirs = (RecordingPersonRow.user_id == user_id, RecordingPersonRow.recording_id.in_(began))
        started = (RecordingRow.started_by == user_id, RecordingRow.started_at <= until)
        async with self._store.transaction() as session:
            await session.execute(delete(RecordingPersonRow).where(*theirs))
            await session.execute(update(RecordingRow).where(*started).values(started_by=None))

    async def _records(self, query: Select[RecordingRow]) -> list[RecordingRecord]:
        async with self._store.transaction() as session:
            return [_record(row) for row in await session.scalars(query)]


def _record(row: RecordingRow) -> RecordingRecord:
    states: dict[str, RecordingState] = {"recording": "recording", "rendering": "rendering", "finished": "finished"}
    return RecordingRecord(
        row.id,
        row.guild_id,
        row.channel_id,
        row.channel_name,
        row.folder,
        states.get(row.state, "failed"),
        row.started_at,
        row.started_by,
        row.report_channel_id,
        row.duration_s,
        tuple(channel.channel_id for channel in row.moved_to),
    )

"""The queues of music, so that they go on after a restart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from sqlalchemy import BigInteger, Integer, delete, func, select, update
from sqlalchemy.orm import Mapped, mapped_column

from core.store.base import Base

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.store.store import Store

SoundKind = Literal["folder", "kept", "path", "url"]


class QueuedTrackRow(Base):
    """One track of a guild's queue."""

    __tablename__ = "queued_track"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    guild_id: Mapped[int] = mapped_column(index=True)
    place: Mapped[int] = mapped_column(Integer())
    kind: Mapped[str]
    location: Mapped[str]
    title: Mapped[str]
    user_id: Mapped[int]
    start_s: Mapped[float]
    length_s: Mapped[float | None]
    loop: Mapped[str]


@dataclass(frozen=True, slots=True)
class QueuedTrack:
    """One track as it is kept. `location`: a name in the folder or among the kept files, a path, or an address."""

    kind: SoundKind
    location: str
    title: str
    user_id: int
    start_s: float = 0.0
    length_s: float | None = None
    loop: str = "off"


class MusicRepository:
    """Reads and writes queues. Each method is one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def save(self, guild_id: int, tracks: Sequence[QueuedTrack]) -> None:
        """Put these in the place of a guild's queue."""
        async with self._store.transaction() as session:
            await session.execute(delete(QueuedTrackRow).where(QueuedTrackRow.guild_id == guild_id))
            session.add_all(
                QueuedTrackRow(
                    guild_id=guild_id,
                    place=place,
                    kind=track.kind,
                    location=track.location,
                    title=track.title,
                    user_id=track.user_id,
                    start_s=track.start_s,
                    length_s=track.length_s,
                    loop=track.loop,
                )
                for place, track in enumerate(tracks)
            )

    async def place(self, guild_id: int, start_s: float) -> None:
        """Note where the first track of a guild's queue is."""
        first = (QueuedTrackRow.guild_id == guild_id) & (QueuedTrackRow.place == 0)
        async with self._store.transaction() as session:
            await session.execute(update(QueuedTrackRow).where(first).values(start_s=start_s))

    async def queue(self, guild_id: int) -> list[QueuedTrack]:
        """A guild's queue, in order."""
        asked = select(QueuedTrackRow).where(QueuedTrackRow.guild_id == guild_id).order_by(QueuedTrackRow.place)
        async with self._store.transaction() as session:
            return [_track(row) for row in await session.scalars(asked)]

    async def kept(self) -> set[str]:
        """Names of the kept files that some queue wants."""
        asked = select(QueuedTrackRow.location).where(QueuedTrackRow.kind == "kept")
        async with self._store.transaction() as session:
            return set(await session.scalars(asked))

    async def of_person(self, user_id: int) -> list[QueuedTrack]:
        """What somebody asked for, in any queue."""
        asked = select(QueuedTrackRow).where(QueuedTrackRow.user_id == user_id).order_by(QueuedTrackRow.id)
        async with self._store.transaction() as session:
            return [_track(row) for row in await session.scalars(asked)]

    async def forget_person(self, user_id: int) -> int:
        """Delete what somebody asked for; gives how many tracks."""
        theirs = QueuedTrackRow.user_id == user_id
        async with self._store.transaction() as session:
            count = await session.scalar(select(func.count()).select_from(QueuedTrackRow).where(theirs))
            await session.execute(delete(QueuedTrackRow).where(theirs))
            return count or 0


def _track(row: QueuedTrackRow) -> QueuedTrack:
    return QueuedTrack(
        cast("SoundKind", row.kind), row.location, row.title, row.user_id, row.start_s, row.length_s, row.loop
    )

"""What was said, by recording and person, to be searched: SQLite's FTS5 or PostgreSQL's full text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, ForeignKey, Integer, delete, func, insert, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from core.store.base import Base
from core.store.recordings import RecordingRow
from core.store.search_text import indexed
from core.store.word_index import forget_words

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncSession

    from core.store.search_text import Term
    from core.store.store import Store

# On SQLite an index of FTS5, which triggers keep as the table is.
_MATCHING = "SELECT rowid FROM transcript_words WHERE transcript_words MATCH :asked"
_BATCH = 500
MOST_RECORDINGS = 30_000  # that are searched at once: both databases take so many values


class SpokenRow(Base):
    """Something that somebody said without a long pause."""

    __tablename__ = "transcript_segment"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id", ondelete="CASCADE"), index=True)
    guild_id: Mapped[int] = mapped_column(index=True)
    channel_id: Mapped[int]
    user_id: Mapped[int] = mapped_column(index=True)
    speaker: Mapped[str]  # as they are called in the transcript
    start_s: Mapped[float]
    end_s: Mapped[float]
    said_at: Mapped[datetime]
    text: Mapped[str]
    indexed: Mapped[str]  # the same as it is searched


@dataclass(frozen=True, slots=True)
class Spoken:
    """One thing that was said, and where."""

    recording_id: str
    guild_id: int
    channel_id: int
    user_id: int
    speaker: str
    start_s: float
    end_s: float
    said_at: datetime
    text: str


class TranscriptsRepository:
    """Reads and writes what was said."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def replace(self, recording_id: str, user_id: int, said: Sequence[Spoken]) -> None:
        """Make these all that a person said on a recording.

        Raises:
            StoreError: The database cannot be written, or knows no such recording; what was there stays.
        """
        async with self._store.transaction() as session:
            await session.execute(delete(SpokenRow).where(*_theirs(recording_id, user_id)))
            for start in range(0, len(said), _BATCH):
                await session.execute(insert(SpokenRow), [_values(each) for each in said[start : start + _BATCH]])

    async def add(self, said: Sequence[Spoken]) -> None:
        """Add to what was said, while a recording goes on."""
        if said:
            async with self._store.transaction() as session:
                await session.execute(insert(SpokenRow), [_values(each) for each in said])

    async def of_recording(self, recording_id: str) -> list[Spoken]:
        """Everything that was said on a recording, by time."""
        query = select(SpokenRow).where(SpokenRow.recording_id == recording_id)
        async with self._store.transaction() as session:
            return [_spoken(row) for row in await session.scalars(query.order_by(SpokenRow.start_s, SpokenRow.id))]

    async def recording_ids(self) -> set[str]:
        """Recordings of which something is kept."""
        async with self._store.transaction() as session:
            return set(await session.scalars(select(SpokenRow.recording_id).distinct()))

    async def of_person(self, user_id: int) -> list[Spoken]:
        """Everything that a person said, by time."""
        query = select(SpokenRow).where(SpokenRow.user_id == user_id).order_by(SpokenRow.said_at, SpokenRow.id)
        async with self._store.transaction() as session:
            return [_spoken(row) for row in await session.scalars(query)]

    async def search(
        self,
        terms: Sequence[Term],
        *,
        recording_ids: Collection[str],
        user_id: int | None = None,
        since: datetime | None = None,
        limit: int = 10,
        offset: int = 0,
    ) -> tuple[list[Spoken], int]:
        """What was said with all these words in it, newest first.

        Args:
            terms: What to find; `search_text.parse` makes it of what somebody typed.
            recording_ids: On these recordings alone, those that the asker may see; newest first if there are very many.
            user_id: By this person alone.
            since: Not before.
            limit: At most so many.
            offset: Behind so many.

        Returns:
            What was found, and how much there is altogether.

        Raises:
            StoreError: The database cannot be read.
        """
        if not terms or not recording_ids:
            return [], 0
        among = list(islice(recording_ids, MOST_RECORDINGS))
        async with self._store.transaction() as session:
            wanted = [_matches(session, terms), SpokenRow.recording_id.in_(among)]
            if user_id is not None:
                wanted.append(SpokenRow.user_id == user_id)
            if since is not None:
                wanted.append(SpokenRow.said_at >= since)
            count = await session.scalar(select(func.count()).select_from(SpokenRow).where(*wanted)) or 0
            query = select(SpokenRow).where(*wanted).order_by(SpokenRow.said_at.desc(), SpokenRow.id.desc())
            rows = await session.scalars(query.limit(limit).offset(offset))
            return [_spoken(row) for row in rows], count

    async def rename(self, recording_id: str, user_id: int, before: str, now: str) -> None:
        """Call a speaker something else."""
        theirs = (*_theirs(recording_id, user_id), SpokenRow.speaker == before)
        async with self._store.transaction() as session:
            await session.execute(update(SpokenRow).where(*theirs).values(speaker=now))

    async def delete_recording(self, recording_id: str) -> None:
        """Forget what was said on a recording."""
        async with self._store.transaction() as session:
            await session.execute(delete(SpokenRow).where(SpokenRow.recording_id == recording_id))
            await forget_words(session)

    async def delete_person(
        self, user_id: int, until: datetime, clean: Callable[[str], str], recording_ids: Iterable[str] = ()
    ) -> int:
        """Forget what a person said on recordings that began by then, and take their name out of what others said.

        Args:
            user_id: The person.
            until: What was said on later recordings stays.
            clean: Takes their names out of a text.
            recording_ids: Recordings that they took part in: there their name goes from what others said.

        Returns:
            How much of theirs there was.

        Raises:
            StoreError: The database cannot be written; everything stays as it was.
        """
        async with self._store.transaction() as session:
            began = select(RecordingRow.id).where(RecordingRow.started_at <= until)
            theirs = (SpokenRow.user_id == user_id, SpokenRow.recording_id.in_(began))
            found = {each for each in await session.scalars(select(SpokenRow.recording_id).where(*theirs).distinct())}
            gone = await session.scalar(select(func.count()).select_from(SpokenRow).where(*theirs)) or 0
            await session.execute(delete(SpokenRow).where(*theirs))
            named = found | set(recording_ids)
            changed = await self._clean(session, named, clean)
            if gone or changed:
                await forget_words(session)
            return gone

    async def _clean(self, session: AsyncSession, recording_ids: set[str], clean: Callable[[str], str]) -> int:
        changed = 0
        for recording_id in recording_ids:
            query = select(SpokenRow.id, SpokenRow.text).where(SpokenRow.recording_id == recording_id)
            for row_id, said in (await session.execute(query)).all():
                cleaned = clean(said)
                if cleaned != said:
                    changed += 1
                    values = {"text": cleaned, "indexed": indexed(cleaned)}
                    await session.execute(update(SpokenRow).where(SpokenRow.id == row_id).values(**values))
        return changed


def _theirs(recording_id: str, user_id: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return SpokenRow.recording_id == recording_id, SpokenRow.user_id == user_id


def _matches(session: AsyncSession, terms: Sequence[Term]) -> ColumnElement[bool]:
    """The condition that all terms are in a row, for the database at hand; words hold letters and digits alone."""
    if session.get_bind().dialect.name == "sqlite":
        asked = " ".join(f'"{" ".join(term.words)}"{"*" if term.prefix else ""}' for term in terms)
        found = text(_MATCHING).bindparams(asked=asked)
        return SpokenRow.id.in_(found.columns(SpokenRow.id).scalar_subquery())
    asked = " & ".join(
        " <-> ".join(f"'{word}'" for word in term.words) + (":*" if term.prefix else "") for term in terms
    )
    return func.to_tsvector(text("'simple'"), SpokenRow.indexed).op("@@")(func.to_tsquery(text("'simple'"), asked))


def _values(said: Spoken) -> dict[str, Any]:
    return {
        "recording_id": said.recording_id,
        "guild_id": said.guild_id,
        "channel_id": said.channel_id,
        "user_id": said.user_id,
        "speaker": said.speaker,
        "start_s": said.start_s,
        "end_s": said.end_s,
        "said_at": said.said_at,
        "text": said.text,
        "indexed": indexed(said.text),
    }


def _spoken(row: SpokenRow) -> Spoken:
    return Spoken(
        row.recording_id,
        row.guild_id,
        row.channel_id,
        row.user_id,
        row.speaker,
        row.start_s,
        row.end_s,
        row.said_at,
        row.text,
    )

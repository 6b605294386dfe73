"""Messages of channels that let the bot read along, and the profiles that rest on them: neither outlives the other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Index, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from core.store.base import Base
from core.store.profiles import ProfileKey, ProfileRow, clear_profiles
from core.surrogates import mended

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncSession

    from core.store.store import Store

AT_ONCE = 400  # ids named in one statement


class ObservedMessageRow(Base):
    """What one person wrote where the bot reads along."""

    __tablename__ = "observed_message"
    __table_args__ = (
        Index("ix_observed_message_person", "guild_id", "user_id", "message_id"),
        Index("ix_observed_message_channel", "channel_id", "message_id"),
    )

    message_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    guild_id: Mapped[int]
    channel_id: Mapped[int]
    user_id: Mapped[int] = mapped_column(index=True)
    content: Mapped[str]
    at: Mapped[datetime] = mapped_column(index=True)


@dataclass(frozen=True, slots=True)
class Observed:
    """A message as it is kept: others are named in its text, never mentioned."""

    id: int
    guild_id: int
    channel_id: int
    user_id: int
    content: str
    at: datetime


class ObservedRepository:
    """Reads and writes what was observed. Whatever is taken away takes the profiles that rest on it along."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._insert = sqlite.insert if store.url.get_backend_name() == "sqlite" else postgresql.insert

    # Writing ----------------------------------------------------------------------------------------------------------

    async def apply(self, added: Iterable[Observed], changed: Mapping[int, str | None]) -> list[ProfileKey]:
        """Add messages, and change or (None) take away others, in one transaction; one that is there already stays.

        Returns:
            The profiles that rested on what was changed: they are gone as well.

        Raises:
            StoreError: The database cannot be written; nothing was done.
        """
        rows = [
            {
                "message_id": each.id,
                "guild_id": each.guild_id,
                "channel_id": each.channel_id,
                "user_id": each.user_id,
                "content": mended(each.content),
                "at": each.at,
            }
            for each in added
        ]
        async with self._store.transaction() as session:
            if rows:
                await session.execute(self._insert(ObservedMessageRow).on_conflict_do_nothing(), rows)
            return await self._change(session, changed) if changed else []

    async def _change(self, session: AsyncSession, changed: Mapping[int, str | None]) -> list[ProfileKey]:
        gone: dict[tuple[int, int], set[int]] = {}
        ids = list(changed)
        for start in range(0, len(ids), AT_ONCE):
            there = ObservedMessageRow.message_id.in_(ids[start : start + AT_ONCE])
            for row in await session.scalars(select(ObservedMessageRow).where(there)):
                content = changed[row.message_id]
                if content is not None and mended(content) == row.content:
                    continue  # Discord tells of an edit when it adds the preview of a link
                gone.setdefault((row.guild_id, row.user_id), set()).add(row.message_id)
                if content:
                    row.content = mended(content)
                else:
                    await session.delete(row)
        return [key for person, each in gone.items() for key in await clear_profiles(session, _of(*person), each)]

    async def forget_channel(self, channel_id: int) -> list[ProfileKey]:
        """Take a channel's messages away."""
        return await self._forget(
            ObservedMessageRow.channel_id == channel_id, ProfileRow.channels.contains(str(channel_id))
        )

    async def forget_server(self, guild_id: int) -> list[ProfileKey]:
        """Take a server's messages away."""
        return await self._forget(
            ObservedMessageRow.guild_id == guild_id, ProfileRow.guild_id == guild_id, corrections=True
        )

    async def forget_member(self, guild_id: int, user_id: int) -> list[ProfileKey]:
        """Take away what somebody wrote on a server, and what they said of themselves there."""
        theirs = (ObservedMessageRow.guild_id == guild_id) & (ObservedMessageRow.user_id == user_id)
        return await self._forget(theirs, _of(guild_id, user_id), corrections=True)

    async def forget_person(self, user_id: int) -> int:
        """Take away everything of somebody, on every server; returns how many messages and profiles that were."""
        theirs = ObservedMessageRow.user_id == user_id
        async with self._store.transaction() as session:
            count = await session.scalar(select(func.count()).select_from(ObservedMessageRow).where(theirs)) or 0
            profiles = ProfileRow.user_id == user_id
            count += await session.scalar(select(func.count()).select_from(ProfileRow).where(profiles)) or 0
            await session.execute(delete(ObservedMessageRow).where(theirs))
            await session.execute(delete(ProfileRow).where(profiles))
        return count

    async def _forget(
        self, messages: ColumnElement[bool], profiles: ColumnElement[bool], *, corrections: bool = False
    ) -> list[ProfileKey]:
        async with self._store.transaction() as session:
            await session.execute(delete(ObservedMessageRow).where(messages))
            return await clear_profiles(session, profiles, None, corrections=corrections)

    async def purge(self, before: datetime, keep: int) -> list[ProfileKey]:
        """Take away what is older, but for the newest `keep` of each person on each server."""
        row = ObservedMessageRow
        place = func.row_number().over(partition_by=(row.guild_id, row.user_id), order_by=row.message_id.desc())
        numbered = select(row.message_id, row.at, place.label("place")).subquery()
        old = select(numbered.c.message_id).where(numbered.c.place > keep, numbered.c.at < before)
        async with self._store.transaction() as session:
            ids = list(await session.scalars(old))
        gone: list[ProfileKey] = []
        for start in range(0, len(ids), AT_ONCE):  # a transaction each: others get their turn
            gone += await self.apply((), dict.fromkeys(ids[start : start + AT_ONCE]))
        return gone

    async def clean(self, text: str, clean: Callable[[str], str]) -> list[ProfileKey]:
        """Take somebody out of what others wrote, where it holds a text."""
        there = ObservedMessageRow.content.contains(text, autoescape=True)
        async with self._store.transaction() as session:
            rows = (
                await session.execute(select(ObservedMessageRow.message_id, ObservedMessageRow.content).where(there))
            ).all()
        changed = {message_id: cleaned for message_id, content in rows if (cleaned := clean(content)) != content}
        return await self.apply((), changed)

    # Reading ----------------------------------------------------------------------------------------------------------

    async def newest(self, guild_id: int, user_id: int, channels: Collection[int], limit: int) -> list[Observed]:
        """The newest messages of somebody in some channels of a server, oldest first."""
        row = ObservedMessageRow
        query = select(row).where(row.guild_id == guild_id, row.user_id == user_id, row.channel_id.in_(channels))
        return await self._read(query.order_by(row.message_id.desc()).limit(limit))

    async def newest_of_channel(self, channel_id: int, limit: int) -> list[Observed]:
        """The newest messages of a channel, oldest first."""
        row = ObservedMessageRow
        return await self._read(
            select(row).where(row.channel_id == channel_id).order_by(row.message_id.desc()).limit(limit)
        )

    async def _read(self, query: Select[ObservedMessageRow]) -> list[Observed]:
        async with self._store.transaction() as session:
            rows = list(await session.scalars(query))
        return [
            Observed(row.message_id, row.guild_id, row.channel_id, row.user_id, row.content, row.at)
            for row in reversed(rows)
        ]

    async def count_after(self, guild_id: int, user_id: int, channels: Collection[int], message_id: int) -> int:
        """How many messages somebody wrote in some channels after one."""
        row = ObservedMessageRow
        theirs = (row.guild_id == guild_id, row.user_id == user_id, row.channel_id.in_(channels))
        query = select(func.count()).select_from(row).where(*theirs, row.message_id > message_id)
        async with self._store.transaction() as session:
            return int(await session.scalar(query) or 0)

    async def of_person(self, user_id: int) -> list[Observed]:
        """Everything that somebody wrote, oldest first."""
        query = select(ObservedMessageRow).where(ObservedMessageRow.user_id == user_id)
        return await self._read(query.order_by(ObservedMessageRow.message_id.desc()))

    async def count_of(self, user_id: int, guild_id: int | None = None) -> int:
        """How many messages of somebody are kept, on one server or on all."""
        query = select(func.count()).select_from(ObservedMessageRow).where(ObservedMessageRow.user_id == user_id)
        if guild_id is not None:
            query = query.where(ObservedMessageRow.guild_id == guild_id)
        async with self._store.transaction() as session:
            return int(await session.scalar(query) or 0)

    async def people(self) -> list[tuple[int, int]]:
        """Server and person of everybody of whom something is kept."""
        messages = select(ObservedMessageRow.guild_id, ObservedMessageRow.user_id).distinct()
        profiles = select(ProfileRow.guild_id, ProfileRow.user_id).distinct()
        async with self._store.transaction() as session:
            rows = (await session.execute(messages.union(profiles))).all()
        return [(guild_id, user_id) for guild_id, user_id in rows]

    async def channels(self, guild_id: int) -> list[int]:
        """The channels of a server from which something is kept."""
        query = select(ObservedMessageRow.channel_id).where(ObservedMessageRow.guild_id == guild_id).distinct()
        async with self._store.transaction() as session:
            return list(await session.scalars(query))

    async def between(self, channel_id: int, first: int, last: int) -> dict[int, str]:
        """The messages of a channel from one id to another, with what they say."""
        row = ObservedMessageRow
        query = select(row.message_id, row.content).where(
            row.channel_id == channel_id, row.message_id >= first, row.message_id <= last
        )
        async with self._store.transaction() as session:
            return {message_id: content for message_id, content in (await session.execute(query)).all()}


async def unchanged(session: AsyncSession, messages: Collection[Observed]) -> bool:
    """Whether messages are kept as they are here: nobody has deleted or edited one meanwhile."""
    row = ObservedMessageRow
    query = select(row.message_id, row.content).where(row.message_id.in_([each.id for each in messages]))
    there = {message_id: content for message_id, content in (await session.execute(query)).all()}
    return all(there.get(each.id) == each.content for each in messages)


def _of(guild_id: int, user_id: int) -> ColumnElement[bool]:
    return (ProfileRow.guild_id == guild_id) & (ProfileRow.user_id == user_id)

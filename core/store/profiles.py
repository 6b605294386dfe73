"""What the bot thinks of people: a profile a person, server and place of talk, with the messages that it rests on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Mapped, mapped_column

from core.store.base import Base

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncSession

    from core.store.store import Store

OPEN = 0  # the scope of what is written where everybody of the server may read


class ProfileKey(NamedTuple):
    """Whose profile, on which server, and where it holds: everywhere (`OPEN`), or in one channel that not all may read."""

    guild_id: int
    user_id: int
    scope: int = OPEN


class ProfileRow(Base):
    """One profile. Without `profile` it holds only what the person corrected themselves."""

    __tablename__ = "persona_profile"

    guild_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, index=True)
    scope: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    profile: Mapped[str | None]  # JSON
    corrected: Mapped[str | None]  # JSON, by the person; outlives what the model makes
    sources: Mapped[str]  # JSON: ids of messages
    channels: Mapped[str]  # JSON: ids of the channels of those
    made_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """A profile as it is kept."""

    key: ProfileKey
    profile: Mapping[str, Any] | None = None
    corrected: Mapping[str, Any] = field(default_factory=dict[str, Any])
    sources: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    made_at: datetime | None = None


class ProfilesRepository:
    """Reads and writes profiles."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, key: ProfileKey) -> StoredProfile | None:
        """One profile, if there is one."""
        async with self._store.transaction() as session:
            row = await session.get(ProfileRow, tuple(key))
        return None if row is None else _stored(row)

    async def newest(self, limit: int) -> list[StoredProfile]:
        """Those that were made last, the newest last; what people only corrected comes before."""
        query = select(ProfileRow).order_by(ProfileRow.made_at.is_(None), ProfileRow.made_at.desc()).limit(limit)
        async with self._store.transaction() as session:
            return [_stored(row) for row in reversed(list(await session.scalars(query)))]

    async def of_person(self, user_id: int, guild_id: int | None = None) -> list[StoredProfile]:
        """Everything that is thought of somebody, on one server or on all."""
        query = select(ProfileRow).where(ProfileRow.user_id == user_id)
        if guild_id is not None:
            query = query.where(ProfileRow.guild_id == guild_id)
        async with self._store.transaction() as session:
            return [
                _stored(row) for row in await session.scalars(query.order_by(ProfileRow.guild_id, ProfileRow.scope))
            ]

    async def save(self, made: StoredProfile, still: Callable[[AsyncSession], Awaitable[bool]]) -> bool:
        """Replace what the model made, if `still` says in the same transaction that it may; returns whether it did.

        What the person corrected stays.
        """
        async with self._store.transaction() as session:
            if not await still(session):
                return False
            row = await session.get(ProfileRow, tuple(made.key))
            if row is None:
                row = ProfileRow(**made.key._asdict(), corrected=None)
                session.add(row)
            row.profile = json.dumps(made.profile)
            row.sources, row.channels = json.dumps(made.sources), json.dumps(made.channels)
            row.made_at = made.made_at
        return True

    async def correct(self, key: ProfileKey, corrected: Mapping[str, Any]) -> None:
        """Keep what somebody says of themselves, in place of what they said before."""
        async with self._store.transaction() as session:
            row = await session.get(ProfileRow, tuple(key))
            if row is None:
                row = ProfileRow(**key._asdict(), profile=None, sources="[]", channels="[]", made_at=None)
                session.add(row)
            row.corrected = json.dumps(corrected)


async def clear_profiles(
    session: AsyncSession, which: ColumnElement[bool], messages: Collection[int] | None, *, corrections: bool = False
) -> list[ProfileKey]:
    """Take away the profiles that rest on messages (None: all of `which`); returns which those were.

    What somebody corrected themselves stays, unless that is to go as well.
    """
    cleared: list[ProfileKey] = []
    for row in await session.scalars(select(ProfileRow).where(which)):
        sources: list[int] = json.loads(row.sources)
        if messages is not None and not set(sources).intersection(messages):
            continue
        if row.profile is None and not corrections:
            continue
        cleared.append(ProfileKey(row.guild_id, row.user_id, row.scope))
        if corrections or row.corrected is None:
            await session.delete(row)
        else:
            row.profile, row.made_at, row.sources, row.channels = None, None, "[]", "[]"
    return cleared


def _stored(row: ProfileRow) -> StoredProfile:
    return StoredProfile(
        ProfileKey(row.guild_id, row.user_id, row.scope),
        None if row.profile is None else json.loads(row.profile),
        {} if row.corrected is None else json.loads(row.corrected),
        tuple(json.loads(row.sources)),
        tuple(json.loads(row.channels)),
        row.made_at,
    )

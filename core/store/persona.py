"""Who the bot is on each server, how its characters feel, and what of them is shown there. Server 0 is direct messages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, select
from sqlalchemy.orm import Mapped, mapped_column

from core.store.base import Base

if TYPE_CHECKING:
    from core.store.store import Store


class CharacterChoiceRow(Base):
    """The character that a server chose; an empty id is the bot itself."""

    __tablename__ = "character_choice"

    guild_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    character_id: Mapped[str]


class CharacterMoodRow(Base):
    """How a character feels on a server: strengths by mood, as JSON, at a time."""

    __tablename__ = "character_mood"

    guild_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    character_id: Mapped[str] = mapped_column(primary_key=True)
    pushes: Mapped[str]
    at: Mapped[datetime]


class CharacterShownRow(Base):
    """What of a character a server's profile of the bot shows: a picture, and an emoji behind the name."""

    __tablename__ = "character_shown"

    guild_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    picture: Mapped[str]
    changes: Mapped[str]  # times of the last changes of the picture, as JSON
    emoji: Mapped[str]
    name_changed_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class StoredMood:
    """Strengths by mood, as they were at a time."""

    pushes: dict[str, float]
    at: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """What a server's profile of the bot shows of a character.

    Args:
        picture: Tells pictures apart; empty is the bot's own.
        changes: When the picture was changed last, the oldest first.
        emoji: What we put behind the name.
        name_changed_at: When we last changed the name.
    """

    picture: str = ""
    changes: tuple[datetime, ...] = ()
    emoji: str = ""
    name_changed_at: datetime | None = None


class PersonaRepository:
    """Reads and writes it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def choices(self) -> dict[int, str]:
        """The character of every server that chose one."""
        async with self._store.transaction() as session:
            rows = await session.scalars(select(CharacterChoiceRow))
            return {row.guild_id: row.character_id for row in rows}

    async def choose(self, guild_id: int, character_id: str | None) -> None:
        """Write a server's choice; None forgets it."""
        async with self._store.transaction() as session:
            if character_id is None:
                await session.execute(delete(CharacterChoiceRow).where(CharacterChoiceRow.guild_id == guild_id))
            else:
                await session.merge(CharacterChoiceRow(guild_id=guild_id, character_id=character_id))

    async def moods(self) -> dict[tuple[int, str], StoredMood]:
        """How everybody felt when it was last written, by server and character."""
        async with self._store.transaction() as session:
            rows = await session.scalars(select(CharacterMoodRow))
            return {(row.guild_id, row.character_id): StoredMood(json.loads(row.pushes), row.at) for row in rows}

    async def save_mood(self, guild_id: int, character_id: str, mood: StoredMood) -> None:
        """Write how a character feels on a server."""
        async with self._store.transaction() as session:
            row = CharacterMoodRow(
                guild_id=guild_id, character_id=character_id, pushes=json.dumps(mood.pushes), at=mood.at
            )
            await session.merge(row)

    async def forget_character(self, guild_id: int, character_id: str) -> None:
        """Forget the mood of a character that is no more."""
        mine = (CharacterMoodRow.guild_id == guild_id) & (CharacterMoodRow.character_id == character_id)
        async with self._store.transaction() as session:
            await session.execute(delete(CharacterMoodRow).where(mine))

    async def shown(self) -> dict[int, Shown]:
        """What every server's profile of the bot shows."""
        async with self._store.transaction() as session:
            rows = await session.scalars(select(CharacterShownRow))
            return {row.guild_id: _shown(row) for row in rows}

    async def save_shown(self, guild_id: int, shown: Shown) -> None:
        """Write what a server's profile of the bot shows."""
        async with self._store.transaction() as session:
            row = CharacterShownRow(
                guild_id=guild_id,
                picture=shown.picture,
                changes=json.dumps([at.isoformat() for at in shown.changes]),
                emoji=shown.emoji,
                name_changed_at=shown.name_changed_at,
            )
            await session.merge(row)


def _shown(row: CharacterShownRow) -> Shown:
    changes = tuple(datetime.fromisoformat(at) for at in json.loads(row.changes))
    return Shown(row.picture, changes, row.emoji, row.name_changed_at)

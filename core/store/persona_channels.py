"""Which channels let the bot read along, how often it joins in there, and how freely each person wants to be answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, select
from sqlalchemy.orm import Mapped, mapped_column

from core.store.base import Base

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.store.store import Store


class PersonaChannelRow(Base):
    """One channel; what is not set is as the configuration says."""

    __tablename__ = "persona_channel"

    channel_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    guild_id: Mapped[int] = mapped_column(index=True)
    observed: Mapped[bool | None]
    announced_at: Mapped[datetime | None]
    every: Mapped[int | None]
    count: Mapped[int]
    joined_in_at: Mapped[datetime | None]


class PersonTemperatureRow(Base):
    """How freely one person wants to be answered."""

    __tablename__ = "person_temperature"

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    temperature: Mapped[float]


@dataclass(frozen=True, slots=True)
class PersonaChannel:
    """How a channel takes part.

    Args:
        channel_id: Which.
        guild_id: Its server.
        observed: Whether the bot reads along; None if nobody decided here.
        announced_at: When people were told that it does; before that it does not.
        every: After how many messages it joins in; None as configured.
        count: Messages since it last spoke or was spoken to.
        joined_in_at: When it last joined in.
    """

    channel_id: int
    guild_id: int
    observed: bool | None = None
    announced_at: datetime | None = None
    every: int | None = None
    count: int = 0
    joined_in_at: datetime | None = None


class PersonaChannelsRepository:
    """Reads and writes what was set, and what is counted."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def all(self) -> list[PersonaChannel]:
        """Every channel of which anything is known."""
        async with self._store.transaction() as session:
            rows = list(await session.scalars(select(PersonaChannelRow)))
        return [
            PersonaChannel(
                row.channel_id, row.guild_id, row.observed, row.announced_at, row.every, row.count, row.joined_in_at
            )
            for row in rows
        ]

    async def save(self, channels: Iterable[PersonaChannel]) -> None:
        """Write channels as they are now.

        Raises:
            StoreError: The database cannot be written.
        """
        async with self._store.transaction() as session:
            for each in channels:
                await session.merge(
                    PersonaChannelRow(
                        channel_id=each.channel_id,
                        guild_id=each.guild_id,
                        observed=each.observed,
                        announced_at=each.announced_at,
                        every=each.every,
                        count=each.count,
                        joined_in_at=each.joined_in_at,
                    )
                )

    async def forget(self, channel_ids: Iterable[int]) -> None:
        """Forget channels that are gone."""
        async with self._store.transaction() as session:
            await session.execute(delete(PersonaChannelRow).where(PersonaChannelRow.channel_id.in_(list(channel_ids))))

    async def temperatures(self, limit: int) -> dict[int, float]:
        """What people said of that, of so many at most."""
        async with self._store.transaction() as session:
            rows = await session.scalars(select(PersonTemperatureRow).limit(limit))
            return {row.user_id: row.temperature for row in rows}

    async def temperature(self, user_id: int) -> float | None:
        """How freely somebody wants to be answered, if they said so."""
        async with self._store.transaction() as session:
            row = await session.get(PersonTemperatureRow, user_id)
        return None if row is None else row.temperature

    async def save_temperature(self, user_id: int, temperature: float | None) -> None:
        """Keep it; None forgets it."""
        async with self._store.transaction() as session:
            if temperature is None:
                await session.execute(delete(PersonTemperatureRow).where(PersonTemperatureRow.user_id == user_id))
            else:
                await session.merge(PersonTemperatureRow(user_id=user_id, temperature=temperature))

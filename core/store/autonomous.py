"""Channels in which the bot may speak up by itself, and how that went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, select
from sqlalchemy.orm import Mapped, mapped_column

from core.store.base import Base

if TYPE_CHECKING:
    from core.store.store import Store


class AutonomousChannelRow(Base):
    """One channel."""

    __tablename__ = "autonomous_channel"

    channel_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    guild_id: Mapped[int]
    day: Mapped[str]
    said_today: Mapped[int]
    unanswered: Mapped[int]
    tried_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class AutonomousChannel:
    """A channel in which the bot may speak up by itself.

    Attributes:
        channel_id: The channel.
        guild_id: Its server.
        day: The day, there, that `said_today` is about, as 2026-11-25.
        said_today: How often the bot spoke up on that day.
        unanswered: How often in a row nobody answered.
        tried_at: When it last did, or tried to.
    """

    channel_id: int
    guild_id: int
    day: str = ""
    said_today: int = 0
    unanswered: int = 0
    tried_at: datetime | None = None


class AutonomousRepository:
    """Reads and writes those channels."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def all(self) -> list[AutonomousChannel]:
        """Every channel."""
        async with self._store.transaction() as session:
            rows = await session.scalars(select(AutonomousChannelRow))
            return [
                AutonomousChannel(row.channel_id, row.guild_id, row.day, row.said_today, row.unanswered, row.tried_at)
                for row in rows
            ]

    async def save(self, channel: AutonomousChannel) -> None:
        """Write one."""
        async with self._store.transaction() as session:
            await session.merge(
                AutonomousChannelRow(
                    channel_id=channel.channel_id,
                    guild_id=channel.guild_id,
                    day=channel.day,
                    said_today=channel.said_today,
                    unanswered=channel.unanswered,
                    tried_at=channel.tried_at,
                )
            )

    async def remove(self, channel_id: int) -> None:
        """Take one away."""
        async with self._store.transaction() as session:
            await session.execute(delete(AutonomousChannelRow).where(AutonomousChannelRow.channel_id == channel_id))

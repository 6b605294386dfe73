"""Which webhook of a channel is the bot's own. The key that posts through it is a secret, and is asked of Discord anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, select
from sqlalchemy.orm import Mapped, mapped_column

from core.store.base import Base

if TYPE_CHECKING:
    from core.store.store import Store


class ChannelWebhookRow(Base):
    """The bot's webhook of one channel."""

    __tablename__ = "channel_webhooks"

    channel_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    guild_id: Mapped[int] = mapped_column(index=True)
    webhook_id: Mapped[int]
    picture: Mapped[str | None]


@dataclass(frozen=True, slots=True)
class ChannelWebhook:
    """The bot's webhook of one channel; `picture` is the digest of the one it shows, None for none."""

    channel_id: int
    guild_id: int
    webhook_id: int
    picture: str | None = None


class WebhookRepository:
    """Reads and writes which webhooks are ours."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def all(self) -> list[ChannelWebhook]:
        """Every webhook of ours.

        Raises:
            StoreError: The database cannot be read.
        """
        async with self._store.transaction() as session:
            rows = await session.scalars(select(ChannelWebhookRow))
            return [ChannelWebhook(row.channel_id, row.guild_id, row.webhook_id, row.picture) for row in rows]

    async def keep(self, webhook: ChannelWebhook) -> None:
        """Remember a channel's webhook in place of the one before.

        Raises:
            StoreError: The database cannot be written.
        """
        async with self._store.transaction() as session:
            await session.merge(
                ChannelWebhookRow(
                    channel_id=webhook.channel_id,
                    guild_id=webhook.guild_id,
                    webhook_id=webhook.webhook_id,
                    picture=webhook.picture,
                )
            )

    async def forget(self, *, channel_id: int | None = None, guild_id: int | None = None) -> None:
        """Forget the webhook of a channel, or those of a server.

        Raises:
            StoreError: The database cannot be written.
        """
        mine = (
            ChannelWebhookRow.guild_id == guild_id if channel_id is None else ChannelWebhookRow.channel_id == channel_id
        )
        async with self._store.transaction() as session:
            await session.execute(delete(ChannelWebhookRow).where(mine))

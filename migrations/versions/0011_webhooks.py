"""The webhooks through which the bot's other characters speak."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "channel_webhooks",
        sa.Column("channel_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("webhook_id", sa.BigInteger(), nullable=False),
        sa.Column("picture", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("channel_id", name=op.f("pk_channel_webhooks")),
    )
    op.create_index(op.f("ix_channel_webhooks_guild_id"), "channel_webhooks", ["guild_id"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("channel_webhooks")

"""Who holds locks, what was done for them, and the messages that wait."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "lock_holder",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("feature", sa.String()),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("guild_id", sa.BigInteger()),
        sa.Column("channel_id", sa.BigInteger()),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_lock_holder"),
    )
    op.create_table(
        "lock_entry",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.String()),
        sa.PrimaryKeyConstraint("id", name="pk_lock_entry"),
        sa.UniqueConstraint("holder", "kind", "name", name="uq_lock_entry_holder"),
    )
    op.create_table(
        "queued_message",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("feature", sa.String(), nullable=False),
        sa.Column("guild_id", sa.BigInteger()),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("author_id", sa.BigInteger(), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_queued_message"),
        sa.UniqueConstraint("feature", "message_id", name="uq_queued_message_feature"),
    )
    op.create_table(
        "queue_notice",
        sa.Column("feature", sa.String(), nullable=False),
        sa.Column("author_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("feature", "author_id", name="pk_queue_notice"),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("queue_notice", "queued_message", "lock_entry", "lock_holder"):
        op.drop_table(table)

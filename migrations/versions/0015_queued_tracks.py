"""Queues of music that go on after a restart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "queued_track",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("location", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("start_s", sa.Float(), nullable=False),
        sa.Column("length_s", sa.Float(), nullable=True),
        sa.Column("loop", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_queued_track"),
    )
    op.create_index("ix_queued_track_guild_id", "queued_track", ["guild_id"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("queued_track")

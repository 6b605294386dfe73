"""What is due when, and each server's time zone; where the bot may speak up by itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "schedule",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("guild_id", sa.BigInteger(), nullable=True),
        sa.Column("channel_id", sa.BigInteger(), nullable=True),
        sa.Column("added_by", sa.BigInteger(), nullable=True),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("kind", "what", "wording", "rule", "late")),
        sa.Column("grace_s", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("state", "reason")),
        *(
            sa.Column(name, sa.DateTime(timezone=True), nullable=True)
            for name in ("next_at", "claimed_at", "last_due", "last_end")
        ),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("outcome", "detail")),
        sa.Column("missed", sa.BigInteger(), nullable=False),
        sa.Column("missed_last", sa.String(), nullable=False),
    )
    op.create_index("ix_schedule_guild_id", "schedule", ["guild_id"])
    op.create_index("ix_schedule_added_by", "schedule", ["added_by"])
    op.create_table(
        "schedule_zone",
        sa.Column("guild_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("zone", sa.String(), nullable=False),
    )
    op.create_table(
        "autonomous_channel",
        sa.Column("channel_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("said_today", sa.BigInteger(), nullable=False),
        sa.Column("unanswered", sa.BigInteger(), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
    )


def downgrade() -> None:
    """Drop them."""
    for name in ("autonomous_channel", "schedule_zone", "schedule"):
        op.drop_table(name)

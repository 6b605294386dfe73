"""Pages and feeds that servers watch, the addresses behind them, what was seen, and news that wait to be posted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Make the tables."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "watch",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("added_by", sa.BigInteger(), nullable=True),
        sa.Column("added_at", time, nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("url", "selector", "words", "kind", "title")),
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("state", "reason", "known", "known_shown", "pending")
        ),
        sa.Column("missing_since", time, nullable=True),
        sa.Column("changed_at", time, nullable=True),
    )
    op.create_index("ix_watch_guild_id", "watch", ["guild_id"])
    op.create_index("ix_watch_added_by", "watch", ["added_by"])
    op.create_table(
        "watch_source",
        sa.Column("url", sa.String(), primary_key=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("asked_url", "etag", "last_modified")),
        sa.Column("next_at", time, nullable=False),
        sa.Column("fails", sa.BigInteger(), nullable=False),
        sa.Column("failing_since", time, nullable=True),
        sa.Column("last_ok_at", time, nullable=True),
        sa.Column("detail", sa.String(), nullable=False),
    )
    op.create_table(
        "watch_seen",
        sa.Column("watch_id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("item", sa.String(), primary_key=True),
        sa.Column("at", time, nullable=False),
    )
    op.create_table(
        "watch_post",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("watch_id", sa.BigInteger(), nullable=False),
        sa.Column("made_at", time, nullable=False),
        sa.Column("content", sa.String(), nullable=False),
    )
    op.create_index("ix_watch_post_watch_id", "watch_post", ["watch_id"])


def downgrade() -> None:
    """Drop them."""
    for name in ("watch_post", "watch_seen", "watch_source", "watch"):
        op.drop_table(name)

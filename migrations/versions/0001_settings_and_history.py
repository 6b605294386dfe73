"""Settings of guilds and people, and conversations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "guild_settings",
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("prompt_channel_id", sa.BigInteger()),
        sa.Column("persona", sa.String()),
        sa.Column("volume", sa.Float()),
        sa.PrimaryKeyConstraint("guild_id", name="pk_guild_settings"),
    )
    op.create_table(
        "person_voice",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("voice", sa.String()),
        sa.Column("rate", sa.Float()),
        sa.Column("pitch", sa.Float()),
        sa.Column("nickname", sa.String()),
        sa.PrimaryKeyConstraint("user_id", name="pk_person_voice"),
    )
    op.create_table(
        "history",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("turn_id", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("user_id", sa.BigInteger()),
        sa.Column("name", sa.String()),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_history"),
    )
    op.create_index("ix_history_conversation_id", "history", ["conversation_id"])


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("history")
    op.drop_table("person_voice")
    op.drop_table("guild_settings")

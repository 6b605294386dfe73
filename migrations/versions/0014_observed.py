"""Channels that are read along in, what people wrote there, what is thought of them, how freely they are answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "observed_message",
        sa.Column("message_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("message_id", name="pk_observed_message"),
    )
    op.create_index("ix_observed_message_person", "observed_message", ["guild_id", "user_id", "message_id"])
    op.create_index("ix_observed_message_channel", "observed_message", ["channel_id", "message_id"])
    op.create_index("ix_observed_message_user_id", "observed_message", ["user_id"])
    op.create_index("ix_observed_message_at", "observed_message", ["at"])
    op.create_table(
        "persona_profile",
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("scope", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("profile", sa.String(), nullable=True),
        sa.Column("corrected", sa.String(), nullable=True),
        sa.Column("sources", sa.String(), nullable=False),
        sa.Column("channels", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("guild_id", "user_id", "scope", name="pk_persona_profile"),
    )
    op.create_index("ix_persona_profile_user_id", "persona_profile", ["user_id"])
    op.create_table(
        "persona_channel",
        sa.Column("channel_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("observed", sa.Boolean(), nullable=True),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("every", sa.BigInteger(), nullable=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("joined_in_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("channel_id", name="pk_persona_channel"),
    )
    op.create_index("ix_persona_channel_guild_id", "persona_channel", ["guild_id"])
    op.create_table(
        "person_temperature",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("temperature", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_person_temperature"),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("person_temperature", "persona_channel", "persona_profile", "observed_message"):
        op.drop_table(table)

"""The index of recordings, and people's decisions about being recorded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "recordings",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_name", sa.String(), nullable=False),
        sa.Column("folder", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_by", sa.BigInteger()),
        sa.Column("report_channel_id", sa.BigInteger()),
        sa.Column("duration_s", sa.Float()),
        sa.PrimaryKeyConstraint("id", name="pk_recordings"),
    )
    op.create_index("ix_recordings_guild_id", "recordings", ["guild_id"])
    op.create_index("ix_recordings_state", "recordings", ["state"])
    op.create_table(
        "recording_people",
        sa.Column("recording_id", sa.String(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["recording_id"],
            ["recordings.id"],
            name="fk_recording_people_recording_id_recordings",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("recording_id", "user_id", name="pk_recording_people"),
    )
    op.create_index("ix_recording_people_user_id", "recording_people", ["user_id"])
    op.create_table(
        "recording_consent",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_recording_consent"),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("recording_consent")
    op.drop_table("recording_people")
    op.drop_table("recordings")

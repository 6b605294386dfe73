"""Characters: whom a server chose, how they feel, and what its profile of the bot shows of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "character_choice",
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("character_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("guild_id", name="pk_character_choice"),
    )
    op.create_table(
        "character_mood",
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("character_id", sa.String(), nullable=False),
        sa.Column("pushes", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("guild_id", "character_id", name="pk_character_mood"),
    )
    op.create_table(
        "character_shown",
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("picture", sa.String(), nullable=False),
        sa.Column("changes", sa.String(), nullable=False),
        sa.Column("emoji", sa.String(), nullable=False),
        sa.Column("name_changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("guild_id", name="pk_character_shown"),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("character_shown", "character_mood", "character_choice"):
        op.drop_table(table)

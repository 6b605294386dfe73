"""What the bot spends of a day's tokens by itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "persona_spending",
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("feature", sa.String(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("questions", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "guild_id", "feature", name="pk_persona_spending"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("persona_spending")

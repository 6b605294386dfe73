"""History knows which character spoke."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column; what there is was said by the bot itself."""
    op.add_column("history", sa.Column("character_id", sa.String(), nullable=True))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("history", "character_id")

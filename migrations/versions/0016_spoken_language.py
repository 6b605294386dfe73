"""People say which language they speak."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add the column."""
    op.add_column("person_voice", sa.Column("language", sa.String(), nullable=True))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("person_voice", "language")

"""People decide on four things: to be recorded, heard, observed, trained on. What they said of the first is kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table; move what was decided."""
    op.create_table(
        "decision",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "kind", name="pk_decision"),
    )
    op.execute(
        "INSERT INTO decision (user_id, kind, decision, decided_at) "
        "SELECT user_id, 'recorded', decision, decided_at FROM recording_consent"
    )
    op.drop_table("recording_consent")


def downgrade() -> None:
    """Bring the old table back, with the one decision it knows."""
    op.create_table(
        "recording_consent",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_recording_consent"),
    )
    op.execute(
        "INSERT INTO recording_consent (user_id, decision, decided_at) "
        "SELECT user_id, decision, decided_at FROM decision WHERE kind = 'recorded'"
    )
    op.drop_table("decision")

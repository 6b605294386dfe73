"""Of hooks, names alone: their addresses, headers and bodies may let somebody in."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Forget what was kept of them."""
    op.execute("UPDATE lock_entry SET detail = '' WHERE kind = 'hook'")


def downgrade() -> None:
    """Nothing comes back: an older version cannot ask what it owes to hooks, and says so."""

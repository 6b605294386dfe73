"""What was said on recordings, with an index of its words: FTS5 on SQLite, full text on PostgreSQL."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_TOKENS = (
    "unicode61 remove_diacritics 0 categories ''L* N* Co M*''"  # words come made ready: see core/store/search_text.py
)
_OLD = "INSERT INTO transcript_words (transcript_words, rowid, indexed) VALUES ('delete', old.id, old.indexed);"
_NEW = "INSERT INTO transcript_words (rowid, indexed) VALUES (new.id, new.indexed);"
_INDEX = (
    "CREATE VIRTUAL TABLE transcript_words USING fts5("
    f"indexed, content='transcript_segment', content_rowid='id', tokenize='{_TOKENS}')"
)
_SQLITE = (
    _INDEX,
    f"CREATE TRIGGER transcript_segment_added AFTER INSERT ON transcript_segment BEGIN {_NEW} END",
    f"CREATE TRIGGER transcript_segment_gone AFTER DELETE ON transcript_segment BEGIN {_OLD} END",
    f"CREATE TRIGGER transcript_segment_changed AFTER UPDATE ON transcript_segment BEGIN {_OLD} {_NEW} END",
)


def upgrade() -> None:
    """Create the table and its index of words."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite counts rows by itself in an INTEGER alone
    op.create_table(
        "transcript_segment",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("recording_id", sa.String(), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("speaker", sa.String(), nullable=False),
        sa.Column("start_s", sa.Float(), nullable=False),
        sa.Column("end_s", sa.Float(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("indexed", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["recording_id"],
            ["recordings.id"],
            name="fk_transcript_segment_recording_id_recordings",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_transcript_segment"),
    )
    for column in ("recording_id", "guild_id", "user_id"):
        op.create_index(f"ix_transcript_segment_{column}", "transcript_segment", [column])
    if op.get_bind().dialect.name == "sqlite":
        for statement in _SQLITE:
            op.execute(statement)
    else:
        words = sa.text("to_tsvector('simple', indexed)")
        op.create_index("ix_transcript_segment_words", "transcript_segment", [words], postgresql_using="gin")


def downgrade() -> None:
    """Drop them; transcripts stay in the recordings' folders."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE transcript_words")
    op.drop_table("transcript_segment")

"""The trainer: answers that may be judged, data sets, instructions, jobs, and what was handed out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_TABLES = (
    "training_route",
    "training_handout_person",
    "training_handout",
    "training_job",
    "training_instruction",
    "training_example_person",
    "training_example",
    "training_set",
    "training_answer_person",
    "training_answer_message",
    "training_answer",
)


def upgrade() -> None:
    """Create the tables."""
    _create_answers()
    _create_sets()
    _create_records()


def downgrade() -> None:
    """Drop them, with what was judged."""
    for table in _TABLES:
        op.drop_table(table)


def _create_answers() -> None:
    op.create_table(
        "training_answer",
        _number(),
        _id("guild_id"),
        _id("channel_id"),
        _text("conversation"),
        _text("turn_id"),
        _text("messages"),
        _text("reply"),
        _text("route"),
        _text("model"),
        sa.Column("temperature", sa.Float(), nullable=True),
        _time("at"),
        sa.PrimaryKeyConstraint("id", name="pk_training_answer"),
    )
    for column in ("guild_id", "conversation", "at"):
        op.create_index(f"ix_training_answer_{column}", "training_answer", [column])
    op.create_table(
        "training_answer_message",
        _id("message_id"),
        _id("answer_id"),
        _belongs("training_answer_message", "answer_id", "training_answer"),
        sa.PrimaryKeyConstraint("message_id", name="pk_training_answer_message"),
    )
    op.create_index("ix_training_answer_message_answer_id", "training_answer_message", ["answer_id"])
    _create_people("training_answer_person", "answer_id", "training_answer", _text("name"))


def _create_sets() -> None:
    op.create_table(
        "training_set",
        _number(),
        _id("guild_id"),
        _text("name"),
        _id("made_by", nullable=True),
        _time("made_at"),
        _time("archived_at", nullable=True),
        sa.Column("selected", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_training_set"),
    )
    op.create_index("ix_training_set_guild_id", "training_set", ["guild_id"])
    op.create_table(
        "training_example",
        _number(),
        _id("set_id"),
        _id("guild_id"),
        _text("conversation"),
        _text("messages"),
        _text("chosen", nullable=True),
        _text("rejected", nullable=True),
        _text("note"),
        _text("source"),
        _id("answer_id", nullable=True),
        _id("by_id", nullable=True),
        _text("route"),
        _text("model"),
        sa.Column("temperature", sa.Float(), nullable=True),
        _time("at"),
        _belongs("training_example", "set_id", "training_set"),
        sa.PrimaryKeyConstraint("id", name="pk_training_example"),
    )
    for column in ("set_id", "guild_id", "answer_id", "by_id"):
        op.create_index(f"ix_training_example_{column}", "training_example", [column])
    _create_people("training_example_person", "example_id", "training_example", _text("name"))


def _create_records() -> None:
    op.create_table(
        "training_instruction",
        _number(),
        _id("guild_id"),
        sa.Column("version", sa.BigInteger(), nullable=False),
        _text("text"),
        _id("by_id", nullable=True),
        _time("at"),
        _time("withdrawn_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_training_instruction"),
    )
    op.create_index("ix_training_instruction_guild_id", "training_instruction", ["guild_id"])
    op.create_table(
        "training_job",
        _number(),
        _id("guild_id"),
        _id("channel_id"),
        _id("message_id", nullable=True),
        *(_text(name) for name in ("set_name", "method", "route", "base", "state")),
        *(_text(name) for name in ("file_ids", "provider_id", "model", "told")),
        _id("by_id", nullable=True),
        _time("at"),
        _time("ended_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_training_job"),
    )
    op.create_index("ix_training_job_guild_id", "training_job", ["guild_id"])
    op.create_table(
        "training_handout",
        _number(),
        _id("guild_id"),
        _id("job_id", nullable=True),
        _text("set_name"),
        _text("format"),
        _id("by_id", nullable=True),
        _time("at"),
        sa.PrimaryKeyConstraint("id", name="pk_training_handout"),
    )
    op.create_index("ix_training_handout_guild_id", "training_handout", ["guild_id"])
    _create_people("training_handout_person", "handout_id", "training_handout")
    op.create_table(
        "training_route",
        _id("guild_id"),
        _text("route"),
        sa.PrimaryKeyConstraint("guild_id", name="pk_training_route"),
    )


def _create_people(table: str, column: str, owner: str, *more: sa.Column[str]) -> None:
    op.create_table(
        table,
        _id(column),
        _id("user_id"),
        *more,
        _belongs(table, column, owner),
        sa.PrimaryKeyConstraint(column, "user_id", name=f"pk_{table}"),
    )
    op.create_index(f"ix_{table}_user_id", table, ["user_id"])


def _number() -> sa.Column[int]:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite counts rows by itself in an INTEGER alone
    return sa.Column("id", number, autoincrement=True, nullable=False)


def _id(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _belongs(table: str, column: str, owner: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_{column}_{owner}"
    return sa.ForeignKeyConstraint([column], [f"{owner}.id"], name=name, ondelete="CASCADE")

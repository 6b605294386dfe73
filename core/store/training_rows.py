"""The tables of the trainer: answers with what made them, data sets of examples, instructions, jobs, what was handed out."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Integer
from sqlalchemy.orm import Mapped, mapped_column

from core.store.base import Base

_NUMBER = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts rows by itself in an INTEGER alone


class AnswerRow(Base):
    """One answer of the model, with the exact prompt that made it; kept for a while, in case somebody judges it."""

    __tablename__ = "training_answer"

    id: Mapped[int] = mapped_column(_NUMBER, primary_key=True, autoincrement=True)
    guild_id: Mapped[int] = mapped_column(index=True)
    channel_id: Mapped[int]
    conversation: Mapped[str] = mapped_column(index=True)
    turn_id: Mapped[str]
    messages: Mapped[str]  # JSON: [{"role", "content", "name"?}]
    reply: Mapped[str]
    route: Mapped[str]
    model: Mapped[str]
    temperature: Mapped[float | None]
    at: Mapped[datetime] = mapped_column(index=True)


class AnswerMessageRow(Base):
    """A message of Discord's that shows an answer, or a part of it."""

    __tablename__ = "training_answer_message"

    message_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    answer_id: Mapped[int] = mapped_column(ForeignKey("training_answer.id", ondelete="CASCADE"), index=True)


class AnswerPersonRow(Base):
    """Somebody whose words are in the prompt of an answer."""

    __tablename__ = "training_answer_person"

    answer_id: Mapped[int] = mapped_column(ForeignKey("training_answer.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, index=True)
    name: Mapped[str]


class TrainingSetRow(Base):
    """A data set of a server."""

    __tablename__ = "training_set"

    id: Mapped[int] = mapped_column(_NUMBER, primary_key=True, autoincrement=True)
    guild_id: Mapped[int] = mapped_column(index=True)
    name: Mapped[str]
    made_by: Mapped[int | None]
    made_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    selected: Mapped[bool]


class ExampleRow(Base):
    """A prompt with what is a good answer, a bad one, or both; with where it comes from."""

    __tablename__ = "training_example"

    id: Mapped[int] = mapped_column(_NUMBER, primary_key=True, autoincrement=True)
    set_id: Mapped[int] = mapped_column(ForeignKey("training_set.id", ondelete="CASCADE"), index=True)
    guild_id: Mapped[int] = mapped_column(index=True)
    conversation: Mapped[str]  # examples of one conversation stay on one side of a split
    messages: Mapped[str]  # JSON, as of an answer
    chosen: Mapped[str | None]
    rejected: Mapped[str | None]
    note: Mapped[str]
    source: Mapped[str]
    answer_id: Mapped[int | None] = mapped_column(index=True)  # of an answer that may be forgotten by now
    by_id: Mapped[int | None] = mapped_column(index=True)
    route: Mapped[str]
    model: Mapped[str]
    temperature: Mapped[float | None]
    at: Mapped[datetime]


class ExamplePersonRow(Base):
    """Somebody whose words are in an example."""

    __tablename__ = "training_example_person"

    example_id: Mapped[int] = mapped_column(ForeignKey("training_example.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, index=True)
    name: Mapped[str]


class InstructionRow(Base):
    """One version of a server's standing instruction."""

    __tablename__ = "training_instruction"

    id: Mapped[int] = mapped_column(_NUMBER, primary_key=True, autoincrement=True)
    guild_id: Mapped[int] = mapped_column(index=True)
    version: Mapped[int]
    text: Mapped[str]
    by_id: Mapped[int | None]
    at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]


class TrainingJobRow(Base):
    """A fine-tuning job at a provider."""

    __tablename__ = "training_job"

    id: Mapped[int] = mapped_column(_NUMBER, primary_key=True, autoincrement=True)
    guild_id: Mapped[int] = mapped_column(index=True)
    channel_id: Mapped[int]
    message_id: Mapped[int | None]
    set_name: Mapped[str]
    method: Mapped[str]
    route: Mapped[str]  # whose server and key
    base: Mapped[str]  # the model that is trained further
    state: Mapped[str]
    file_ids: Mapped[str]  # at the provider, with blanks between
    provider_id: Mapped[str]
    model: Mapped[str]  # that came of it
    told: Mapped[str]  # what the provider said last
    by_id: Mapped[int | None]
    at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class HandoutRow(Base):
    """A data set, or a part of one, that left the database."""

    __tablename__ = "training_handout"

    id: Mapped[int] = mapped_column(_NUMBER, primary_key=True, autoincrement=True)
    guild_id: Mapped[int] = mapped_column(index=True)
    job_id: Mapped[int | None]  # where it went to a provider
    set_name: Mapped[str]
    format: Mapped[str]
    by_id: Mapped[int | None]
    at: Mapped[datetime]


class HandoutPersonRow(Base):
    """Somebody whose words, with placeholders for names, were in what left."""

    __tablename__ = "training_handout_person"

    handout_id: Mapped[int] = mapped_column(ForeignKey("training_handout.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, index=True)


class ChosenRouteRow(Base):
    """The route that answers on a server, where it chose one of its own models."""

    __tablename__ = "training_route"

    guild_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    route: Mapped[str]

"""Answers of the model with what made them, found by the message that shows them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, false, func, or_, select

from core.store.training_rows import AnswerMessageRow, AnswerPersonRow, AnswerRow
from core.store.training_values import Answer, Line
from core.surrogates import mended

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import InstrumentedAttribute

    from core.store.store import Store

_AT_ONCE = 200


def lines_to_text(lines: Iterable[Line]) -> str:
    """A prompt as JSON."""
    return mended(json.dumps([line.to_json() for line in lines], ensure_ascii=False))


def lines_of_text(text: str) -> tuple[Line, ...]:
    """A prompt from its JSON."""
    kept: list[dict[str, Any]] = json.loads(text)
    return tuple(Line(each["role"], each["content"], each.get("name", "")) for each in kept)


class AnswersRepository:
    """Reads and writes answers that may be judged."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, answer: Answer) -> int:
        """Keep an answer; returns its number."""
        row = AnswerRow(
            guild_id=answer.guild_id,
            channel_id=answer.channel_id,
            conversation=answer.conversation,
            turn_id=answer.turn_id,
            messages=lines_to_text(answer.messages),
            reply=mended(answer.reply),
            route=answer.route,
            model=answer.model,
            temperature=answer.temperature,
            at=answer.at,
        )
        async with self._store.transaction() as session:
            session.add(row)
            await session.flush()
            session.add_all(AnswerMessageRow(message_id=each, answer_id=row.id) for each in answer.message_ids)
            session.add_all(
                AnswerPersonRow(answer_id=row.id, user_id=user_id, name=mended(name))
                for user_id, name in answer.people.items()
            )
            return row.id

    async def of_message(self, message_id: int) -> Answer | None:
        """The answer that a message shows; None if it shows none that is kept."""
        query = select(AnswerRow).join(AnswerMessageRow).where(AnswerMessageRow.message_id == message_id)
        async with self._store.transaction() as session:
            row = await session.scalar(query)
            return None if row is None else await _answer(session, row)

    async def newest_of(self, place: str) -> tuple[str, datetime] | None:
        """The conversation of the newest answer whose conversation's name begins so, and when that was."""
        query = select(AnswerRow.conversation, AnswerRow.at).where(AnswerRow.conversation.startswith(place))
        async with self._store.transaction() as session:
            row = (await session.execute(query.order_by(AnswerRow.id.desc()).limit(1))).first()
        return None if row is None else (row[0], row[1])

    async def get(self, answer_id: int) -> Answer | None:
        """An answer by its number."""
        async with self._store.transaction() as session:
            row = await session.get(AnswerRow, answer_id)
            return None if row is None else await _answer(session, row)

    async def forget(self, answer_id: int) -> None:
        """Delete one answer."""
        async with self._store.transaction() as session:
            await _delete(session, [answer_id])

    async def forget_before(self, moment: datetime) -> int:
        """Delete the answers that are older; returns how many."""
        async with self._store.transaction() as session:
            ids = list(await session.scalars(select(AnswerRow.id).where(AnswerRow.at < moment)))
            await _delete(session, ids)
        return len(ids)

    async def of_person(self, user_id: int) -> list[Answer]:
        """The answers whose prompts hold somebody's words."""
        query = select(AnswerRow).where(AnswerRow.id.in_(_theirs(user_id))).order_by(AnswerRow.id)
        async with self._store.transaction() as session:
            return [await _answer(session, row) for row in await session.scalars(query)]

    async def delete_person(
        self, user_id: int, clean: Callable[[str], str], words: Iterable[str], until: datetime
    ) -> int:
        """Delete the answers whose prompts hold somebody's words; returns how many.

        `clean` takes them out of the others, of those that hold one of `words`: their id or a name.
        """
        async with self._store.transaction() as session:
            theirs = select(AnswerRow.id).where(AnswerRow.id.in_(_theirs(user_id)), AnswerRow.at <= until)
            ids = list(await session.scalars(theirs))
            await _delete(session, ids)
            mentioning = holding((AnswerRow.messages, AnswerRow.reply), words)
            others = list(await session.scalars(select(AnswerRow.id).where(mentioning, AnswerRow.at <= until)))
            for part in parts_of(others):
                for row in await session.scalars(select(AnswerRow).where(AnswerRow.id.in_(part))):
                    row.reply = clean(row.reply)
                    row.messages = cleaned_lines(row.messages, clean)
                await session.flush()
        return len(ids)

    async def count(self, guild_id: int) -> int:
        """How many answers of a server could still be judged."""
        query = select(func.count()).select_from(AnswerRow).where(AnswerRow.guild_id == guild_id)
        async with self._store.transaction() as session:
            return await session.scalar(query) or 0


def cleaned_lines(text: str, clean: Callable[[str], str]) -> str:
    """A prompt's JSON with its texts and names cleaned."""
    lines = lines_of_text(text)
    changed = tuple(Line(line.role, clean(line.content), clean(line.name)) for line in lines)
    return text if changed == lines else lines_to_text(changed)


def parts_of(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Numbers in parts that are asked for at once."""
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]


def holding(columns: Iterable[InstrumentedAttribute[Any]], words: Iterable[str]) -> ColumnElement[bool]:
    """Whether any of the columns holds any of the words, as they are written."""
    kept = list(words)
    found = [column.contains(word, autoescape=True) for column in columns for word in kept]
    return or_(false(), *found)


def _theirs(user_id: int) -> Any:
    return select(AnswerPersonRow.answer_id).where(AnswerPersonRow.user_id == user_id)


async def _delete(session: AsyncSession, ids: Sequence[int]) -> None:
    for part in parts_of(ids):
        await session.execute(delete(AnswerMessageRow).where(AnswerMessageRow.answer_id.in_(part)))
        await session.execute(delete(AnswerPersonRow).where(AnswerPersonRow.answer_id.in_(part)))
        await session.execute(delete(AnswerRow).where(AnswerRow.id.in_(part)))


async def _answer(session: AsyncSession, row: AnswerRow) -> Answer:
    shown = select(AnswerMessageRow.message_id).where(AnswerMessageRow.answer_id == row.id)
    people = await session.scalars(select(AnswerPersonRow).where(AnswerPersonRow.answer_id == row.id))
    return Answer(
        row.guild_id,
        row.channel_id,
        row.conversation,
        row.turn_id,
        lines_of_text(row.messages),
        row.reply,
        row.route,
        row.model,
        row.temperature,
        row.at,
        {each.user_id: each.name for each in people},
        tuple(sorted(await session.scalars(shown))),
        row.id,
    )

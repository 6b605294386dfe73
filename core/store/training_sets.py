"""Data sets and their examples: made, selected, archived, and forgotten with the people whose words they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from sqlalchemy import delete, func, select, update

from core.store.training_answers import cleaned_lines, holding, lines_of_text, lines_to_text, parts_of
from core.store.training_rows import ExamplePersonRow, ExampleRow, TrainingSetRow
from core.store.training_values import Example, PeopleOf, TrainingSet
from core.surrogates import mended

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncSession

    from core.store.store import Store

_AT_ONCE = 500


class SetsRepository:
    """Reads and writes data sets."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def all(self, guild_id: int) -> list[TrainingSet]:
        """The data sets of a server, oldest first."""
        query = select(TrainingSetRow).where(TrainingSetRow.guild_id == guild_id).order_by(TrainingSetRow.id)
        async with self._store.transaction() as session:
            return [_set(row) for row in await session.scalars(query)]

    async def named(self, guild_id: int, name: str) -> TrainingSet | None:
        """A data set of a server by its name, in whatever case."""
        return next((each for each in await self.all(guild_id) if each.name.casefold() == name.casefold()), None)

    async def create(self, guild_id: int, name: str, by_id: int | None, at: datetime, *, selected: bool) -> TrainingSet:
        """Make an empty data set."""
        row = TrainingSetRow(
            guild_id=guild_id, name=mended(name), made_by=by_id, made_at=at, archived_at=None, selected=False
        )
        async with self._store.transaction() as session:
            session.add(row)
            await session.flush()
            if selected:
                await _select(session, guild_id, row.id)
                row.selected = True
            return _set(row)

    async def select(self, kept: TrainingSet) -> None:
        """Have what people judge go into this one from now on; it is taken out of the archive for that."""
        async with self._store.transaction() as session:
            await _select(session, kept.guild_id, kept.id)

    async def archive(self, guild_id: int, at: datetime, set_id: int | None = None) -> list[TrainingSet]:
        """Put one data set of a server aside, or all; returns those that were not before."""
        where = [TrainingSetRow.guild_id == guild_id, TrainingSetRow.archived_at.is_(None)]
        where += [TrainingSetRow.id == set_id] if set_id is not None else []
        async with self._store.transaction() as session:
            rows = list(await session.scalars(select(TrainingSetRow).where(*where).order_by(TrainingSetRow.id)))
            for row in rows:
                row.archived_at, row.selected = at, False
            return [_set(row) for row in rows]

    async def delete(self, set_id: int) -> int:
        """Delete a data set with its examples; returns how many those were."""
        async with self._store.transaction() as session:
            ids = list(await session.scalars(select(ExampleRow.id).where(ExampleRow.set_id == set_id)))
            await _delete(session, ids)
            await session.execute(delete(TrainingSetRow).where(TrainingSetRow.id == set_id))
        return len(ids)

    # Examples ---------------------------------------------------------------------------------------------------------

    async def add(self, set_id: int, examples: Sequence[Example]) -> None:
        """Add examples to a data set, all or none."""
        async with self._store.transaction() as session:
            for start in range(0, len(examples), _AT_ONCE):
                part = examples[start : start + _AT_ONCE]
                rows = [_row(set_id, each) for each in part]
                session.add_all(rows)
                await session.flush()
                for row, each in zip(rows, part, strict=True):
                    session.add_all(_people(row.id, each.people))

    async def replace(self, old: Example, new: Example) -> None:
        """Put an example in the place of another, in the same data set."""
        async with self._store.transaction() as session:
            await _delete(session, [old.id])
            row = _row(old.set_id, new)
            session.add(row)
            await session.flush()
            session.add_all(_people(row.id, new.people))

    async def judged(self, answer_id: int, by_id: int) -> Example | None:
        """What somebody judged of an answer, if that is in a data set that is not archived."""
        query = (
            select(ExampleRow)
            .join(TrainingSetRow, TrainingSetRow.id == ExampleRow.set_id)
            .where(ExampleRow.answer_id == answer_id, ExampleRow.by_id == by_id, TrainingSetRow.archived_at.is_(None))
            .order_by(ExampleRow.id.desc())
        )
        async with self._store.transaction() as session:
            found = await _examples(session, list(await session.scalars(query.limit(1))))
        return found[0] if found else None

    async def remove(self, example_id: int) -> None:
        """Delete one example."""
        async with self._store.transaction() as session:
            await _delete(session, [example_id])

    async def examples(self, set_id: int, ids: Sequence[int] | None = None) -> list[Example]:
        """The examples of a data set, in the order in which they came: all, or those of these numbers."""
        async with self._store.transaction() as session:
            if ids is None:
                ids = list(await session.scalars(select(ExampleRow.id).where(ExampleRow.set_id == set_id)))
            return await _by_ids(session, sorted(ids))

    async def people(self, set_id: int) -> list[PeopleOf]:
        """Whose words each example of a data set holds, in the order in which they came."""
        async with self._store.transaction() as session:
            return await _people_of(session, ExampleRow.set_id == set_id)

    async def counts(self, guild_id: int) -> dict[int, int]:
        """How many examples each data set of a server has."""
        query = (
            select(ExampleRow.set_id, func.count()).where(ExampleRow.guild_id == guild_id).group_by(ExampleRow.set_id)
        )
        async with self._store.transaction() as session:
            return {set_id: count for set_id, count in await session.execute(query)}

    async def people_before(self, moment: datetime) -> list[PeopleOf]:
        """The same of every example that is older than a moment; for whoever looks whether they agreed meanwhile."""
        async with self._store.transaction() as session:
            return await _people_of(session, ExampleRow.at < moment)

    async def delete_examples(self, ids: Sequence[int]) -> None:
        """Delete examples by their numbers."""
        async with self._store.transaction() as session:
            await _delete(session, ids)

    # People -----------------------------------------------------------------------------------------------------------

    async def of_person(self, user_id: int) -> list[Example]:
        """Every example that holds somebody's words, in any data set."""
        async with self._store.transaction() as session:
            ids = list(await session.scalars(select(ExampleRow.id).where(_theirs(user_id)).order_by(ExampleRow.id)))
            return await _by_ids(session, ids)

    async def delete_person(
        self, user_id: int, clean: Callable[[str], str], words: Iterable[str], until: datetime
    ) -> int:
        """Delete every example that holds somebody's words; returns how many.

        `clean` takes them out of the others, of those that hold one of `words`; nothing says any more that they brought
        something in or made a data set.
        """
        async with self._store.transaction() as session:
            ids = list(await session.scalars(select(ExampleRow.id).where(_theirs(user_id), ExampleRow.at <= until)))
            await _delete(session, ids)
            columns = (ExampleRow.messages, ExampleRow.chosen, ExampleRow.rejected, ExampleRow.note)
            mentioning = select(ExampleRow.id).where(holding(columns, words), ExampleRow.at <= until)
            for part in parts_of(list(await session.scalars(mentioning))):
                for row in await session.scalars(select(ExampleRow).where(ExampleRow.id.in_(part))):
                    row.messages = cleaned_lines(row.messages, clean)
                    row.chosen = None if row.chosen is None else clean(row.chosen)
                    row.rejected = None if row.rejected is None else clean(row.rejected)
                    row.note = clean(row.note)
                await session.flush()
            brought = (ExampleRow.by_id == user_id, ExampleRow.at <= until)
            await session.execute(update(ExampleRow).where(*brought).values(by_id=None))
            made = (TrainingSetRow.made_by == user_id, TrainingSetRow.made_at <= until)
            await session.execute(update(TrainingSetRow).where(*made).values(made_by=None))
            for kept in await session.scalars(select(TrainingSetRow).where(holding((TrainingSetRow.name,), words))):
                kept.name = clean(kept.name)
        return len(ids)


def _theirs(user_id: int) -> ColumnElement[bool]:
    return ExampleRow.id.in_(select(ExamplePersonRow.example_id).where(ExamplePersonRow.user_id == user_id))


async def _select(session: AsyncSession, guild_id: int, set_id: int) -> None:
    await session.execute(update(TrainingSetRow).where(TrainingSetRow.guild_id == guild_id).values(selected=False))
    chosen = update(TrainingSetRow).where(TrainingSetRow.id == set_id)
    await session.execute(chosen.values(selected=True, archived_at=None))


async def _delete(session: AsyncSession, ids: Sequence[int]) -> None:
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        await session.execute(delete(ExamplePersonRow).where(ExamplePersonRow.example_id.in_(part)))
        await session.execute(delete(ExampleRow).where(ExampleRow.id.in_(part)))


async def _by_ids(session: AsyncSession, ids: Sequence[int]) -> list[Example]:
    """Examples by their numbers; others get their turn between the parts, however many these are."""
    found: list[Example] = []
    for part in parts_of(ids):
        query = select(ExampleRow).where(ExampleRow.id.in_(part)).order_by(ExampleRow.id)
        found += await _examples(session, list(await session.scalars(query)))
        session.expunge_all()
    return found


async def _people_of(session: AsyncSession, where: ColumnElement[bool]) -> list[PeopleOf]:
    query = (
        select(ExampleRow.id, ExampleRow.guild_id, ExamplePersonRow.user_id)
        .outerjoin(ExamplePersonRow, ExamplePersonRow.example_id == ExampleRow.id)
        .where(where)
        .order_by(ExampleRow.id)
    )
    found: dict[int, tuple[int, set[int]]] = {}
    rows = cast("Iterable[tuple[int, int, int | None]]", await session.execute(query))  # None where it holds nobody's
    for example_id, guild_id, user_id in rows:
        people = found.setdefault(example_id, (guild_id, set()))[1]
        if user_id is not None:
            people.add(user_id)
    return [PeopleOf(example_id, guild_id, frozenset(people)) for example_id, (guild_id, people) in found.items()]


def _row(set_id: int, example: Example) -> ExampleRow:
    return ExampleRow(
        set_id=set_id,
        guild_id=example.guild_id,
        conversation=mended(example.conversation),
        messages=lines_to_text(example.messages),
        chosen=None if example.chosen is None else mended(example.chosen),
        rejected=None if example.rejected is None else mended(example.rejected),
        note=mended(example.note),
        source=mended(example.source),
        answer_id=example.answer_id,
        by_id=example.by_id,
        route=mended(example.route),
        model=mended(example.model),
        temperature=example.temperature,
        at=example.at,
    )


def _people(example_id: int, people: Mapping[int, str]) -> list[ExamplePersonRow]:
    return [ExamplePersonRow(example_id=example_id, user_id=each, name=mended(name)) for each, name in people.items()]


async def _examples(session: AsyncSession, rows: Sequence[ExampleRow]) -> list[Example]:
    people: dict[int, dict[int, str]] = {}
    for start in range(0, len(rows), _AT_ONCE):
        ids = [row.id for row in rows[start : start + _AT_ONCE]]
        for each in await session.scalars(select(ExamplePersonRow).where(ExamplePersonRow.example_id.in_(ids))):
            people.setdefault(each.example_id, {})[each.user_id] = each.name
    return [
        Example(
            row.guild_id,
            row.conversation,
            lines_of_text(row.messages),
            row.source,
            row.at,
            row.chosen,
            row.rejected,
            row.note,
            row.answer_id,
            row.by_id,
            row.route,
            row.model,
            row.temperature,
            people.get(row.id, {}),
            row.id,
            row.set_id,
        )
        for row in rows
    ]


def _set(row: TrainingSetRow) -> TrainingSet:
    return TrainingSet(row.id, row.guild_id, row.name, row.made_by, row.made_at, row.archived_at, row.selected)

"""What the trainer keeps beside data sets: instructions by version, jobs at providers, what was handed out, chosen routes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select, update

from core.store.training_answers import holding
from core.store.training_rows import (
    ChosenRouteRow,
    HandoutPersonRow,
    HandoutRow,
    InstructionRow,
    TrainingJobRow,
)
from core.surrogates import mended

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from core.store.store import Store


@dataclass(frozen=True, slots=True)
class Instruction:
    """One version of a server's standing instruction; an empty text takes the one before back."""

    version: int
    text: str
    by_id: int | None
    at: datetime
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TrainingHandout:
    """What left the database with somebody's words: to a person as a file, or to a provider."""

    guild_id: int
    set_name: str
    format: str
    by_id: int | None
    at: datetime
    job_id: int | None = None
    id: int = 0


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """A fine-tuning job; `state` is "uploading", or what the provider says; `told` may be shown as it is."""

    guild_id: int
    channel_id: int
    set_name: str
    method: str
    route: str
    base: str
    by_id: int | None
    at: datetime
    state: str = "uploading"
    message_id: int | None = None
    file_ids: tuple[str, ...] = ()
    provider_id: str = ""
    model: str = ""
    told: str = ""
    ended_at: datetime | None = None
    id: int = 0


class InstructionsRepository:
    """Reads and writes standing instructions."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def versions(self, guild_id: int) -> list[Instruction]:
        """Every version of a server's instruction, newest first, those that were undone too."""
        query = (
            select(InstructionRow).where(InstructionRow.guild_id == guild_id).order_by(InstructionRow.version.desc())
        )
        async with self._store.transaction() as session:
            return [
                Instruction(row.version, row.text, row.by_id, row.at, row.withdrawn_at)
                for row in await session.scalars(query)
            ]

    async def current(self) -> dict[int, str]:
        """What holds on each server that has one."""
        query = select(InstructionRow).where(InstructionRow.withdrawn_at.is_(None)).order_by(InstructionRow.version)
        async with self._store.transaction() as session:
            return {row.guild_id: row.text for row in await session.scalars(query)}

    async def add(self, guild_id: int, text: str, by_id: int, at: datetime) -> int:
        """Keep a new version; returns its number."""
        newest = select(func.max(InstructionRow.version)).where(InstructionRow.guild_id == guild_id)
        async with self._store.transaction() as session:
            version = (await session.scalar(newest) or 0) + 1
            session.add(
                InstructionRow(
                    guild_id=guild_id, version=version, text=mended(text), by_id=by_id, at=at, withdrawn_at=None
                )
            )
        return version

    async def undo(self, guild_id: int, at: datetime) -> bool:
        """Take the version back that holds; whether there was one."""
        standing = (InstructionRow.guild_id == guild_id, InstructionRow.withdrawn_at.is_(None))
        async with self._store.transaction() as session:
            row = await session.scalar(
                select(InstructionRow).where(*standing).order_by(InstructionRow.version.desc()).limit(1)
            )
            if row is not None:
                row.withdrawn_at = at
        return row is not None

    async def count_of(self, user_id: int) -> int:
        """How many versions somebody wrote."""
        query = select(func.count()).select_from(InstructionRow).where(InstructionRow.by_id == user_id)
        async with self._store.transaction() as session:
            return await session.scalar(query) or 0

    async def forget_person(self, user_id: int, clean: Callable[[str], str], words: Iterable[str]) -> None:
        """Nothing says any more who wrote a version; the rule of the server stays, without their name in it."""
        async with self._store.transaction() as session:
            theirs = update(InstructionRow).where(InstructionRow.by_id == user_id)
            await session.execute(theirs.values(by_id=None))
            for row in await session.scalars(select(InstructionRow).where(holding((InstructionRow.text,), words))):
                row.text = clean(row.text)


class TrainingJobsRepository:
    """Reads and writes fine-tuning jobs, what was handed out, and which server answers with which route."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, job: TrainingJob) -> int:
        """Keep a new job; returns its number."""
        row = TrainingJobRow(
            guild_id=job.guild_id,
            channel_id=job.channel_id,
            message_id=job.message_id,
            set_name=mended(job.set_name),
            method=job.method,
            route=job.route,
            base=mended(job.base),
            state=job.state,
            file_ids=" ".join(job.file_ids),
            provider_id=job.provider_id,
            model=job.model,
            told=job.told,
            by_id=job.by_id,
            at=job.at,
            ended_at=job.ended_at,
        )
        async with self._store.transaction() as session:
            session.add(row)
            await session.flush()
            return row.id

    async def save(self, job: TrainingJob) -> None:
        """Write how a job is now."""
        async with self._store.transaction() as session:
            row = await session.get(TrainingJobRow, job.id)
            if row is None:
                return
            row.message_id, row.state, row.file_ids = job.message_id, job.state, " ".join(job.file_ids)
            row.provider_id, row.model, row.told = job.provider_id, mended(job.model), mended(job.told)
            row.ended_at = job.ended_at

    async def all(self, guild_id: int | None = None) -> list[TrainingJob]:
        """The jobs of a server, or all, oldest first."""
        query = select(TrainingJobRow).order_by(TrainingJobRow.id)
        if guild_id is not None:
            query = query.where(TrainingJobRow.guild_id == guild_id)
        async with self._store.transaction() as session:
            return [_job(row) for row in await session.scalars(query)]

    # What left the database -------------------------------------------------------------------------------------------

    async def handed_out(self, handout: TrainingHandout, people: Iterable[int]) -> int:
        """Note that something left, and whose words were in it; returns the note's number."""
        row = HandoutRow(
            guild_id=handout.guild_id,
            job_id=handout.job_id,
            set_name=mended(handout.set_name),
            format=handout.format,
            by_id=handout.by_id,
            at=handout.at,
        )
        async with self._store.transaction() as session:
            session.add(row)
            await session.flush()
            session.add_all(HandoutPersonRow(handout_id=row.id, user_id=user_id) for user_id in set(people))
            return row.id

    async def forget_handout(self, handout_id: int) -> None:
        """Forget a note: nothing left after all."""
        async with self._store.transaction() as session:
            await session.execute(delete(HandoutPersonRow).where(HandoutPersonRow.handout_id == handout_id))
            await session.execute(delete(HandoutRow).where(HandoutRow.id == handout_id))

    async def handouts_of(self, user_id: int) -> list[TrainingHandout]:
        """What left with somebody's words, oldest first."""
        theirs = select(HandoutPersonRow.handout_id).where(HandoutPersonRow.user_id == user_id)
        query = select(HandoutRow).where(HandoutRow.id.in_(theirs)).order_by(HandoutRow.id)
        async with self._store.transaction() as session:
            return [
                TrainingHandout(row.guild_id, row.set_name, row.format, row.by_id, row.at, row.job_id, row.id)
                for row in await session.scalars(query)
            ]

    async def forget_person(self, user_id: int) -> None:
        """Nothing says any more that somebody was in what left, took it, or began a job."""
        async with self._store.transaction() as session:
            await session.execute(delete(HandoutPersonRow).where(HandoutPersonRow.user_id == user_id))
            await session.execute(update(HandoutRow).where(HandoutRow.by_id == user_id).values(by_id=None))
            await session.execute(update(TrainingJobRow).where(TrainingJobRow.by_id == user_id).values(by_id=None))

    # Routes -----------------------------------------------------------------------------------------------------------

    async def chosen_routes(self) -> dict[int, str]:
        """The route of each server that chose one."""
        async with self._store.transaction() as session:
            return {row.guild_id: row.route for row in await session.scalars(select(ChosenRouteRow))}

    async def choose_route(self, guild_id: int, route: str | None) -> None:
        """Have a server answered by a route; None takes that back."""
        async with self._store.transaction() as session:
            await session.execute(delete(ChosenRouteRow).where(ChosenRouteRow.guild_id == guild_id))
            if route is not None:
                session.add(ChosenRouteRow(guild_id=guild_id, route=route))


def _job(row: TrainingJobRow) -> TrainingJob:
    return TrainingJob(
        row.guild_id,
        row.channel_id,
        row.set_name,
        row.method,
        row.route,
        row.base,
        row.by_id,
        row.at,
        row.state,
        row.message_id,
        tuple(row.file_ids.split()),
        row.provider_id,
        row.model,
        row.told,
        row.ended_at,
        row.id,
    )

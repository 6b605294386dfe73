from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest_asyncio
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from core.store.base import Base
from core.store.recordings import RecordingRecord, RecordingsRepository
from core.store.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

START = datetime(2026, 11, 1, 20, 0, tzinfo=UTC)


def record(name: str, **changes: object) -> RecordingRecord:
    return replace(RecordingRecord(name, 1, 2, "Lounge", f"1/2/{name}", "finished", START), **changes)


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}")
    await store.open()
    yield store
    await store.close()


async def test_the_migration_makes_the_tables_the_code_uses(store: Store) -> None:
    def differences(connection: object) -> list[object]:
        ours = {"recordings", "recording_people", "recording_consent"}

        def include(_item: object, name: str | None, kind: str, *_rest: object) -> bool:
            return kind != "table" or name in ours

        context = MigrationContext.configure(connection, opts={"include_object": include, "compare_type": False})
        return compare_metadata(context, Base.metadata)

    async with store.transaction() as session:
        connection = await session.connection()
        assert await connection.run_sync(differences) == []


async def test_recordings_are_found_by_person_and_age(store: Store) -> None:
    recordings = RecordingsRepository(store)
    await recordings.save(record("old", started_at=START - timedelta(days=40)))
    await recordings.save(record("new", state="recording"))
    await recordings.save(record("elsewhere", guild_id=9))
    await recordings.save_people("old", {5: "Ana"})
    await recordings.save_people("new", {5: "Ana", 6: "Bo"})
    assert {r.id for r in await recordings.all()} == {"new", "old", "elsewhere"}
    assert [r.id for r in await recordings.of_person(5)] == ["new", "old"]
    assert [r.id for r in await recordings.older_than(START - timedelta(days=30))] == ["old"]
    assert await recordings.people("new") == {5: "Ana", 6: "Bo"}


async def test_a_recording_is_changed_and_forgotten(store: Store) -> None:
    recordings = RecordingsRepository(store)
    await recordings.save(record("one", state="recording"))
    await recordings.save_people("one", {5: "Ana", 6: "Bo"})
    await recordings.save(record("one", duration_s=12.5))
    await recordings.save_people("one", {6: "Bo"})
    found = await recordings.get("one")
    assert found == record("one", duration_s=12.5)
    assert await recordings.of_person(5) == []
    await recordings.delete("one")
    assert await recordings.get("one") is None
    assert await recordings.of_person(6) == []


async def test_a_persons_decision_stays_until_it_is_changed(store: Store) -> None:
    recordings = RecordingsRepository(store)
    await recordings.decide(5, "out", START)
    await recordings.decide(6, "in", START)
    assert await recordings.decisions() == {5: "out", 6: "in"}
    await recordings.decide(5, "in", START)
    await recordings.decide(6, None, START)
    assert await recordings.decisions() == {5: "in"}

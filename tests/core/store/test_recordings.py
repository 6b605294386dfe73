from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest_asyncio
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from core.store.base import Base
from core.store.decisions import Decided, DecisionsRepository
from core.store.opening import MIGRATIONS
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
        ours = {"recordings", "recording_people", "decision"}

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


async def test_a_channel_that_a_recording_went_on_in_stays_with_it(store: Store) -> None:
    recordings = RecordingsRepository(store)
    await recordings.save(record("one", state="recording"))
    await recordings.add_channel("one", 9)
    await recordings.add_channel("one", 9)
    await recordings.save(record("one", moved_to=(8,)))
    found = await recordings.get("one")
    assert found == record("one", moved_to=(8, 9))
    assert found.channel_ids == (found.channel_id, 8, 9)
    await recordings.delete("one")
    await recordings.save(record("one"))
    assert (await recordings.all())[0].moved_to == ()


async def test_a_persons_decisions_stay_until_they_are_changed(store: Store) -> None:
    decisions = DecisionsRepository(store)
    await decisions.save([Decided(5, "recorded", "out", START), Decided(5, "heard", "in", START)])
    await decisions.save([Decided(6, "recorded", "in", START)])
    assert {(d.user_id, d.kind, d.decision) for d in await decisions.all()} == {
        (5, "recorded", "out"),
        (5, "heard", "in"),
        (6, "recorded", "in"),
    }
    await decisions.save([Decided(5, "recorded", "in", START), Decided(6, "recorded", None, START)])
    assert {(d.user_id, d.kind, d.decision) for d in await decisions.all()} == {
        (5, "recorded", "in"),
        (5, "heard", "in"),
    }


async def test_what_was_decided_before_there_were_four_decisions_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "older.db"
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        connection.execute(text("INSERT INTO recording_consent VALUES (5, 'out', '2026-11-01 20:00:00.000000')"))
    engine.dispose()
    store = Store(f"sqlite+aiosqlite:///{path}")
    await store.open()
    assert await DecisionsRepository(store).all() == [Decided(5, "recorded", "out", START)]
    await store.close()

"""The store opens, migrates, keeps, and says why when it cannot."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import event, inspect, text

from core.errors import StoreError
from core.store.base import Base
from core.store.history import KEPT, LOOK_EVERY, HistoryEntry, HistoryRepository
from core.store.settings import GuildSettings, PersonVoice, SettingsRepository
from core.store.store import Store

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
async def store(tmp_path):
    store = Store("sqlite+aiosqlite:///data/parley.db", base=tmp_path)
    await store.open()
    yield store
    await store.close()


async def test_a_relative_path_starts_at_the_base_and_its_folder_is_made(store, tmp_path) -> None:
    assert (tmp_path / "data" / "parley.db").exists()


async def test_sqlite_runs_in_wal_mode_with_foreign_keys(store) -> None:
    async with store.transaction() as session:
        assert (await session.execute(text("PRAGMA journal_mode"))).scalar() == "wal"
        assert (await session.execute(text("PRAGMA foreign_keys"))).scalar() == 1


async def test_migrations_make_exactly_the_tables_that_the_code_describes(store) -> None:
    def describe(connection):
        found = inspect(connection)
        return {
            table: {column["name"]: bool(column["nullable"]) for column in found.get_columns(table)}
            for table in found.get_table_names()
            if table != "alembic_version"
        }

    async with store.transaction() as session:
        migrated = await session.run_sync(lambda inner: describe(inner.connection()))
    described = {
        table.name: {column.name: bool(column.nullable) for column in table.columns}
        for table in Base.metadata.tables.values()
    }
    assert migrated.items() >= described.items()


async def test_closing_lets_a_transaction_end_first_and_closes_its_connection(store, tmp_path) -> None:
    inside, go_on, closed = asyncio.Event(), asyncio.Event(), []

    async def write() -> None:
        async with store.transaction() as session:
            await session.execute(text("INSERT INTO guild_settings (guild_id) VALUES (7)"))
            inside.set()
            await go_on.wait()

    event.listen(store._engine.sync_engine, "close", lambda *_: closed.append(True))
    writing = asyncio.create_task(write())
    await inside.wait()
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0.05)
    assert not closing.done()
    with pytest.raises(StoreError, match="not open"):
        async with store.transaction():
            pass
    go_on.set()
    await asyncio.gather(writing, closing)
    assert closed
    await store.open()
    assert await SettingsRepository(store).guild(7) == GuildSettings(7)


async def test_a_transaction_that_hangs_does_not_keep_the_store_from_closing(store, monkeypatch, caplog) -> None:
    monkeypatch.setattr("core.store.store.CLOSE_S", 0.05)
    async with store.transaction():
        await store.close()
    assert "with 1 transactions under way" in caplog.text


async def test_opening_again_keeps_what_is_there(store, tmp_path) -> None:
    await SettingsRepository(store).save_guild(GuildSettings(1, 2, "a pirate", 0.5))
    await store.close()
    again = Store("sqlite+aiosqlite:///data/parley.db", base=tmp_path)
    await again.open()
    assert await SettingsRepository(again).guild(1) == GuildSettings(1, 2, "a pirate", 0.5)
    await again.close()


async def test_settings_of_nobody_are_empty(store) -> None:
    settings = SettingsRepository(store)
    assert await settings.guild(1) == GuildSettings(1)
    assert await settings.person_voice(1) == PersonVoice(1)
    assert await settings.prompt_channels() == {}


async def test_ids_of_discord_fit(store) -> None:
    settings = SettingsRepository(store)
    large = 2**63 - 1
    await settings.save_guild(GuildSettings(large, large - 1))
    assert await settings.prompt_channels() == {large: large - 1}


async def test_history_gives_the_newest_lines_oldest_first_and_can_be_cleared(store) -> None:
    history = HistoryRepository(store)
    await history.add(
        7, *(HistoryEntry(f"t{n}", "user", f"line {n}", NOW + timedelta(seconds=n), 5, "Ada") for n in range(9))
    )
    await history.add(8, HistoryEntry("u", "assistant", "elsewhere", NOW))
    assert [line.content for line in await history.newest(7, 3)] == ["line 6", "line 7", "line 8"]
    await history.clear(7)
    assert await history.newest(7, 3) == []
    assert len(await history.newest(8, 3)) == 1


async def test_a_conversation_that_never_ends_forgets_its_beginning_and_no_other(store) -> None:
    history = HistoryRepository(store)
    await history.add(8, HistoryEntry("u", "assistant", "elsewhere", NOW))
    for first in range(0, KEPT + 200, 100):
        await history.add(
            7, *(HistoryEntry("t", "user", f"line {n}", NOW, 5, "Ada") for n in range(first, first + 100))
        )
    kept = await history.newest(7, 10 * KEPT)
    assert KEPT <= len(kept) < KEPT + LOOK_EVERY
    assert kept[-1].content == f"line {KEPT + 199}"
    assert len(await history.newest(8, 3)) == 1


async def test_times_come_back_aware_and_in_utc(store) -> None:
    history = HistoryRepository(store)
    elsewhere = NOW.astimezone(timezone(timedelta(hours=9)))
    await history.add(7, HistoryEntry("t", "user", "hello", elsewhere))
    (line,) = await history.newest(7, 1)
    assert line.at == NOW
    assert line.at.tzinfo is UTC


async def test_a_failed_transaction_leaves_nothing(store) -> None:
    history = HistoryRepository(store)
    with pytest.raises(StoreError, match="cannot be read or written") as caught:
        await history.add(
            7, HistoryEntry("t", "user", "hello", NOW), HistoryEntry("t", "user", "naive", NOW.replace(tzinfo=None))
        )
    assert "aware" in str(caught.value.__cause__)
    assert await history.newest(7, 5) == []


async def test_a_database_that_cannot_be_opened_is_said_plainly(tmp_path) -> None:
    (tmp_path / "data").write_text("a file where a folder should be")
    with pytest.raises(StoreError, match=r"cannot be opened; check \[store\] url"):
        await Store("sqlite+aiosqlite:///data/parley.db", base=tmp_path).open()


@pytest.mark.parametrize("older", [False, True], ids=["of this version", "left by an older version"])
async def test_what_is_deleted_is_in_no_byte_of_the_databases_files(store, tmp_path, older) -> None:
    history = HistoryRepository(store)
    async with store.transaction() as session:
        await session.execute(text(f"PRAGMA secure_delete = {'OFF' if older else 'ON'}"))
    for n in range(200):
        await history.add(7, HistoryEntry("t", "user", f"Zebedee said {n} {'x' * 300}", NOW, 5, "Zebedee"))
        await history.add(8, HistoryEntry("t", "user", f"somebody else {n}", NOW, 6, "Bo"))
    await history.clear(7)
    await store.scrub()
    files = {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()}
    assert "parley.db" in files
    assert [name for name, data in files.items() if b"Zebedee" in data] == []
    assert len(await history.newest(8, 500)) == 200


async def test_a_deletion_that_left_bytes_behind_is_not_called_done(store, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("core.store.store.SCRUB_WAIT_S", 0)
    await HistoryRepository(store).add(7, HistoryEntry("t", "user", "hello", NOW, 5, "Ada"))
    async with store._engine.connect() as setting:
        await setting.execute(text("PRAGMA busy_timeout = 10"))
    with closing(sqlite3.connect(tmp_path / "data" / "parley.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM history").fetchall()
        await HistoryRepository(store).clear(7)
        with pytest.raises(StoreError, match="are still in the files"):
            await store.scrub()
    await store.scrub()

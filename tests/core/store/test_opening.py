"""A database that is not ours, or cannot be used, is named in one sentence, and nothing in it is changed."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from core.errors import StoreError
from core.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows has no such bits")
UNPRIVILEGED = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everything")


def database(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


async def refusal(tmp_path: Path) -> str:
    store = Store("sqlite+aiosqlite:///parley.db", base=tmp_path)
    with pytest.raises(StoreError) as caught:
        await store.open()
    told = caught.value.sentence
    assert "\n" not in told
    assert "Traceback" not in told
    assert str(tmp_path) not in told
    assert "[store]" in told or "again" in told or "account" in told or "copy" in told
    return told


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def changed_rights(path: Path) -> bool:
    return os.name != "nt" and stat.S_IMODE(path.stat().st_mode) != 0o644


VERSION = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        (
            (VERSION, "INSERT INTO alembic_version VALUES ('9f3ab2c1')"),
            "another program (it holds revision “9f3ab2c1”)",
        ),
        (
            (VERSION, "INSERT INTO alembic_version VALUES ('0001')", "CREATE TABLE invoices (id)"),
            "the table “invoices”",
        ),
        ((VERSION, "INSERT INTO alembic_version VALUES ('0001')"), "no table of mine"),
        ((VERSION, "CREATE TABLE invoices (id)"), "the table “invoices”"),
        (("CREATE TABLE history (id INTEGER)",), "the table “history”"),
        (("CREATE TABLE a (x)", "CREATE TABLE b (x)", "CREATE TABLE c (x)", "CREATE TABLE d (x)"), "and 1 more"),
        (
            (VERSION, "INSERT INTO alembic_version VALUES ('9f3ab2c1')", "INSERT INTO alembic_version VALUES ('77')"),
            "“77”, “9f3ab2c1”",
        ),
    ],
)
async def test_another_programs_database_is_named_and_left_alone(
    tmp_path: Path, statements: tuple[str, ...], named: str
) -> None:
    database(tmp_path / "parley.db", *statements)
    (tmp_path / "parley.db").chmod(0o644)
    before = (tmp_path / "parley.db").read_bytes()
    told = await refusal(tmp_path)
    assert "belongs to another program" in told
    assert named in told
    assert contents(tmp_path) == {"parley.db": before}
    assert not changed_rights(tmp_path / "parley.db")


async def test_a_database_of_a_newer_version_asks_for_an_update(tmp_path: Path) -> None:
    store = Store("sqlite+aiosqlite:///parley.db", base=tmp_path)
    await store.open()
    await store.close()
    database(tmp_path / "parley.db", "UPDATE alembic_version SET version_num = '9001'")
    assert "newer Parley (its revision is “9001”)" in await refusal(tmp_path)


async def test_a_file_that_is_no_database_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "parley.db").write_bytes(b"once upon a time there was a file" * 100)
    assert "parley.db is no database" in await refusal(tmp_path)
    assert (tmp_path / "parley.db").read_bytes().startswith(b"once")


async def test_a_damaged_database_is_called_so(tmp_path: Path) -> None:
    store = Store("sqlite+aiosqlite:///parley.db", base=tmp_path)
    await store.open()
    await store.close()
    whole = (tmp_path / "parley.db").read_bytes()
    (tmp_path / "parley.db").write_bytes(whole[:100] + b"\xa7" * (len(whole) - 100))
    assert "damaged" in await refusal(tmp_path)


async def test_a_folder_of_that_name_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "parley.db").mkdir()
    assert "is a folder" in await refusal(tmp_path)


async def test_a_database_that_another_program_holds_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def impatient(connection: sqlite3.Connection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout = 50")
        cursor.close()

    monkeypatch.setattr("core.store.store.set_pragmas", impatient)
    database(tmp_path / "parley.db", "PRAGMA user_version = 1")
    with closing(sqlite3.connect(tmp_path / "parley.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "in use by another program" in await refusal(tmp_path)


async def test_a_full_disk_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def small(connection: sqlite3.Connection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA max_page_count = 2")  # SQLite says the same of a disk that takes no third page
        cursor.close()

    monkeypatch.setattr("core.store.store.set_pragmas", small)
    assert "is full" in await refusal(tmp_path)


@UNPRIVILEGED
async def test_a_database_that_may_not_be_written_is_called_so(tmp_path: Path) -> None:
    database(tmp_path / "parley.db", "PRAGMA user_version = 1")
    (tmp_path / "parley.db").chmod(0o400)
    assert "may not be written" in await refusal(tmp_path)


@POSIX
async def test_nobody_else_reads_the_database_or_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    for name in ("parley.db", "parley.db-wal"):  # as an older version made them
        (tmp_path / "data" / name).touch(0o644)
    store = Store("sqlite+aiosqlite:///data/parley.db", base=tmp_path)
    await store.open()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()}
    assert modes == dict.fromkeys(("parley.db", "parley.db-wal", "parley.db-shm"), 0o600)
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    await store.close()


@POSIX
async def test_a_folder_that_others_share_stays_as_it_is(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    store = Store(f"sqlite+aiosqlite:///{shared / 'parley.db'}", base=tmp_path / "checkout")
    await store.open()
    await store.close()
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755
    assert stat.S_IMODE((shared / "parley.db").stat().st_mode) == 0o600


async def test_an_address_with_what_no_driver_knows_is_refused_with_a_sentence_and_no_secret() -> None:
    pytest.importorskip("asyncpg")
    store = Store("postgresql+asyncpg://ada:s3cr3t@127.0.0.1:9/db?sslkey=s3cr3t")
    with pytest.raises(StoreError, match=r"cannot be opened") as refused:
        await store.open()
    assert "s3cr3t" not in refused.value.sentence


async def test_a_server_that_is_away_for_a_while_is_told_as_a_database_that_is_away(tmp_path: Path) -> None:
    pytest.importorskip("asyncpg")
    store = Store(f"sqlite+aiosqlite:///{(tmp_path / 'parley.db').as_posix()}")
    await store.open()
    engine = create_async_engine("postgresql+asyncpg://ada:pw@127.0.0.1:9/db")
    store._sessions = async_sessionmaker(engine)
    with pytest.raises(StoreError):
        async with store.transaction() as session:
            await session.execute(text("SELECT 1"))
    with pytest.raises(ZeroDivisionError):  # a fault of ours stays one
        async with store.transaction():
            raise ZeroDivisionError
    await store.close()
    await engine.dispose()

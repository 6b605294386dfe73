"""The open database: engine, sessions, migrations."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from core.errors import StoreError
from core.store.opening import check, make_file, sentence, set_pragmas, tighten, upgrade

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_log = logging.getLogger(__name__)

_DRIVERS = ("asyncpg", "aiosqlite", "sqlite3")

BROKEN = "My database cannot be read or written. Is its disk full? The log says more."
CLOSE_S = 2.0  # how long closing waits for what is being read or written
UNCLEAN = "Bytes of what was deleted are still in the files of my database."
SCRUB_TRIES, SCRUB_WAIT_S = 4, 0.25


class Store:
    """One database: SQLite in WAL mode by default, PostgreSQL by changing the URL."""

    def __init__(self, url: str, *, base: Path | None = None) -> None:
        """Name the database; nothing is opened yet.

        Args:
            url: SQLAlchemy URL with an async driver.
            base: Where a relative SQLite path starts.
        """
        self._base = base or Path.cwd()
        self.url = _resolve(make_url(url), self._base)
        self._engine: AsyncEngine | None = None
        self._sessions: async_sessionmaker[AsyncSession] | None = None
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def open(self) -> None:
        """Create the folder, connect, and bring the tables up to date.

        Raises:
            StoreError: The database cannot be opened or migrated.
        """
        try:
            if self._file is not None:
                await asyncio.to_thread(make_file, self._file)
            self._engine = create_async_engine(self.url)
            if self.url.get_backend_name() == "sqlite":
                event.listen(self._engine.sync_engine, "connect", set_pragmas)
            async with self._engine.connect() as connection:
                await connection.run_sync(check)
                if self._file is not None:
                    await connection.exec_driver_sql("PRAGMA journal_mode = WAL")  # kept in the file
            async with self._engine.begin() as connection:
                await connection.run_sync(upgrade)
            if self._file is not None:
                await asyncio.to_thread(tighten, self._file, self._base)
        except (StoreError, asyncio.CancelledError):
            await self.close()
            raise
        except Exception as error:  # a driver raises what it likes for what it does not understand in an address
            await self.close()
            raise StoreError(sentence(self.url, error)) from error
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)

    async def close(self) -> None:
        """Close every connection, once the transactions under way have ended: a pool forgets those that are in use."""
        engine, self._engine, self._sessions = self._engine, None, None
        if engine is None:
            return
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._idle.wait()
        except TimeoutError:
            _log.warning("the database is closed with %d transactions under way", self._under_way)
        await engine.dispose()

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncSession]:
        """A session whose changes are committed at the end, or rolled back on an error.

        Raises:
            StoreError: The database cannot be read or written.
        """
        if self._sessions is None:
            raise StoreError("The database is not open.")
        self._under_way += 1
        self._idle.clear()
        try:
            async with self._sessions.begin() as session:
                yield session
        except Exception as error:
            if not _is_of_database(error):
                raise
            raise StoreError(BROKEN) from error
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def scrub(self) -> None:
        """Take what was deleted out of the database's files, byte for byte, also what older versions left in them.

        SQLite alone: a server has files of its own.

        Raises:
            StoreError: It is there still, because the disk is full or somebody reads.
        """
        if self._engine is None or self._file is None:
            return
        try:
            async with self._engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                await connection.execute(text("VACUUM"))
                for attempt in range(SCRUB_TRIES):
                    busy = await connection.scalar(text("PRAGMA wal_checkpoint(TRUNCATE)"))
                    if not busy:
                        return
                    await asyncio.sleep(SCRUB_WAIT_S * attempt)
        except SQLAlchemyError as error:
            raise StoreError(UNCLEAN) from error
        raise StoreError(UNCLEAN)

    @property
    def _file(self) -> Path | None:
        """The file of a SQLite database that has one."""
        named = self.url.get_backend_name() == "sqlite" and self.url.database not in (None, "", ":memory:")
        return Path(str(self.url.database)) if named else None


def _is_of_database(error: Exception) -> bool:
    """Whether an error says that the database is away or refuses: on connecting, drivers raise errors of their own."""
    return isinstance(error, (SQLAlchemyError, OSError)) or type(error).__module__.partition(".")[0] in _DRIVERS


def _resolve(url: URL, base: Path) -> URL:
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return url
    path = Path(url.database)
    return url if path.is_absolute() else url.set(database=str(base / path))

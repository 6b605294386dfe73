"""The open database: engine, sessions, migrations."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from core.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_log = logging.getLogger(__name__)

BROKEN = "My database cannot be read or written. Is its disk full? The log says more."
CLOSE_S = 2.0  # how long closing waits for what is being read or written
MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


class Store:
    """One database: SQLite in WAL mode by default, PostgreSQL by changing the URL."""

    def __init__(self, url: str, *, base: Path | None = None) -> None:
        """Name the database; nothing is opened yet.

        Args:
            url: SQLAlchemy URL with an async driver.
            base: Where a relative SQLite path starts.
        """
        self.url = _resolve(make_url(url), base or Path.cwd())
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
        sqlite = self.url.get_backend_name() == "sqlite"
        try:
            if sqlite and self.url.database:
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            self._engine = create_async_engine(self.url)
            if sqlite:
                event.listen(self._engine.sync_engine, "connect", _set_pragmas)
            async with self._engine.begin() as connection:
                await connection.run_sync(_upgrade)
        except (SQLAlchemyError, OSError) as error:
            await self.close()
            where = self.url.render_as_string(hide_password=True)
            raise StoreError(
                f"The database {where} cannot be opened; check [store] url and that its folder is writable."
            ) from error
        except asyncio.CancelledError:
            await self.close()
            raise
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
        except SQLAlchemyError as error:
            raise StoreError(BROKEN) from error
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()


def _resolve(url: URL, base: Path) -> URL:
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return url
    path = Path(url.database)
    return url if path.is_absolute() else url.set(database=str(base / path))


def _set_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "busy_timeout = 5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _upgrade(connection: Connection) -> None:
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")

"""Opening a database: whose it is, and one clear sentence for each way in which it cannot be opened."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from core import private
from core.errors import StoreError
from core.store.base import Base

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
_FIRST_TABLES = frozenset({"guild_settings", "person_voice", "history"})  # there since the first revision
_VERSIONS = "alembic_version"
_SIDE_FILES = ("", "-wal", "-shm", "-journal")

FOREIGN = (
    "The database {where} belongs to another program (it holds {what}). I leave it alone: name another one under "
    "[store] url."
)
NEWER = (
    "The database {where} was made by a newer Parley (its revision is {what}). Update Parley, or name another one "
    "under [store] url."
)
OTHERWISE = "The database {where} cannot be opened; check [store] url and that its folder is writable."
FOLDER = "The database {where} is a folder. [store] url must name a file, which is made if it is not there."
LOCKED = (
    "The database {where} is in use by another program, perhaps a second bot. Stop that, or name another one under "
    "[store] url."
)
UNWRITABLE = "The database {where} may not be written. Give the bot's account the right to, with its folder."
_REASONS = (  # of SQLite, as its library words them
    ("not a database", "{where} is no database. Move that file away, or name another one under [store] url."),
    ("malformed", "The database {where} is damaged. Put back a copy of it, or move it away to begin anew."),
    ("is locked", LOCKED),
    ("readonly", UNWRITABLE),
    ("is full", "The disk of the database {where} is full. Make room, then start again."),
)


def shown(url: URL) -> str:
    """A database as a sentence may name it: no password, no path of the machine."""
    if url.get_backend_name() == "sqlite":
        return Path(url.database or ":memory:").name
    return url.set(query={}).render_as_string(hide_password=True)


def sentence(url: URL, error: BaseException) -> str:
    """Why a database cannot be opened, and what would help."""
    where = shown(url)
    if url.get_backend_name() == "sqlite" and url.database and Path(url.database).is_dir():
        return FOLDER.format(where=where)
    if isinstance(error, PermissionError):
        return UNWRITABLE.format(where=where)
    text = str(getattr(error, "orig", None) or error).lower()
    return next((told for part, told in _REASONS if part in text), OTHERWISE).format(where=where)


def make_file(path: Path) -> None:
    """Make the folder and the file of a SQLite database, private, where there is none.

    Raises:
        OSError: They cannot be made.
    """
    private.make_folder(path.parent)
    if not path.exists():  # SQLite gives the files beside it the rights that this one has
        os.close(private.opener(str(path), os.O_CREAT | os.O_RDWR))


def tighten(path: Path, base: Path) -> None:
    """Let nobody else read a SQLite database, nor the files beside it: older versions left that to chance."""
    if base in path.parent.parents:  # a folder of ours; elsewhere others may have a right to it
        private.tighten(path.parent)
    for suffix in _SIDE_FILES:
        private.tighten(path.with_name(path.name + suffix))


def set_pragmas(connection: Any, _record: Any) -> None:
    """What every SQLite connection is set to; what is deleted is overwritten."""
    pragmas = ("synchronous = NORMAL", "foreign_keys = ON", "busy_timeout = 5000", "secure_delete = ON")
    with closing(connection.cursor()) as cursor:
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")


def check(connection: Connection) -> None:
    """Refuse a database whose tables are not ours; nothing in it is changed before this.

    Raises:
        StoreError: It is another program's, or a newer version's.
    """
    require_ours(connection, ScriptDirectory.from_config(_alembic()))


def upgrade(connection: Connection) -> None:
    """Bring the tables up to date."""
    config = _alembic()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _alembic() -> AlembicConfig:
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def require_ours(connection: Connection, scripts: ScriptDirectory) -> None:
    """Refuse a database by its tables and its revision.

    Raises:
        StoreError: It is another program's, or a newer version's.
    """
    where = shown(connection.engine.url)
    tables = set(inspect(connection).get_table_names())
    known = {script.revision for script in scripts.walk_revisions()}
    found = set(MigrationContext.configure(connection).get_current_heads()) if _VERSIONS in tables else set[str]()
    unknown = ", ".join(f"“{each[:40]}”" for each in sorted(found - known))
    if unknown and tables >= _FIRST_TABLES:
        raise StoreError(NEWER.format(where=where, what=unknown))
    if unknown:
        raise StoreError(FOREIGN.format(where=where, what=f"revision {unknown}"))
    if found and not tables >= _FIRST_TABLES:
        raise StoreError(FOREIGN.format(where=where, what=_list(tables - {_VERSIONS}) or "no table of mine"))
    others = tables - {_VERSIONS}
    if (
        connection.dialect.name != "sqlite"
    ):  # a server's database may be shared: only names that are taken stand against it
        others &= set(Base.metadata.tables)
    if not found and others:
        raise StoreError(FOREIGN.format(where=where, what=_list(others)))


def _list(tables: set[str]) -> str:
    names = sorted(tables)
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
    what = ", ".join(f"“{name[:40]}”" for name in names[:3])
    return f"the {'table' if len(names) == 1 else 'tables'} {what}{rest}" if names else ""

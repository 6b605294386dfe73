"""The characters there are: those of the folder for every server, and those that a server imported for itself."""

from __future__ import annotations

import asyncio
import logging
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import PersonaError
from core.names import plain
from core.persona.sheet import Sheet, checked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from core.persona.sheet import CharacterTable

_log = logging.getLogger(__name__)

TOML_LIMIT_BYTES = 512 * 1024
MOST_FILES = 500  # of one folder; more are not looked at
PICTURES = (".png", ".jpg", ".jpeg", ".webp")

_TOO_LARGE = "{file} is too large for a character: {size:.0f} KiB, and at most {limit} KiB are read."
_NO_TOML = "{file} is not valid TOML: {reason}."
_NO_UTF8 = "{file} is not written in UTF-8. Save it anew in that encoding."
_UNREADABLE = "{file} cannot be read: {reason}."

Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file as it was when it was read: a sheet, or what is wrong with it."""

    stamp: Stamp
    sheet: Sheet | None = None
    fault: str = ""


class Shelf:
    """Characters by id. What it gives is in memory; `look` sees what was dropped into the folder since."""

    def __init__(self, folder: Path) -> None:
        """Nothing is read before `look`.

        Args:
            folder: The characters of every server; it may be missing.
        """
        self._folder = folder
        self._seen: dict[Path, ReadFile] = {}
        self._sheets: dict[str, Sheet] = {}
        self._looking = asyncio.Lock()

    async def look(self) -> None:
        """Read what is new or changed in the folder. A file with a fault is logged once, told by `faults`, and hurts no other."""
        async with self._looking:
            before = self._seen
            self._seen = await asyncio.to_thread(_read_folder, self._folder, before)
            for path, seen in self._seen.items():
                if seen.fault and before.get(path) != seen:
                    _log.warning("a character cannot be used: %s", seen.fault)
            self._sheets = {seen.sheet.id: seen.sheet for seen in self._seen.values() if seen.sheet is not None}

    @property
    def faults(self) -> list[str]:
        """What is wrong with files that are no characters, in sentences."""
        return [seen.fault for seen in self._seen.values() if seen.fault]

    def of(self, guild_id: int | None) -> list[Sheet]:
        """The characters that a server (None: direct messages) may choose from, by name."""
        found = [sheet for sheet in self._sheets.values() if sheet.guild_id in (None, guild_id)]
        return sorted(found, key=lambda sheet: (sheet.name.casefold(), sheet.id))

    def find(self, id_: str, guild_id: int | None) -> Sheet | None:
        """The character of this id, if that server may choose it."""
        sheet = self._sheets.get(id_)
        return sheet if sheet is not None and sheet.guild_id in (None, guild_id) else None

    def named(self, name: str, guild_id: int | None) -> Sheet:
        """The character of this id or name.

        Raises:
            PersonaError: There is none, or several have the name.
        """
        wanted = name.strip().casefold()
        sheets = self.of(guild_id)
        found = [sheet for sheet in sheets if sheet.id.casefold() == wanted]
        found = found or [sheet for sheet in sheets if sheet.name.casefold() == wanted]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(sheet.id for sheet in found)
            raise PersonaError(f"Several characters are called that. Name one by its id: {ids}.")
        known = ", ".join(plain(sheet.id, 40) for sheet in sheets[:20]) or "none yet"
        raise PersonaError(f"There is no character “{plain(name, 40)}”. There are: {known}.")


def _read_folder(folder: Path, before: Mapping[Path, ReadFile]) -> dict[Path, ReadFile]:
    """Runs in a thread."""
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix == ".toml" and not path.name.startswith("."))
    except OSError:
        return {}
    found: dict[Path, ReadFile] = {}
    for path in files[:MOST_FILES]:
        found[path] = _read(path, before.get(path), read_toml)
    return found


def _read(path: Path, before: ReadFile | None, reader: Callable[[Path], CharacterTable]) -> ReadFile:
    stamp = (0, 0)
    try:
        status = path.stat()
        stamp = status.st_mtime_ns, status.st_size
        if before is not None and before.stamp == stamp:
            return before
        table = reader(path)
    except OSError as error:
        return ReadFile(stamp, None, _UNREADABLE.format(file=plain(path.name), reason=error.strerror))
    except PersonaError as error:
        return ReadFile(stamp, None, error.sentence)
    picture = path.parent / table.avatar if table.avatar else _beside(path)
    return ReadFile(stamp, Sheet(path.stem, table, folder=path.parent, picture=picture))


def _beside(path: Path) -> Path | None:
    """The picture of the same name."""
    return next((found for kind in PICTURES if (found := path.with_suffix(kind)).is_file()), None)


def read_toml(path: Path) -> CharacterTable:
    """A character's own file.

    Raises:
        OSError: It cannot be read.
        PersonaError: It is too large, or no character; the sentence names file, key, what was given and what is allowed.
    """
    name = plain(path.name)
    size = path.stat().st_size
    if size > TOML_LIMIT_BYTES:
        raise PersonaError(_TOO_LARGE.format(file=name, size=size / 1024, limit=TOML_LIMIT_BYTES // 1024))
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise PersonaError(_NO_UTF8.format(file=name)) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PersonaError(_NO_TOML.format(file=name, reason=plain(str(error), 200))) from error
    return checked(given, path.name)

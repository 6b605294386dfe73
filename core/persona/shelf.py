"""The characters there are: those of the folder for every server, and those that a server imported for itself."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from core.errors import ParleyError, PersonaError, WorkerError
from core.names import plain, shown
from core.persona.files import MOST_FILES, ReadFile, find_files, read_toml, stamp_of
from core.persona.imports import read_kept
from core.persona.sheet import Sheet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from core.persona.cards import ReadCard
    from core.persona.sheet import CharacterTable

    CardReader = Callable[[bytes, str], Awaitable[ReadCard]]

_log = logging.getLogger(__name__)

UNREADABLE = "{file} cannot be read: {reason}."
TOO_MANY = "The folder {folder} holds more files than the {limit} that are read; the last by name are left out."
MOST_SERVERS = 10_000


class Shelf:
    """Characters by id. What it gives is in memory; `look` sees what was dropped into the folder since."""

    def __init__(self, folder: Path, imported: Path, read_card: CardReader, max_card_mb: int) -> None:
        """Nothing is read before `open`.

        Args:
            folder: The characters of every server; it may be missing.
            imported: Holds a folder for each server that imported some.
            read_card: Reads a card, away from this process.
            max_card_mb: Larger ones are not read.
        """
        self._folder = folder
        self._imported = imported
        self._read_card = read_card
        self._max_card_mb = max_card_mb
        self._files: dict[int | None, dict[Path, ReadFile]] = {}
        self._sheets: dict[int | None, dict[str, Sheet]] = {}
        self._looking = asyncio.Lock()

    async def open(self) -> None:
        """Read every folder."""
        await self.look(None)
        for guild_id in await asyncio.to_thread(_servers, self._imported):
            async with self._looking:
                await self._look_into(self.imported(guild_id), guild_id)

    async def look(self, guild_id: int | None) -> None:
        """Read what is new or changed in the folder, and among what a server imported.

        A file with a fault is logged once, told by `faults`, and hurts no other.
        """
        async with self._looking:
            await self._look_into(self._folder, None)
            if guild_id is not None:
                await self._look_into(self.imported(guild_id), guild_id)

    def imported(self, guild_id: int) -> Path:
        """The folder of what a server imported."""
        return self._imported / str(guild_id)

    @property
    def faults(self) -> list[str]:
        """What is wrong with files that are no characters, in sentences."""
        return [seen.fault for seen in self._files.get(None, {}).values() if seen.fault]

    def of(self, guild_id: int | None) -> list[Sheet]:
        """The characters that a server (None: direct messages) may choose from, by name."""
        found = [*self._sheets.get(None, {}).values()]
        found += self._sheets.get(guild_id, {}).values() if guild_id is not None else ()
        return sorted(found, key=lambda sheet: (sheet.name.casefold(), sheet.id))

    def find(self, id_: str, guild_id: int | None) -> Sheet | None:
        """The character of this id, if that server may choose it."""
        return self._sheets.get(None, {}).get(id_) or self._sheets.get(guild_id, {}).get(id_)

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
            ids = ", ".join(shown(sheet.id, 40) for sheet in found[:20])
            raise PersonaError(f"Several characters are called that. Name one by its id: {ids}.")
        known = ", ".join(shown(sheet.id, 40) for sheet in sheets[:20]) or "none yet"
        raise PersonaError(f"There is no character “{shown(name, 40)}”. There are: {known}.")

    async def _look_into(self, folder: Path, guild_id: int | None) -> None:
        before = self._files.get(guild_id, {})
        found: dict[Path, ReadFile] = {}
        listed = await asyncio.to_thread(find_files, folder, guild_id is not None)
        if len(listed) > MOST_FILES:
            found[folder] = ReadFile((0, 0), None, TOO_MANY.format(folder=plain(folder.name), limit=MOST_FILES))
        for path, stamp in listed[:MOST_FILES]:
            seen = before.get(path)
            found[path] = seen if seen is not None and seen.stamp == stamp else await self._read(path, guild_id)
        for path, seen in found.items():
            if seen.fault and before.get(path) != seen:
                _log.warning("a character cannot be used: %s", seen.fault)
        self._files[guild_id] = found
        # In this order: of two files of one name the one in our own format counts.
        ordered = sorted(found.items(), key=lambda each: each[0].suffix == ".toml")
        self._sheets[guild_id] = {seen.sheet.id: seen.sheet for _, seen in ordered if seen.sheet is not None}

    async def _read(self, path: Path, guild_id: int | None) -> ReadFile:
        """What a file says, read in a thread or, as strangers' cards, in another process."""
        stamp = (0, 0)
        try:
            stamp = await asyncio.to_thread(stamp_of, path)
            if guild_id is not None:
                return await asyncio.to_thread(_kept_sheet, path, stamp, guild_id)
            if path.suffix == ".toml":
                return await asyncio.to_thread(_own_sheet, path, stamp)
            return await self._dropped(path, stamp)
        except OSError as error:
            return ReadFile(stamp, None, UNREADABLE.format(file=plain(path.name), reason=error.strerror))
        except WorkerError as error:  # it may be different at the next look
            _log.warning("a card could not be read: %s", error.sentence, exc_info=error)
            return ReadFile((0, 0), None, f"{plain(path.name)}: {error.sentence}")
        except ParleyError as error:
            sentence = error.sentence
            return ReadFile(stamp, None, sentence if path.name in sentence else f"{plain(path.name)}: {sentence}")

    async def _dropped(self, path: Path, stamp: tuple[int, int]) -> ReadFile:
        """A card that was dropped into the folder; a mere picture is none, and no fault either."""
        if stamp[1] > self._max_card_mb * 2**20:
            raise PersonaError(f"{plain(path.name)} is too large for a card: at most {self._max_card_mb} MiB are read.")
        data = await asyncio.to_thread(path.read_bytes)
        if path.suffix == ".png" and b"ccv3" not in data and b"chara" not in data:
            return ReadFile(stamp)
        card = await self._read_card(data, path.name)
        picture = path if card.has_picture else None
        return ReadFile(stamp, Sheet(path.stem, card.table, folder=path.parent, picture=picture or _beside(path)))


def _own_sheet(path: Path, stamp: tuple[int, int]) -> ReadFile:
    table = read_toml(path)
    return ReadFile(stamp, _sheet(path, table, path.parent / table.avatar if table.avatar else _beside(path)))


def _kept_sheet(path: Path, stamp: tuple[int, int], guild_id: int) -> ReadFile:
    return ReadFile(stamp, _sheet(path, read_kept(path), _beside(path), guild_id))


def _sheet(path: Path, table: CharacterTable, picture: Path | None, guild_id: int | None = None) -> Sheet:
    return Sheet(path.stem, table, guild_id, path.parent, picture)


def _beside(path: Path) -> Path | None:
    """The picture of the same name."""
    kinds = (".png", ".jpg", ".jpeg", ".webp")
    return next((found for kind in kinds if (found := path.with_suffix(kind)).is_file()), None)


def _servers(imported: Path) -> list[int]:
    try:
        names = [path.name for path in imported.iterdir() if path.name.isdecimal() and path.name.isascii()]
    except OSError:
        return []
    return [int(name) for name in sorted(names)[:MOST_SERVERS]]

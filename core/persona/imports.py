"""Characters that a server imported, on disk: a file of checked texts each, and its picture; under names of ours alone."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

from pydantic import ValidationError

from core import private
from core.errors import PersonaError
from core.names import plain
from core.persona.sheet import CharacterTable

if TYPE_CHECKING:
    from pathlib import Path

KEPT_LIMIT_BYTES = 4 * 2**20
FULL = "This server has {count} imported characters already, and may have {limit}. Remove one first: `/persona remove`."
THERE = "This server has imported that character already: {id}."
NOT_KEPT = "The character could not be kept: {reason}."
NOT_REMOVED = "The character could not be removed: {reason}."
BROKEN = "{file} is not as I wrote it. Please import the card again."


async def keep(folder: Path, table: CharacterTable, picture: bytes | None, limit: int) -> str:
    """Write an imported character into a server's folder; gives its id.

    Raises:
        PersonaError: The server has too many, or this one, or the disk refuses.
    """
    return await asyncio.to_thread(_keep, folder, table, picture, limit)


async def remove(folder: Path, id_: str) -> None:
    """Delete an imported character and its picture.

    Raises:
        PersonaError: It cannot be deleted.
    """
    await asyncio.to_thread(_remove, folder, id_)


def read_kept(path: Path) -> CharacterTable:
    """An imported character as it was kept.

    Raises:
        OSError: It cannot be read.
        PersonaError: Somebody changed it.
    """
    if path.stat().st_size > KEPT_LIMIT_BYTES:
        raise PersonaError(BROKEN.format(file=plain(path.name)))
    try:
        return CharacterTable.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise PersonaError(BROKEN.format(file=plain(path.name))) from error


def _keep(folder: Path, table: CharacterTable, picture: bytes | None, limit: int) -> str:
    text = table.model_dump_json(exclude_defaults=True).encode()
    id_ = f"card-{hashlib.blake2s(text, digest_size=5).hexdigest()}"
    try:
        private.make_folder(folder)
        path = folder / f"{id_}.json"
        if path.exists():
            raise PersonaError(THERE.format(id=id_))
        count = sum(1 for _ in folder.glob("*.json"))
        if count >= limit:
            raise PersonaError(FULL.format(count=count, limit=limit))
        if picture is not None:  # first: a character without its picture would be there, a picture without is none
            private.write_atomically(path.with_suffix(".png"), picture)
        private.write_atomically(path, text)
    except OSError as error:
        raise PersonaError(NOT_KEPT.format(reason=error.strerror)) from error
    return id_


def _remove(folder: Path, id_: str) -> None:
    try:
        for suffix in (".json", ".png"):
            (folder / f"{id_}{suffix}").unlink(missing_ok=True)
    except OSError as error:
        raise PersonaError(NOT_REMOVED.format(reason=error.strerror)) from error

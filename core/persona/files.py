"""Files of characters in a folder: which there are, and those in our own format."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import PersonaError
from core.names import plain
from core.persona.sheet import checked

if TYPE_CHECKING:
    from pathlib import Path

    from core.persona.sheet import CharacterTable, Sheet

TOML_LIMIT_BYTES = 512 * 1024
MOST_FILES = 500  # of one folder; more are not read

_TOO_LARGE = "{file} is too large for a character: {size:.0f} KiB, and at most {limit} KiB are read."
_NO_TOML = "{file} is not valid TOML: {reason}."
_NO_UTF8 = "{file} is not written in UTF-8. Save it anew in that encoding."

Stamp = tuple[int, int]
"""When a file was changed, in nanoseconds, and its size: another stamp is another file."""


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file as it was when it was read: a character, or what is wrong with it, or neither."""

    stamp: Stamp
    sheet: Sheet | None = None
    fault: str = ""


def stamp_of(path: Path) -> Stamp:
    """The stamp of a file.

    Raises:
        OSError: It is gone.
    """
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def find_files(folder: Path, kept: bool) -> list[tuple[Path, Stamp]]:
    """The files of a folder that may be characters: of what is `kept` for a server, only those in the format of that.

    One more than `MOST_FILES` says that there are more than are read.
    """
    kinds = (".json",) if kept else (".toml", ".json", ".png")
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix in kinds and not path.name.startswith("."))
    except OSError:
        return []
    found: list[tuple[Path, Stamp]] = []
    for path in paths[: MOST_FILES + 1]:
        try:
            found.append((path, stamp_of(path)))
        except OSError:
            continue
    return found


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

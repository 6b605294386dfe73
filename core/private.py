"""Files and folders that nobody but the bot's own account may read: 0600 and 0700. Windows has no such bits."""

from __future__ import annotations

import logging
import os
import stat
import time
from pathlib import Path

_log = logging.getLogger(__name__)

FILE_MODE, FOLDER_MODE = 0o600, 0o700


def opener(path: str, flags: int) -> int:
    """For `open(..., opener=opener)`: a file that is made is private from its first byte on."""
    return os.open(path, flags | getattr(os, "O_BINARY", 0), FILE_MODE)


def make_folder(folder: Path) -> None:
    """Make a folder and the missing ones above it, all private; one that is there stays as it is.

    Raises:
        OSError: It cannot be made, or something else has its name.
    """
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        missing.mkdir(mode=FOLDER_MODE, exist_ok=True)
    if not folder.is_dir():
        raise NotADirectoryError(20, "Not a directory", str(folder))


def tighten(path: Path) -> None:
    """Make one file or folder private; what is not ours to change, or gone, is left alone with a word in the log."""
    if os.name == "nt":
        return
    try:
        there = path.lstat()
        if stat.S_ISLNK(there.st_mode):
            return  # what it leads to may be anybody's
        mode = FOLDER_MODE if stat.S_ISDIR(there.st_mode) else FILE_MODE
        if stat.S_IMODE(there.st_mode) & 0o077:
            path.chmod(mode)
    except FileNotFoundError:
        return
    except OSError as error:
        _log.warning("%s may be read by others on this machine: %s", path, error.strerror)


def tighten_all(folder: Path) -> None:
    """Make a folder private, and everything in it."""
    if os.name == "nt":
        return
    tighten(folder)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            tighten(Path(parent, name))


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file in one step, private, and on disk when this returns.

    Raises:
        OSError: The disk is full or gone; the old file stays.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        with open(new, "wb", opener=opener) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _replace(new, path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def _replace(new: Path, path: Path) -> None:
    """Windows refuses while somebody reads the old file, which takes a moment."""
    for _ in range(20):
        try:
            new.replace(path)
        except PermissionError:
            time.sleep(0.02)
        else:
            return
    new.replace(path)

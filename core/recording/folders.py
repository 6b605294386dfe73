"""Where recordings lie: a folder a guild, a channel, a start; made, measured and cleared."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from core import private
from core.errors import RecordingError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

_UNMAKEABLE = "The folder for recordings cannot be written ({reason}). [recording] folder says where it is."
_FULL = "There is too little room on the disk to record: {free:.0f} MB are left, and {least:.0f} MB must stay free."


def make_folder(root: Path, guild_id: int, channel_id: int, started_at: datetime, least_free_mb: float) -> Path:
    """Make the folder of a new recording, named by its start in local time.

    Raises:
        RecordingError: It cannot be made or written, or the disk is too full.
    """
    parent = root / str(guild_id) / str(channel_id)
    stamp = f"{started_at.astimezone():%Y-%m-%d_%H-%M-%S}"
    try:
        private.make_folder(parent)
        for number in range(1, 1000):
            folder = parent / (stamp if number == 1 else f"{stamp}_{number}")
            try:
                folder.mkdir(mode=private.FOLDER_MODE)
                break
            except FileExistsError:
                continue
        else:
            raise RecordingError(f"There are too many recordings that began at {stamp}.")
        probe = folder / ".probe"
        probe.write_bytes(b"\0" * 4096)
        probe.unlink()
        free_mb = shutil.disk_usage(folder).free / 1e6
    except OSError as error:
        raise RecordingError(_UNMAKEABLE.format(reason=error.strerror or "path too long")) from error
    if free_mb < least_free_mb:
        folder.rmdir()
        raise RecordingError(_FULL.format(free=free_mb, least=least_free_mb))
    return folder


def delete_folder(folder: Path, root: Path) -> None:
    """Delete a recording's folder, and its parents below `root` if nothing else is in them.

    Raises:
        OSError: It cannot be deleted whole.
    """
    if folder.exists():
        shutil.rmtree(folder)
    parent = folder.parent
    while parent != root and root in parent.parents and parent.is_dir() and not any(parent.iterdir()):
        parent.rmdir()
        parent = parent.parent


def folder_size(folder: Path) -> int:
    """Bytes of all files in a recording's folder; holes in files count as if they were full."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def clear_scratch(folder: Path, older_than_s: float = 0.0) -> None:
    """Delete what a process that died was about to put in the place of a file.

    Args:
        folder: A recording that nobody writes to, unless `older_than_s` is given.
        older_than_s: What is younger is left alone: somebody may be writing it.

    Raises:
        OSError: Something cannot be deleted.
    """
    for path in [*folder.glob(".*.new"), *folder.glob(".packing_*")]:
        if not (path.is_symlink() or path.is_file()):
            continue
        try:
            if not older_than_s or time.time() - path.lstat().st_mtime > older_than_s:
                path.unlink(missing_ok=True)
        except FileNotFoundError:  # it is in its place now
            continue

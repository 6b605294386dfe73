"""Where recordings lie: a folder a guild, a channel, a start; made, measured, cleared and packed."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core import private
from core.errors import RecordingError
from core.recording.encode import Quality, encode_file
from core.recording.metadata import FILE, read_metadata

if TYPE_CHECKING:
    from datetime import datetime

_UNMAKEABLE = "The folder for recordings cannot be written ({reason}). [recording] folder says where it is."
_FULL = "There is too little room on the disk to record: {free:.0f} MB are left, and {least:.0f} MB must stay free."
_COMPRESSED = (".ogg", ".flac", ".mp3", ".png", ".zip")


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


@dataclass(frozen=True, slots=True)
class PackJob:
    """What to put into one archive."""

    folder: str
    target: str
    quality: Quality | None = None  # None packs the files as they are
    user_id: int | None = None  # one person's track alone


def pack(job: PackJob) -> int:
    """Zip a recording's finished files, in another quality if wanted; gives the archive's size. For workers.

    Raises:
        RecordingError: The recording is not finished or the person not on it.
        OSError: Something cannot be read or written.
    """
    folder, target = Path(job.folder), Path(job.target)
    metadata = read_metadata(folder)
    tracks = [person.track for person in metadata.people if job.user_id in (None, int(person.id))]
    files = [name for name in (*tracks, metadata.files.session if job.user_id is None else None) if name is not None]
    if not files:
        raise RecordingError("There is nothing finished to hand out in that recording.")
    private.make_folder(target.parent)
    work = target.with_name(f".{target.name}.new")
    try:
        with zipfile.ZipFile(work, "w", zipfile.ZIP_STORED) as archive:
            for name in files:
                _add(archive, folder, name, job.quality, target.parent)
            if job.user_id is None:
                for name in (FILE, metadata.files.timeline, *(each.file for each in metadata.transcripts)):
                    if name is not None and (folder / name).exists():
                        archive.write(folder / name, name)
        private.tighten(work)
        work.replace(target)
    finally:
        work.unlink(missing_ok=True)
    return target.stat().st_size


def _add(archive: zipfile.ZipFile, folder: Path, name: str, quality: Quality | None, scratch: Path) -> None:
    source = folder / name
    if quality is None:
        # silence deflates to nothing; what is compressed already is stored
        method = zipfile.ZIP_STORED if source.suffix in _COMPRESSED else zipfile.ZIP_DEFLATED
        archive.write(source, name, compress_type=method, compresslevel=1)
        return
    encoded = scratch / f".packing_{source.stem}.{quality.format}"
    try:
        encode_file(str(source), str(encoded), quality)
        archive.write(encoded, f"{source.stem}.{quality.format}")
    finally:
        encoded.unlink(missing_ok=True)

"""What goes into an archive of a recording, and the archive itself. `pack` is for workers."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.audio.encode import require
from core.errors import RecordingError
from core.private import FILE_MODE
from core.recording.files import file_in
from core.recording.metadata import FILE, read_metadata

if TYPE_CHECKING:
    from core.audio.encode import Quality

NOTHING = "There is nothing finished to hand out in that recording."
NOT_THERE = "That person is not on that recording, or nothing was heard of them."
_COMPRESSED = (".ogg", ".flac", ".mp3", ".png", ".zip")  # deflating them is a waste
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Part:
    """One file of an archive."""

    source: str
    name: str  # in the archive
    size: int
    encoded: bool = False  # it becomes another format first

    def at(self, source: Path) -> Part:
        """The same, made of another file."""
        return replace(self, source=str(source), encoded=False)


@dataclass(frozen=True, slots=True)
class PackJob:
    """What to put into which archive, and the file that says that somebody still waits for it."""

    parts: tuple[Part, ...]
    target: str
    while_exists: str = ""


def plan(folder: Path, quality: Quality | None, user_id: int | None) -> list[Part]:
    """What an archive of a finished recording holds, of everybody or of one person.

    Raises:
        RecordingError: There is nothing, or the person is not on it.
    """
    metadata = read_metadata(folder)
    tracks = [person.track for person in metadata.people if user_id in (None, int(person.id))]
    sounds = [*tracks, metadata.files.session if user_id is None else None]
    parts: list[Part] = []
    for name in sounds:
        source = None if name is None else file_in(folder, name)
        if source is not None and quality is None:
            parts.append(Part(str(source), source.name, source.stat().st_size))
        elif source is not None and quality is not None:
            parts.append(Part(str(source), f"{source.stem}.{quality.format}", source.stat().st_size, encoded=True))
    if not parts:
        raise RecordingError(NOTHING if user_id is None else NOT_THERE)
    if user_id is None:
        others = (FILE, metadata.files.timeline, *(each.file for each in metadata.transcripts))
        found = [file_in(folder, name) for name in others if name is not None]
        parts += [Part(str(path), path.name, path.stat().st_size) for path in found if path is not None]
    return parts


def pack(job: PackJob) -> int:
    """Zip files; gives the archive's size.

    Raises:
        RecordingError: It was given up.
        OSError: Something cannot be read or written.
    """
    target = Path(job.target)
    target.touch(FILE_MODE)
    with zipfile.ZipFile(target, "w") as archive:
        for part in job.parts:
            source = Path(part.source)
            about = zipfile.ZipInfo.from_file(source, part.name, strict_timestamps=False)
            # silence deflates to nothing; what is compressed already is stored
            about.compress_type = zipfile.ZIP_STORED if source.suffix in _COMPRESSED else zipfile.ZIP_DEFLATED
            about._compresslevel = 1  # type: ignore[attr-defined]
            with source.open("rb") as file, archive.open(about, "w", force_zip64=True) as out:
                while block := file.read(_BLOCK):
                    require(job.while_exists)
                    out.write(block)
    return target.stat().st_size

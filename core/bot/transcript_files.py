"""A recording's transcripts in its folder: one of each person, from which that of everybody and all formats are made. Blocks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

from core import __version__
from core.errors import HearingError
from core.hearing.transcripts.document import (
    Transcript,
    WrittenBy,
    clean_names,
    merge,
    read_transcript,
    write_transcript,
)
from core.hearing.transcripts.faces import FACES
from core.private import write_atomically
from core.recording.files import file_in
from core.recording.metadata import TranscriptFile, read_metadata, write_metadata

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from core.hearing.transcripts.faces import Face
    from core.recording.metadata import Metadata, RecordedPerson

_log = logging.getLogger(__name__)

WHOLE = "transcript"  # what everybody's files are called, before the dot
MINUTES = ("minutes.json", "minutes.md")
MARK = ".transcribe"  # there while a transcript is wanted and not finished: a next start goes on with it
DOCUMENT = "json"


def mark(folder: Path, *, wanted: bool) -> None:
    """Note that a transcript is wanted, or not any more."""
    if wanted:
        write_atomically(folder / MARK, b"")
    else:
        (folder / MARK).unlink(missing_ok=True)


def stem_of(person: RecordedPerson) -> str:
    """What a person's files are called, before the dot."""
    name = person.journal or person.track or person.id
    return name.rpartition(".")[0] or name


def part_of(folder: Path, user_id: str) -> Path:
    """Where a transcript of a person lies while it is made; goes with their other files."""
    return folder / f".{user_id}_transcript.part"


def load(folder: Path, person: RecordedPerson, recording_id: str, settings: str | None = None) -> Transcript | None:
    """What there is of a person's transcript, finished or not; None if it is of other settings, or none of ours."""
    path = file_in(folder, f"{stem_of(person)}.{DOCUMENT}")
    for each in (part_of(folder, person.id), path):
        if each is None or not each.is_file():
            continue
        try:
            found = read_transcript(each)
        except HearingError as error:
            _log.warning("a transcript is made anew: %s", error.sentence)
            continue
        theirs = all(speaker.user_id == person.id for speaker in found.speakers)
        if found.recording == recording_id and theirs and settings in (None, found.recogniser.settings):
            return found
    return None


def keep(folder: Path, user_id: str, transcript: Transcript) -> None:
    """Keep what there is of a transcript, to go on with it."""
    write_transcript(part_of(folder, user_id), transcript)


def as_text(transcript: Transcript, format: Face | Literal["json"]) -> str:
    """A transcript as the text of a file."""
    return transcript.model_dump_json(indent=1) if format == "json" else FACES[format](transcript)


def finish(folder: Path, person: RecordedPerson, transcript: Transcript) -> None:
    """Write a person's finished document; nothing if they said nothing."""
    if transcript.segments:
        write_transcript(folder / f"{stem_of(person)}.{DOCUMENT}", transcript)
    part_of(folder, person.id).unlink(missing_ok=True)


def assemble(folder: Path) -> Transcript | None:
    """Make everybody's transcript and all formats of what is there of each person, called as the metadata calls them.

    Returns:
        Everybody's transcript; None if nobody said anything.

    Raises:
        RecordingError: The metadata cannot be read.
        OSError: Something cannot be written.
    """
    metadata = read_metadata(folder)
    before = {each.file for each in metadata.transcripts if each.file not in MINUTES}
    kept = [each for each in metadata.transcripts if each.file in MINUTES]
    listed: list[TranscriptFile] = []
    parts: list[Transcript] = []
    for person in metadata.people:
        found = load(folder, person, metadata.id)
        if found is None or not found.segments:
            continue
        found.call(person.id, person.name)
        parts.append(found)
        listed += _write(folder, stem_of(person), found, person.id)
    whole = merge(metadata.id, parts, WrittenBy(version=__version__)) if parts else None
    if whole is not None:
        listed = _write(folder, WHOLE, whole, None) + listed
    for name in before - {each.file for each in listed}:
        (folder / name).unlink(missing_ok=True)
    if metadata.transcripts != listed + kept:
        metadata.transcripts = listed + kept
        write_metadata(folder, metadata)
    return whole


def _write(folder: Path, stem: str, transcript: Transcript, user_id: str | None) -> list[TranscriptFile]:
    write_transcript(folder / f"{stem}.{DOCUMENT}", transcript)
    listed = [TranscriptFile(file=f"{stem}.{DOCUMENT}", user_id=user_id, format=DOCUMENT, language=transcript.language)]
    for face, write in FACES.items():
        write_atomically(folder / f"{stem}.{face}", write(transcript).encode())
        listed.append(TranscriptFile(file=f"{stem}.{face}", user_id=user_id, format=face, language=transcript.language))
    return listed


def find(folder: Path, metadata: Metadata, format: str, user_id: int | None) -> Path | None:
    """A transcript's file that the metadata lists."""
    wanted = None if user_id is None else str(user_id)
    for each in metadata.transcripts:
        if each.format == format and each.user_id == wanted and each.file not in MINUTES:
            return file_in(folder, each.file)
    return None


def take_out(folder: Path, user_id: int, clean: Callable[[str], str] | None = None) -> bool:
    """Delete what a person said from all transcripts of a folder, and the minutes, which may rest on it.

    Args:
        folder: The recording.
        user_id: The person.
        clean: Takes their names out of what others said.

    Returns:
        Whether there was something.

    Raises:
        RecordingError: The metadata cannot be read; the person's own transcripts are deleted all the same.
        OSError: Something cannot be deleted or written.
    """
    own = [path for path in folder.glob(f"{user_id}*") if _is_theirs(path, user_id)]
    found = bool(own) or part_of(folder, str(user_id)).exists()
    for path in (*own, part_of(folder, str(user_id))):
        path.unlink(missing_ok=True)
    metadata = read_metadata(folder)
    if clean is not None:
        for person in metadata.people:
            there = load(folder, person, metadata.id)
            if there is not None and clean_names(there, clean):
                found = True
                finished = there.state == "finished"
                path = folder / f"{stem_of(person)}.{DOCUMENT}" if finished else part_of(folder, person.id)
                write_transcript(path, there)
    if not found:
        return False
    forget_minutes(folder)
    for each in (DOCUMENT, *FACES):
        (folder / f"{WHOLE}.{each}").unlink(missing_ok=True)
    assemble(folder)
    return True


def forget_minutes(folder: Path) -> None:
    """Delete the minutes of a recording; they can be made again."""
    for name in MINUTES:
        (folder / name).unlink(missing_ok=True)
    metadata = read_metadata(folder)
    kept = [each for each in metadata.transcripts if each.file not in MINUTES]
    if kept != metadata.transcripts:
        metadata.transcripts = kept
        write_metadata(folder, metadata)


def list_minutes(folder: Path) -> None:
    """Name the minutes in the metadata."""
    metadata = read_metadata(folder)
    kept = [each for each in metadata.transcripts if each.file not in MINUTES]
    metadata.transcripts = kept + [
        TranscriptFile(file=name, format=f"minutes.{name.rpartition('.')[2]}") for name in MINUTES
    ]
    write_metadata(folder, metadata)


def _is_theirs(path: Path, user_id: int) -> bool:
    """Whether a file is a transcript of a person: their sound is another's to delete."""
    stem, _, ending = path.name.rpartition(".")
    return ending in (DOCUMENT, *FACES) and (stem == str(user_id) or stem.startswith(f"{user_id}_"))

"""One person over finished recordings: their data taken out everywhere, or handed to them."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

from core.recording.metadata import read_metadata, write_metadata

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from core.recording.metadata import Metadata

_ABOUT = """This is everything that was recorded of you. Each folder is one recording: your track as it arrived (Ogg Opus,
playable by anything; silence keeps it in time with the others) and what the recording's metadata says about you.
"""


def take_person_out(folder: Path, user_id: int) -> None:
    """Delete a person's journal, transcripts and notes, and every mention of them in the metadata.

    What is left to do is to render the folder anew: mix, utterances and picture still hold them.

    Raises:
        RecordingError: The metadata cannot be read.
        OSError: Something cannot be deleted.
    """
    key = str(user_id)
    metadata = read_metadata(folder)
    for path in [*folder.glob(f"{key}_*"), *folder.glob(f"{key}.*")]:
        path.unlink(missing_ok=True)
    for transcript in [each for each in metadata.transcripts if each.user_id in (key, None)]:
        (folder / transcript.file).unlink(missing_ok=True)  # those of the whole recording hold their words too
        metadata.transcripts.remove(transcript)
    metadata.state = "rendering"
    metadata.people = [person for person in metadata.people if person.id != key]
    metadata.segments = [segment for segment in metadata.segments if segment.user_id != key]
    metadata.notes = [note for note in metadata.notes if note.by is None or note.by.id != key]
    if metadata.started_by is not None and metadata.started_by.id == key:
        metadata.started_by = None
    write_metadata(folder, metadata)


def export_person(user_id: int, folders: Sequence[tuple[str, Path]], target: Path) -> int:
    """Zip what recordings hold of a person.

    Args:
        user_id: The person.
        folders: Their recordings, each with the name its folder gets in the archive.
        target: The archive; replaced whole.

    Returns:
        How many recordings are in it.

    Raises:
        OSError: Something cannot be read or written.
        RecordingError: A recording's metadata cannot be read.
    """
    work = target.with_name(f".{target.name}.new")
    count = 0
    try:
        with zipfile.ZipFile(work, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("README.txt", _ABOUT)
            for name, folder in folders:
                metadata = read_metadata(folder)
                person = metadata.person(user_id)
                if person is None:
                    continue
                count += 1
                archive.writestr(f"{name}/metadata.json", json.dumps(_excerpt(metadata, str(user_id)), indent=2))
                files = [person.journal, *(each.file for each in metadata.transcripts if each.user_id == person.id)]
                for file in files:
                    if file is not None and (folder / file).exists():
                        archive.write(folder / file, f"{name}/{file}")
        work.replace(target)
    finally:
        work.unlink(missing_ok=True)
    return count


def _excerpt(metadata: Metadata, key: str) -> dict[str, object]:
    """What the metadata says about one person, and nothing about others."""
    whole = metadata.model_dump(mode="json")
    kept = ("id", "guild", "channel", "started_at", "ended_at", "duration_s", "consent", "encryption", "software")
    excerpt: dict[str, object] = {name: whole[name] for name in kept}
    excerpt["you"] = next(person for person in whole["people"] if person["id"] == key)
    excerpt["segments"] = [segment for segment in whole["segments"] if segment["user_id"] == key]
    excerpt["notes"] = [note for note in whole["notes"] if note["by"] is not None and note["by"]["id"] == key]
    return excerpt

"""One person over finished recordings: their data taken out everywhere, or handed to them."""

from __future__ import annotations

import json
import re
import zipfile
from typing import TYPE_CHECKING, Literal

from core import private
from core.errors import RecordingError
from core.privacy.mentions import cleaner
from core.recording.files import file_in
from core.recording.finishing import SEGMENTS, clear_rendered
from core.recording.metadata import FILE, PAUSED_BY, STOPPED_BY, read_metadata, write_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from core.recording.metadata import Metadata

Found = Literal["heard", "mentioned", "nothing"]

_ABOUT = """This is everything that is kept of you. Each folder is one recording: your track as it arrived (Ogg Opus,
playable by anything; silence keeps it in time with the others) and what the recording's metadata says about you.
The other files are what I remember of you beside that: conversations.json what you wrote to me and what I answered,
voice.json how you wanted to be read aloud.
"""


def take_person_out(folder: Path, user_id: int, names: Iterable[str] = ()) -> Found:
    """Delete a person's files and whatever holds their sound, then every mention of them in the metadata.

    If they were on it, what is left to do is to render the folder anew: mix, utterances and picture are gone.

    Args:
        folder: A recording whose journals are closed.
        user_id: The person.
        names: What they are called, beside what the metadata calls them.

    Raises:
        RecordingError: The metadata cannot be read; their files are deleted all the same.
        OSError: Something cannot be deleted.
    """
    heard = False
    for path in files_of(folder, user_id):
        path.unlink(missing_ok=True)
        heard = True
    try:
        metadata = read_metadata(folder)
    except RecordingError:
        clear_rendered(folder)  # nobody can say any more who is on the mix
        raise
    key = str(user_id)
    heard = heard or metadata.person(user_id) is not None or any(each.user_id == key for each in metadata.segments)
    before = metadata.model_dump_json()
    if heard:
        clear_rendered(folder)
        for transcript in [each for each in metadata.transcripts if each.user_id in (key, None)]:
            (folder / transcript.file).unlink(missing_ok=True)  # those of the whole recording hold their words too
            metadata.transcripts.remove(transcript)
        metadata.people = [person for person in metadata.people if person.id != key]
        metadata.segments = [segment for segment in metadata.segments if segment.user_id != key]
        metadata.state = "rendering"
    strip(metadata, user_id, names)
    if metadata.model_dump_json() == before and not heard:
        return "nothing"
    write_metadata(folder, metadata)
    return "heard" if heard else "mentioned"


def files_of(folder: Path, user_id: int) -> list[Path]:
    """A person's files in a recording: journal, track, utterances, transcripts, and what is half written of those."""
    named = re.compile(rf"\.?{user_id}(?:[_.].*)?")
    cut = re.compile(rf"\.?\d+_{user_id}(?:[_.].*)?")
    found = [path for path in folder.iterdir() if named.fullmatch(path.name) and path.is_file()]
    return found + [path for path in (folder / SEGMENTS).glob("*") if cut.fullmatch(path.name)]


def strip(metadata: Metadata, user_id: int, names: Iterable[str] = ()) -> None:
    """Take what a person did and wrote out of the metadata, and their name and id out of what others wrote."""
    key = str(user_id)
    hands = [metadata.started_by, metadata.ended_by, *(gap.by for gap in metadata.gaps)]
    named = [*metadata.people, *(note.by for note in metadata.notes), *hands]
    clean = cleaner(user_id, {*names, *(each.name for each in named if each is not None and each.id == key)})
    metadata.gaps = [gap for gap in metadata.gaps if gap.user_id != key]
    metadata.notes = [note for note in metadata.notes if note.by is None or note.by.id != key]
    for note in metadata.notes:
        note.text = clean(note.text)
    if metadata.reason is not None:
        metadata.reason = clean(metadata.reason)
    if metadata.started_by is not None and metadata.started_by.id == key:
        metadata.started_by = None
    if metadata.ended_by is not None and metadata.ended_by.id == key:
        metadata.ended_by = None
    for gap in metadata.gaps:
        gap.reason = clean(gap.reason)
        if gap.by is not None and gap.by.id == key:
            gap.by = None


def folders_with(root: Path, user_id: int, names: Iterable[str] = ()) -> list[Path]:
    """Folders of recordings that hold a person: by their files, or by their metadata; finished, unfinished or unknown.

    Recordings that somebody only stopped or paused are found by the sentence that says so.
    """
    sentences = [words.format(name=name) for name in names for words in (STOPPED_BY, PAUSED_BY)]
    marks = [json.dumps(str(user_id)).encode(), *(json.dumps(each, ensure_ascii=False).encode() for each in sentences)]
    found: list[Path] = []
    for folder in sorted(path for path in root.glob("[0-9]*/[0-9]*/*") if path.is_dir()):
        try:
            if files_of(folder, user_id) or _holds(folder / FILE, marks):
                found.append(folder)
        except FileNotFoundError:  # deleted meanwhile
            continue
    return found


def is_on(folder: Path, user_id: int) -> bool:
    """Whether a person is on a recording: there are files of theirs, or the metadata has them among the people."""
    try:
        return bool(files_of(folder, user_id)) or read_metadata(folder).person(user_id) is not None
    except (RecordingError, FileNotFoundError):
        return False


def _holds(file: Path, marks: Sequence[bytes]) -> bool:
    data = file.read_bytes() if file.exists() else b""
    return any(mark in data for mark in marks)


def export_person(
    user_id: int, folders: Sequence[tuple[str, Path]], target: Path, extra: Mapping[str, bytes] | None = None
) -> int:
    """Zip what recordings hold of a person.

    Args:
        user_id: The person.
        folders: Their recordings, each with the name its folder gets in the archive.
        target: The archive; replaced whole.
        extra: Files that go into it as well, by name.

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
            private.tighten(work)
            archive.writestr("README.txt", _ABOUT)
            for name, data in (extra or {}).items():
                archive.writestr(name, data)
            for name, folder in folders:
                metadata = read_metadata(folder)
                person = metadata.person(user_id)
                excerpt = _excerpt(metadata, str(user_id))
                if person is None and not (excerpt["notes"] or excerpt["done"]):
                    continue
                count += 1
                archive.writestr(f"{name}/metadata.json", json.dumps(excerpt, indent=2))
                journal = None if person is None else person.journal
                files = [journal, *(each.file for each in metadata.transcripts if each.user_id == str(user_id))]
                for file in files:
                    path = None if file is None else file_in(folder, file)
                    if path is not None:
                        archive.write(path, f"{name}/{file}")
        work.replace(target)
    finally:
        work.unlink(missing_ok=True)
    return count


def _excerpt(metadata: Metadata, key: str) -> dict[str, object]:
    """What the metadata says about one person, and nothing about others."""
    whole = metadata.model_dump(mode="json")
    kept = ("id", "guild", "channel", "started_at", "ended_at", "duration_s", "consent", "encryption", "software")
    excerpt: dict[str, object] = {name: whole[name] for name in kept}
    excerpt["you"] = next((person for person in whole["people"] if person["id"] == key), None)
    hands = {"started": whole["started_by"], "ended": whole["ended_by"]}
    hands |= {f"paused at {gap['start_s']} s": gap["by"] for gap in whole["gaps"]}
    excerpt["done"] = [what for what, by in hands.items() if by is not None and by["id"] == key]
    excerpt["segments"] = [segment for segment in whole["segments"] if segment["user_id"] == key]
    excerpt["notes"] = [note for note in whole["notes"] if note["by"] is not None and note["by"]["id"] == key]
    excerpt["gaps"] = [gap for gap in whole["gaps"] if gap["user_id"] == key]
    return excerpt

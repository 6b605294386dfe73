"""What people said leaves with them: deleted or refused, no byte of a transcript, index or minutes holds it."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from core.audio.encode import Quality, encode_file
from core.bot import transcript_files as files
from core.recording.metadata import read_metadata, write_metadata
from tests.core.bot.test_transcripts import ADA, BO, FRIDAY, Library, library
from tests.core.recording.test_service import eventually

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["library"]

SECRET = "My xylophone lesson costs forty."
ABOUT_HER = "Zebedee plays it badly, I think."


def traces(folder: Path, *marks: bytes) -> dict[str, list[bytes]]:
    """Files with one of these in their bytes or name."""
    found: dict[str, list[bytes]] = {}
    for path in sorted(folder.rglob("*")):
        data = path.name.encode() + (path.read_bytes() if path.is_file() else b"")
        there = [mark for mark in marks if mark in data]
        if there:
            found[path.relative_to(folder).as_posix()] = there
    return found


async def transcribed(library: Library) -> Path:
    """A recording of Ada and Bo with transcripts of both, minutes, and rows in the database."""
    folder = library.lay(ada=(2.0, FRIDAY), bo=(25.4, FRIDAY))
    metadata = read_metadata(folder)
    for person in metadata.people:  # what tracks are made from again
        person.journal = f"{str(person.track).removesuffix('.wav')}.ogg"
        quality = Quality("ogg", 48_000, 2, 64)
        await asyncio.to_thread(encode_file, str(folder / str(person.track)), str(folder / person.journal), quality)
    write_metadata(folder, metadata)
    await library.begin(SECRET, ABOUT_HER)
    await library.transcribed()
    point = {"kind": "topic", "text": "xylophone", "at_s": 2.0, "speaker": str(ADA), "quote": SECRET}
    (folder / files.MINUTES[0]).write_text(json.dumps({"recording": "r1", "points": [point]}))
    (folder / files.MINUTES[1]).write_text(f"- {SECRET}")
    files.list_minutes(folder)
    assert len(traces(library.root.parent, b"xylophone", b"Zebedee")) > 8
    return folder


async def test_after_a_deletion_no_byte_holds_what_they_said_or_their_name(library: Library) -> None:
    folder = await transcribed(library)
    deletion = await library.privacy.delete_person(ADA, {"Zebedee"})
    assert deletion.failed == ()
    await library.transcripts.wait("r1")
    await eventually(lambda: (folder / "transcript.json").exists())
    await library.transcripts.wait("r1")
    assert traces(library.root.parent, b"xylophone", b"Zebedee", str(ADA).encode()) == {}
    assert [each.text for each in (await library.transcripts.document("r1")).segments] == [
        ABOUT_HER.replace("Zebedee", "somebody")
    ]
    assert await library.found("somebody") != []
    assert {each.user_id for each in read_metadata(folder).transcripts} == {None, str(BO)}


@pytest.mark.parametrize("kind", ["heard", "recorded"])
async def test_after_a_refusal_no_byte_holds_what_they_said(library: Library, kind: Any) -> None:
    await transcribed(library)
    settled = await library.privacy.decide(ADA, "out", [kind])
    assert settled.failed == ()
    await library.store.scrub()
    assert traces(library.root.parent, b"xylophone") == {}


async def test_what_a_process_that_died_left_half_made_goes_as_well(library: Library) -> None:
    folder = await transcribed(library)
    document = (folder / f"{ADA}_Zebedee.json").read_bytes()
    files.part_of(folder, str(ADA)).write_bytes(document)
    await library.privacy.decide(ADA, "out", ["heard"])
    assert not files.part_of(folder, str(ADA)).exists()


async def test_what_one_said_is_handed_to_them_and_nobody_elses_words(library: Library) -> None:
    await transcribed(library)
    given = await library.privacy.export_person(ADA)
    assert SECRET in given["said.json"].decode()
    assert ABOUT_HER.encode() not in given["said.json"]
    assert any("text of 1 things" in line for line in await library.privacy.describe_person(ADA))


async def test_with_a_recording_its_words_go_from_every_byte(library: Library) -> None:
    await transcribed(library)
    await library.service.archive.delete("r1")
    assert await library.transcripts.repository.of_recording("r1") == []
    assert traces(library.root.parent, b"xylophone", b"Zebedee") == {}


async def test_a_recording_that_is_too_old_goes_with_every_byte_of_its_words(library: Library) -> None:
    folder = await transcribed(library)
    library.clock.at_s += 3 * 24 * 3600.0
    await library.service.archive._delete_older(timedelta(days=2))
    assert not folder.exists()
    assert traces(library.root.parent, b"xylophone", b"Zebedee") == {}


async def test_words_of_other_recordings_are_found_after_one_is_deleted(library: Library) -> None:
    library.lay("r2", bo=(2.0, FRIDAY))
    await transcribed(library)
    library.recogniser.lines = [FRIDAY]
    await library.transcribed("r2")
    await library.service.archive.delete("r1")
    assert await library.found("friday") == [FRIDAY]
    assert await library.found("xylophone") == []

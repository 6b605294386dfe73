"""The promise: whatever a recording's metadata says, only plain files of its own folder are read, sent or deleted."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RecordingError
from core.recording.files import file_in, segment_name
from core.recording.metadata import FILE, read_metadata
from tests.attacks.brought_in import bring_in, unzipped
from tests.attacks.house import Archives

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SECRET = b"DISCORD_TOKEN=secret"
OUTSIDE = (
    "../../.env",
    "..",
    ".",
    "",
    "a/b.wav",
    "/etc/passwd",
    "..\\..\\.env",
    "C:\\secret.txt",
    "C:secret.txt",
    "\\\\server\\share\\x",
    "session.wav:stream",
    "CON",
    "nul.wav",
    "x\x00.wav",
    "x\n.wav",
    ".env",
    "trailing.",
    "trailing ",
    "x" * 300,
    "segments/../session.wav",
)


@pytest.fixture
async def archives(tmp_path: Path) -> AsyncIterator[Archives]:
    async with Archives(tmp_path) as archives:
        yield archives


def change(folder: Path, *path: str | int, to: Any) -> None:
    """Put something else into the metadata, as who brings a folder in may."""
    found = json.loads((folder / FILE).read_text())
    place = found
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    (folder / FILE).write_text(json.dumps(found))


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize(
    "place", [("files", "session"), ("files", "timeline"), ("people", 0, "track"), ("people", 0, "journal")]
)
def test_a_name_that_leads_out_of_the_folder_is_refused_when_it_is_read(tmp_path: Path, name: str, place: Any) -> None:
    folder = bring_in(tmp_path, "aaaa", duration_s=0.1)
    change(folder, *place, to=name)
    with pytest.raises(RecordingError, match="damaged") as refused:
        read_metadata(folder)
    assert place[-1] in refused.value.sentence
    assert name not in refused.value.sentence or len(name) < 3


@pytest.mark.parametrize("name", OUTSIDE)
async def test_a_transcript_that_lies_elsewhere_is_neither_sent_nor_deleted(archives: Archives, name: str) -> None:
    folder = bring_in(archives.root, "aaaa", duration_s=0.1)
    service = await archives.open()
    outside = [folder.parent.parent / ".env", folder.parent / ".env", archives.folder / "secret.txt"]
    for path in outside:
        path.write_bytes(SECRET)
    change(folder, "transcripts", to=[{"file": name, "user_id": "11", "format": "txt"}])
    for ask in (service.archive.pack("aaaa"), service.export_person(11)):
        with pytest.raises(RecordingError):
            await ask
    with pytest.raises(RecordingError):
        await service.delete_person(11)
    assert all(path.read_bytes() == SECRET for path in outside)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize("name", ["session.wav", "11_person11.wav", "11_person11.ogg", "session.mp3"])
async def test_links_are_not_followed(archives: Archives, name: str) -> None:
    folder = bring_in(archives.root, "aaaa", tones_hz={11: 440.0, 12: 500.0}, duration_s=0.1)
    secret = archives.folder / "secret.txt"
    secret.write_bytes(SECRET)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(secret)
    if name == "session.mp3":
        change(folder, "files", "session", to=name)
    service = await archives.open()
    async with service.archive.export("aaaa") as export:
        assert SECRET not in unzipped(export.path.read_bytes()).values()
    async with service.exported_person(11) as mine:
        assert SECRET not in unzipped(mine.path.read_bytes()).values()
    await service.archive.delete("aaaa")
    assert secret.read_bytes() == SECRET


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
async def test_a_folder_behind_a_link_is_not_taken_in(archives: Archives) -> None:
    elsewhere = bring_in(archives.folder / "elsewhere", "aaaa", duration_s=0.1)
    (archives.root / "1" / "2").mkdir(parents=True)
    (archives.root / "1" / "2" / "linked").symlink_to(elsewhere)
    service = await archives.open()
    assert service.archive.records(1) == []


async def test_a_folder_that_takes_the_id_of_another_recording_is_left_alone(archives: Archives) -> None:
    bring_in(archives.root, "aaaa", guild_id=1, duration_s=0.1)
    bring_in(archives.root, "aaaa", guild_id=2, duration_s=0.1, day=1)
    service = await archives.open()
    assert [record.id for record in service.archive.records(1)] == ["aaaa"]
    assert service.archive.records(2) == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("id",), "../../x"),
        (("id",), "x" * 5000),
        (("guild", "id"), "9" * 5000),
        (("guild", "id"), "99999999999999999999"),
        (("channel", "id"), "-1"),
        (("people", 0, "id"), "٣"),
        (("duration_s",), 1e300),
        (("duration_s",), "long"),
        (("started_at",), "2026-11-06T20:00:00"),
        (("started_at",), 10**30),
        (("people",), {"a": 1}),
        (("files",), [1]),
        (("audio", "format"), "exe"),
        (("evil`@everyone`",), 1),
    ],
)
async def test_odd_types_and_huge_values_keep_nobody_from_starting(archives: Archives, place: Any, value: Any) -> None:
    folder = bring_in(archives.root, "aaaa", duration_s=0.1)
    bring_in(archives.root, "bbbb", duration_s=0.1, day=1)
    change(folder, *place, to=value)
    with pytest.raises(RecordingError, match="damaged") as refused:
        read_metadata(folder)
    assert "everyone" not in refused.value.sentence
    service = await archives.open()
    assert [record.id for record in service.archive.records(1)] == ["bbbb"]


def test_a_file_of_gigabytes_that_calls_itself_metadata_is_not_read(tmp_path: Path) -> None:
    folder = bring_in(tmp_path, "aaaa", duration_s=0.1)
    with (folder / FILE).open("r+b") as file:
        file.truncate(5_000_000_000)
    with pytest.raises(RecordingError, match="cannot be read"):
        read_metadata(folder)


@given(st.text(max_size=40))
def test_what_passes_for_a_name_stays_within_the_folder_on_every_system(name: str) -> None:
    try:
        segment_name(name)
    except ValueError:
        return
    parts = name.replace("\\", "/").split("/")
    assert len(parts) == 1 or (len(parts) == 2 and parts[0] == "segments")
    assert not {"", ".", ".."} & set(parts)
    assert ":" not in name


def test_a_name_is_found_only_where_it_is_a_plain_file(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"1")
    (tmp_path / "b.wav").mkdir()
    assert file_in(tmp_path, "a.wav") == tmp_path / "a.wav"
    assert file_in(tmp_path, "b.wav") is None
    assert file_in(tmp_path, "c.wav") is None

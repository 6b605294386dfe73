"""Whatever one person is called or sends, everybody else is recorded as if they were not there."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from core.audio.frames import OpusFrame
from core.recording.finishing import settle_metadata
from core.recording.journal import JournalReader
from core.recording.metadata import Named, Note, read_metadata
from core.recording.names import MAX_SHOWN
from core.recording.recorder import DISK_GONE
from core.recording.rights import RecordingConsent
from tests.core.recording.opus_rules import complaints
from tests.core.recording.people import START, FakeClock, Speaker, feed, metadata, new_recorder, together, tone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any, BinaryIO

ANA, BO = 1, 2

NAMES = {
    "half a character": "Ada\ud83d",
    "nothing but half a character": "\udc00",
    "a character of nothing": "A\0B",
    "a path": "../../etc/passwd",
    "a path of Windows": "..\\..\\C:\\x",
    "three hundred letters": "x" * 300,
    "three hundred letters of four bytes": "𝔸" * 300,
    "marks that turn the direction": "\u202egnp.exe\u202c\u200f",
    "what Windows keeps for itself": "CON",
    "a port of Windows": "com1.txt",
    "a hundred marks on one letter": "a" + "\u0301" * 300,
    "marks on nothing": "\u0301\u0302",
    "two lines": "Ana\nBo\r\x85\u2028x",
    "nothing": "",
    "spaces": "   ",
    "dots": "...",
    "emoji": "🦊👨‍👩‍👧",
    "a tag": "TITLE=x\0DISCORD_USER_ID=2",
    "as another, but for its case": "BO",
}


def record(folder: Path, name_of: Callable[[int], str], frames: list[OpusFrame], **more: Any) -> list[str]:
    clock, told = FakeClock(), []
    live = new_recorder(
        folder,
        metadata(),
        consent=RecordingConsent("announce"),
        clock=clock,
        name_of=name_of,
        on_ended=told.append,
        **more,
    )
    feed(live, clock, frames, 3)
    live.stop("Enough.").result(5)
    return told


def both() -> list[OpusFrame]:
    return together(Speaker(ANA).say(tone(1), 0.5), Speaker(BO).say(tone(1), 0.5))


def packets(path: Path) -> int:
    with path.open("rb") as file:
        return len(list(JournalReader(file)))


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_no_name_costs_anybody_a_track(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "recording"
    folder.mkdir()
    assert record(folder, {ANA: name, BO: "Bo"}.__getitem__, both()) == []
    assert list(tmp_path.iterdir()) == [folder]
    found = read_metadata(folder)
    ana, bo = found.people
    assert bo.name == "Bo"
    assert 0 < len(ana.name) <= MAX_SHOWN
    ana.name.encode()
    assert (ana.fault, bo.fault) == (None, None)
    for person in found.people:
        assert person.journal is not None
        assert packets(folder / person.journal) == 55
        assert complaints(folder / person.journal) == []
        assert len(person.journal.encode()) < 100
    names = [path.name.casefold() for path in folder.iterdir()]
    assert len(set(names)) == len(names) == 3  # also where A and a are the same
    assert settle_metadata(folder).people[0].name == ana.name


def test_names_that_are_equal_once_cleaned_share_no_file(tmp_path: Path) -> None:
    record(tmp_path, {ANA: "a/b", BO: "A:B"}.__getitem__, both())
    assert {path.name for path in tmp_path.glob("*.ogg")} == {"1_a_b.ogg", "2_A_B.ogg"}


def test_a_name_that_cannot_be_asked_for_gives_way_to_the_id(tmp_path: Path) -> None:
    assert record(tmp_path, {BO: "Bo"}.__getitem__, both()) == []
    assert {person.name for person in read_metadata(tmp_path).people} == {"1", "Bo"}


def test_a_file_that_cannot_be_made_costs_that_track_alone_and_is_told(tmp_path: Path) -> None:
    def open_file(path: Path) -> BinaryIO:
        if path.name.startswith("1"):
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        return path.open("xb", buffering=0)

    assert record(tmp_path, {ANA: "Ana", BO: "Bo"}.__getitem__, both(), open_file=open_file) == []
    ana, bo = read_metadata(tmp_path).people
    assert "the file system does not take its name" in str(ana.fault)
    assert (ana.journal, bo.fault) == (None, None)
    assert packets(tmp_path / str(bo.journal)) == 55


def test_a_fault_of_ours_with_one_persons_packets_costs_that_track_alone_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from core.audio.packet_timeline import Timeline

    push = Timeline.push

    def faulty(self: Timeline, frame: OpusFrame) -> bool:
        if frame.user_id == ANA and frame.arrival_s > 1001:
            raise ZeroDivisionError
        return push(self, frame)

    monkeypatch.setattr(Timeline, "push", faulty)
    assert record(tmp_path, {ANA: "Ana", BO: "Bo"}.__getitem__, both()) == []
    ana, bo = read_metadata(tmp_path).people
    assert "fault of mine" in str(ana.fault)
    assert packets(tmp_path / str(ana.journal)) > 15  # what came until then
    assert complaints(tmp_path / str(ana.journal)) == []
    assert packets(tmp_path / str(bo.journal)) == 55
    assert "ZeroDivisionError" in caplog.text


def test_a_disk_that_is_gone_is_everybodys_trouble(tmp_path: Path) -> None:
    clock, told = FakeClock(), []

    def open_file(path: Path) -> BinaryIO:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    live = new_recorder(
        tmp_path,
        metadata(),
        consent=RecordingConsent("announce"),
        clock=clock,
        name_of=str,
        on_ended=told.append,
        open_file=open_file,
    )
    for frame in both():
        live.write(frame)
    clock.at_s += 5
    live.start()
    live.done.result(5)
    assert told == [DISK_GONE]


@pytest.mark.parametrize("payload", [b"", b"\xff", b"\xff\x00", b"\xff\x3f" + b"x" * 9, b"\x03\x01", b"\xff\xff" * 700])
def test_no_packet_costs_anybody_a_track(tmp_path: Path, payload: bytes) -> None:
    odd = [
        OpusFrame(ANA, 10, frame.rtp_timestamp, frame.sequence, frame.arrival_s, payload if i % 3 else frame.payload)
        for i, frame in enumerate(Speaker(ANA).say(tone(1), 0.5))
    ]
    assert record(tmp_path, str, together(odd, Speaker(BO).say(tone(1), 0.5))) == []
    (bo,) = [person for person in read_metadata(tmp_path).people if person.id == str(BO)]
    assert packets(tmp_path / str(bo.journal)) == 55


def test_halves_of_characters_in_notes_and_channels_end_nothing(tmp_path: Path) -> None:
    note = Note(at_s=1, at=START, text="so\ud800", by=Named(id="1", name="A\udfff"))
    found = metadata()
    found.channel, found.notes = Named(id="2", name="\ud800lounge"), [note]
    live = new_recorder(tmp_path, found, consent=RecordingConsent("announce"), clock=FakeClock(), name_of=str)
    live.log.note("and\udc00", Named(id="3", name="\ud801"))
    live.stop("x").result(5)
    assert [each.text for each in read_metadata(tmp_path).notes] == ["so?", "and?"]

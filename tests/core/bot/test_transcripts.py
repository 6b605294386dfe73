"""Transcripts of recordings on a disk: made, gone on with, put together, searched, and without who does not want it."""

from __future__ import annotations

import asyncio
import json
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from core.bot import transcript_files as files
from core.bot.closing import ClosingStack
from core.bot.openers import Ground, open_transcripts
from core.config import Config, Environment
from core.config.hearing import HearingSection
from core.errors import HearingError, RecordingError
from core.events import RecordingRendered, RecordingTranscribed
from core.hearing.transcripts.document import read_transcript
from core.machine.workers import Workers
from core.privacy.service import Privacy
from core.recording.metadata import (
    ConsentNote,
    Metadata,
    Named,
    RecordedPerson,
    RecordedSegment,
    read_metadata,
    write_metadata,
)
from core.store.search_text import parse
from core.store.store import Store
from tests.core.hearing.transcripts.speech import Scripted, speech, write_track
from tests.core.recording.people import START
from tests.core.recording.test_service import House, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from core.bot.transcripts import Transcripts

ADA, BO = 734_512_889_100_234_567, 734_512_889_100_234_999
NAMES = {ADA: "Zebedee", BO: "Bo"}
HELLO, FRIDAY = "Hello everybody, good evening.", "We meet on Friday at nine."


class Library(House):
    """Recordings of speech that lie there already, and transcripts of them."""

    def __init__(self, folder: Path, store: Store) -> None:
        super().__init__(folder, store)
        self.recogniser = Scripted(["words"])
        self.made: list[Transcripts] = []
        self.workers = Workers()  # starts no process before there is work

    def lay(self, name: str = "r1", *, length_s: float = 40, **said: tuple[float, str]) -> Path:
        """A finished recording in which Ada and Bo say something at a time."""
        folder = self.root / "1" / "2" / name
        folder.mkdir(parents=True)
        people, segments = [], []
        for who, (at_s, text) in said.items():
            user = {"ada": ADA, "bo": BO}[who]
            track = f"{user}_{NAMES[user]}.wav"
            (span,) = write_track(folder / track, length_s, (at_s, speech(text)))
            segments.append(
                RecordedSegment(user_id=str(user), file=track, start_s=span[0], duration_s=span[1] - span[0])
            )
            people.append(RecordedPerson(id=str(user), name=NAMES[user], first_seen_at=START, track=track))
        write_metadata(
            folder,
            Metadata(
                id=name,
                state="finished",
                guild=Named(id="1", name="Guild"),
                channel=Named(id="2", name="Lounge"),
                started_at=START,
                ended_at=START + timedelta(seconds=length_s),
                duration_s=length_s,
                consent=ConsentNote(mode="announce"),
                people=people,
                segments=segments,
            ),
        )
        return folder

    async def begin(self, *lines: Any, recogniser: Any = None, **settings: Any) -> Transcripts:
        """A process starts."""
        if lines:
            self.recogniser.lines = list(lines)
        self.privacy = Privacy(self.store, self.root.parent / "kept.json", self.clock)
        await self.privacy.open()
        self.service = await self.recordings(privacy=self.privacy)
        config = Config(hearing={"engine": "whisper", "transcripts": settings}, base=self.root)
        ground = Ground(config, Environment({}), self.hub, self.clock, ClosingStack())
        transcripts = await open_transcripts(
            ground,
            self.store,
            self.service,
            recogniser or self.recogniser,
            self.privacy,
            self.workers,
            lambda _user_id: None,
        )
        self.made.append(transcripts)
        self.transcripts = transcripts
        return transcripts

    def rendered(self, name: str = "r1") -> None:
        """Somebody tells that a recording's files are finished."""
        self.hub.publish(RecordingRendered(1, name, 2, ""))

    async def transcribed(self, name: str = "r1") -> Any:
        """What is in everybody's transcript when it is there."""
        self.rendered(name)
        await eventually(
            lambda: any(isinstance(e, RecordingTranscribed) and e.recording_id == name for e in self.events)
        )
        await self.transcripts.wait(name)
        return await self.transcripts.document(name)

    async def found(self, asked: str) -> list[str]:
        ids = [record.id for record in self.service.archive.everywhere()]
        return [each.text for each in (await self.transcripts.repository.search(parse(asked), recording_ids=ids))[0]]


@pytest_asyncio.fixture
async def library(tmp_path: Path) -> AsyncIterator[Library]:
    (tmp_path / "data").mkdir()
    store = Store(f"sqlite+aiosqlite:///{tmp_path / 'data' / 'parley.db'}", base=tmp_path)
    await store.open()
    library = Library(tmp_path / "data", store)
    yield library
    for transcripts in library.made:
        await transcripts.close()
    await library.workers.close()
    for service in library.opened:
        await service.close()
        await library.privacy.close()
    await store.close()


async def test_a_recording_becomes_text_of_each_and_of_all(library: Library) -> None:
    folder = library.lay(ada=(2.0, HELLO), bo=(25.4, FRIDAY))
    await library.begin(HELLO, FRIDAY)
    document = await library.transcribed()
    assert [(document.names()[each.speaker], each.text) for each in document.segments] == [
        ("Zebedee", HELLO),
        ("Bo", FRIDAY),
    ]
    assert document.segments[1].start_s == pytest.approx(25.4, abs=0.1)
    assert document.recogniser.engine == "scripted"
    stems = ("transcript", f"{ADA}_Zebedee", f"{BO}_Bo")
    assert {path.name for path in folder.iterdir()} == {
        "metadata.json",
        f"{ADA}_Zebedee.wav",
        f"{BO}_Bo.wav",
        *(f"{stem}.{face}" for stem in stems for face in ("json", "txt", "srt", "vtt")),
    }
    listed = read_metadata(folder).transcripts
    assert {each.file for each in listed} == {
        f"{stem}.{face}" for stem in stems for face in ("json", "txt", "srt", "vtt")
    }
    assert {each.user_id for each in listed} == {None, str(ADA), str(BO)}
    assert (folder / f"{BO}_Bo.txt").read_text() == f"[0:00:25] Bo: {FRIDAY}\n"
    assert await library.found("friday") == [FRIDAY]
    (hit,) = await library.transcripts.repository.of_person(BO)
    assert (hit.recording_id, hit.channel_id, hit.guild_id, hit.speaker) == ("r1", 2, 1, "Bo")
    assert (hit.said_at - START).total_seconds() == pytest.approx(25.4, abs=0.1)


async def test_where_nobody_said_anything_nothing_is_written(library: Library) -> None:
    folder = library.lay(ada=(2.0, HELLO))
    await library.begin("")
    library.rendered()
    await eventually(lambda: bool(library.recogniser.heard))
    await library.transcripts.wait("r1")
    assert {path.name for path in folder.iterdir()} == {"metadata.json", f"{ADA}_Zebedee.wav"}
    with pytest.raises(HearingError, match="Nobody said anything"):
        await library.transcripts.document("r1")


async def test_only_when_somebody_asks_if_that_is_set(library: Library) -> None:
    library.lay(ada=(2.0, HELLO))
    transcripts = await library.begin(HELLO, auto=False)
    library.rendered()
    await asyncio.sleep(0.1)
    assert library.recogniser.heard == []
    transcripts.request(library.service.archive.record("r1"))
    assert transcripts.progress("r1") == 0
    await transcripts.wait("r1")
    assert transcripts.progress("r1") is None
    assert (await transcripts.document("r1")).text == HELLO


async def test_what_an_end_of_the_process_broke_off_goes_on(library: Library) -> None:
    folder = library.lay(ada=(2.0, HELLO), bo=(25.0, FRIDAY))
    transcripts = await library.begin(HELLO, FRIDAY)

    async def stuck() -> None:
        if len(library.recogniser.heard) == 2:
            await asyncio.Event().wait()

    library.recogniser.gate = stuck
    library.rendered()
    await eventually(lambda: len(library.recogniser.heard) == 2)
    assert transcripts.progress("r1") == pytest.approx(0.5, abs=0.2)
    await transcripts.close()
    assert (folder / files.MARK).exists()
    await library.service.close()
    library.recogniser = Scripted([FRIDAY])
    await library.begin(auto=False)
    await eventually(lambda: not (folder / files.MARK).exists())
    await library.transcripts.wait("r1")
    assert [each.text for each in (await library.transcripts.document("r1")).segments] == [HELLO, FRIDAY]
    assert len(library.recogniser.heard) == 1


async def test_a_better_model_makes_it_anew_and_the_same_one_does_not(library: Library) -> None:
    library.lay(ada=(2.0, HELLO))
    transcripts = await library.begin("worse", "better", "never")
    await library.transcribed()
    record = library.service.archive.record("r1")
    transcripts.request(record)
    await transcripts.wait("r1")
    assert (await transcripts.document("r1")).text == "worse"
    transcripts._section = HearingSection(engine="whisper", transcripts={"model": "large"})
    transcripts.request(record)
    await transcripts.wait("r1")
    assert (await transcripts.document("r1")).text == "better"
    assert await library.found("worse") == []
    assert await library.found("better") == ["better"]


async def test_a_missing_recogniser_is_said_once(library: Library, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("r1", "r2"):
        library.lay(name, ada=(2.0, HELLO))
    library.recogniser.problem = HearingError("There is no model.")
    transcripts = await library.begin()
    for name in ("r1", "r2"):
        transcripts.request(library.service.archive.record(name))
        await transcripts.wait(name)
    assert transcripts.problem("r2") == "There is no model."
    assert [transcripts.news("r1"), transcripts.news("r2")] == ["There is no model.", ""]
    assert sum("no transcript of recording" in line for line in caplog.messages) == 1
    with pytest.raises(HearingError, match="no model"):
        await transcripts.document("r1")
    library.recogniser.problem = None
    transcripts.request(library.service.archive.record("r1"))
    await transcripts.wait("r1")
    assert transcripts.problem("r1") == ""


async def test_with_hearing_off_nothing_is_done_and_asking_says_so(library: Library) -> None:
    library.lay(ada=(2.0, HELLO))
    transcripts = await library.begin()
    transcripts._transcriber = None
    library.rendered()
    await asyncio.sleep(0.05)
    assert transcripts.progress("r1") is None
    with pytest.raises(HearingError, match="engine is off"):
        transcripts.request(library.service.archive.record("r1"))


async def test_a_recording_that_is_not_finished_is_not_written_down(library: Library) -> None:
    folder = library.lay(ada=(2.0, HELLO))
    transcripts = await library.begin()
    record = library.service.archive.record("r1")
    await library.service.archive.note(type(record)(**{**_fields(record), "state": "rendering"}))
    with pytest.raises(RecordingError, match="not finished"):
        transcripts.request(library.service.archive.record("r1"))
    library.rendered()
    await asyncio.sleep(0.1)
    assert not (folder / "transcript.json").exists()


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in type(record).__slots__}


async def test_whose_name_changed_is_called_so_in_every_file(library: Library) -> None:
    folder = library.lay(ada=(2.0, HELLO))
    transcripts = await library.begin(HELLO)
    await library.transcribed()
    metadata = read_metadata(folder)
    metadata.people[0].name = "Countess"
    write_metadata(folder, metadata)
    transcripts.request(library.service.archive.record("r1"))
    await transcripts.wait("r1")
    for path in [each for each in folder.iterdir() if each.suffix in (".json", ".txt", ".srt", ".vtt")]:
        if path.name != "metadata.json":
            assert "Countess" in path.read_text(), path.name
            assert "Zebedee" not in path.read_text(), path.name


async def test_a_lost_index_is_made_anew_from_the_folders(library: Library) -> None:
    library.lay(ada=(2.0, HELLO))
    transcripts = await library.begin(HELLO)
    await library.transcribed()
    await transcripts.repository.delete_recording("r1")
    assert await library.found("everybody") == []
    await library.begin(auto=False)
    await eventually(lambda: _rows(library) == 1)
    assert await library.found("everybody") == [HELLO]


def _rows(library: Library) -> int:
    import sqlite3

    with sqlite3.connect(library.root.parent / "parley.db") as connection:
        return connection.execute("SELECT count(*) FROM transcript_segment").fetchone()[0]


async def test_a_recording_that_is_deleted_takes_its_text_along(library: Library) -> None:
    folder = library.lay(ada=(2.0, HELLO))
    await library.begin(HELLO)
    await library.transcribed()
    await library.service.archive.delete("r1")
    assert not folder.exists()
    assert _rows(library) == 0


async def test_a_recording_that_is_deleted_in_the_middle_ends_the_work(library: Library) -> None:
    folder = library.lay(ada=(2.0, HELLO))
    transcripts = await library.begin(HELLO)
    library.recogniser.gate = asyncio.Event().wait
    library.rendered()
    await eventually(lambda: bool(library.recogniser.heard))
    await library.service.archive.delete("r1")
    await transcripts.wait("r1")
    await asyncio.sleep(0.4)
    assert not folder.exists()
    assert transcripts.progress("r1") is None


async def test_who_does_not_want_to_be_heard_is_not(library: Library) -> None:
    folder = library.lay(ada=(2.0, HELLO), bo=(25.0, FRIDAY))
    await library.begin(FRIDAY)
    library.privacy.consent.decide("heard", ADA, "out")
    document = await library.transcribed()
    assert [each.text for each in document.segments] == [FRIDAY]
    assert len(library.recogniser.heard) == 1
    assert not list(folder.glob(f"{ADA}*.json"))


@pytest.mark.parametrize("kind", ["heard", "recorded"])
async def test_who_refuses_later_is_in_no_transcript_any_more(library: Library, kind: Any) -> None:
    folder = library.lay(ada=(2.0, HELLO), bo=(25.0, FRIDAY))
    await library.begin(HELLO, FRIDAY)
    await library.transcribed()
    settled = await library.privacy.decide(ADA, "out", [kind])
    assert settled.done == (
        "What you said is deleted from 1 transcript(s), with their minutes and the words that are searched.",
    )
    assert settled.failed == ()
    for path in folder.iterdir():
        assert HELLO.encode() not in path.read_bytes(), path.name
    assert [each.text for each in (await library.transcripts.document("r1")).segments] == [FRIDAY]
    assert await library.found("everybody") == []
    assert await library.found("friday") == [FRIDAY]
    assert (folder / f"{ADA}_Zebedee.wav").exists()  # the sound stays until they want it deleted


async def test_who_refuses_while_their_words_are_understood_is_not_written_down(library: Library) -> None:
    folder = library.lay(ada=(2.0, HELLO))
    transcripts = await library.begin(HELLO)
    go_on = asyncio.Event()
    library.recogniser.gate = go_on.wait
    library.rendered()
    await eventually(lambda: bool(library.recogniser.heard))
    await library.privacy.decide(ADA, "out", ["heard"])
    go_on.set()
    await asyncio.sleep(0.5)
    await transcripts.wait("r1")
    assert not list(folder.glob("*.json.*"))
    assert not (folder / "transcript.json").exists()
    assert _rows(library) == 0


async def test_a_disk_that_is_full_is_told_and_leaves_the_others_alone(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.lay(ada=(2.0, HELLO))
    transcripts = await library.begin(HELLO)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("core.hearing.transcripts.document.write_atomically", full)
    transcripts.request(library.service.archive.record("r1"))
    await transcripts.wait("r1")
    assert "could not be made" in transcripts.problem("r1")


async def test_a_damaged_document_is_made_anew(library: Library) -> None:
    folder = library.lay(ada=(2.0, HELLO))
    transcripts = await library.begin(HELLO, "again")
    await library.transcribed()
    (folder / f"{ADA}_Zebedee.json").write_text("{")
    transcripts.request(library.service.archive.record("r1"))
    await transcripts.wait("r1")
    assert (await transcripts.document("r1")).text == "again"


async def test_somebody_elses_document_brought_into_a_folder_is_not_taken_for_ours(library: Library) -> None:
    folder = library.lay(ada=(2.0, HELLO))
    other = library.lay("r2", bo=(2.0, FRIDAY))
    transcripts = await library.begin(FRIDAY, HELLO)
    await library.transcribed("r2")
    shutil.copy(other / f"{BO}_Bo.json", folder / f"{ADA}_Zebedee.json")
    transcripts.request(library.service.archive.record("r1"))
    await transcripts.wait("r1")
    document = read_transcript(folder / "transcript.json")
    assert [each.text for each in document.segments] == [HELLO]
    assert json.loads((folder / "transcript.json").read_text())["recording"] == "r1"

"""What people are promised about their data, each promise a test: refused is not recorded, and deleted is in no byte."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import struct
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from core.audio.encode import Quality
from core.errors import RecordingError, StoreError
from core.privacy.kept import FILE
from core.privacy.service import Privacy
from core.privacy.stored import StoredData
from core.recording.metadata import PAUSED_BY, STOPPED_BY, Named, read_metadata
from core.store.history import HistoryEntry, HistoryRepository
from core.store.settings import PersonVoice, SettingsRepository
from core.store.store import Store
from tests.core.recording.people import START, Source, Speaker, together, tone
from tests.core.recording.test_service import House, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from core.recording.journal import JournalWriter
    from core.recording.live_recording import LiveRecording
    from core.recording.service import Recordings

ANA, BO = 734_512_889_100_234_567, 734_512_889_100_234_999
NAMES = {ANA: "Zebedee", BO: "Bo"}
OLD_NAME = "Zebby the Third"


class Home(House):
    """A store, recordings and what people decided, as the runtime puts them together, in one folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, Store(f"sqlite+aiosqlite:///{folder / 'parley.db'}", base=folder.parent))
        self.folder = folder
        self.privacies: list[Privacy] = []

    async def begin(self, **settings: Any) -> Recordings:
        """A process starts."""
        await self.store.open()
        self.privacy = Privacy(self.store, self.root / FILE, self.clock)
        self.privacy.register("conversations", StoredData(self.store))
        await self.privacy.open()
        self.privacies.append(self.privacy)
        return await self.recordings(privacy=self.privacy, **settings)

    async def die(self, service: Recordings) -> None:
        """A process is killed: nothing is said goodbye to, nothing is finished."""
        for live in service._live.values():
            live.recorder.commands.work = lambda: None  # type: ignore[method-assign]
            live.recorder.log.write = lambda folder: None  # type: ignore[method-assign]
            live.recorder._closing.set()
        service._live.clear()
        await service._tasks.cancel_all()
        await self.privacy.close()
        await self.store.close()

    async def talk(self, service: Recordings, *, started_by: Named | None = None, **more: Any) -> LiveRecording:
        """Ana and Bo speak in a recording that goes on."""
        source = Source(self.channel, name_of=lambda user_id: NAMES.get(user_id, "Parley"), **more)
        live = await service.start(source, started_by=started_by)
        self.recorders = [live.recorder]
        base = live.recorder.started_s
        self.sound = Speaker(ANA, ssrc=5, start_s=base).say(tone(2), 0.5)
        self.channel.send(together(self.sound, Speaker(BO, ssrc=6, start_s=base, seed=2).say(tone(2, hz=700), 3)))
        self.clock.at_s = base + 8
        await self.written()
        return live

    def traces(self, *names: str) -> dict[str, list[str]]:
        """Every file that has somebody's id, one of their names, or a packet of their sound, in its bytes or its name."""
        marks = {f"id {ANA}": str(ANA).encode(), "id as a number": struct.pack(">q", ANA)}
        marks |= {name: name.encode() for name in (NAMES[ANA], *names)}
        marks |= {f"packet {n}": frame.payload for n, frame in enumerate(self.sound) if len(frame.payload) > 40}
        found: dict[str, list[str]] = {}
        for path in sorted(self.folder.rglob("*")):
            data = path.name.encode() + (path.read_bytes() if path.is_file() else b"")
            there = [what for what, mark in marks.items() if mark in data]
            if there:
                found[path.relative_to(self.folder).as_posix()] = there[:5]
        return found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.recording.recorder.TURN_S", 0.02)


@pytest_asyncio.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    (tmp_path / "data").mkdir()
    home = Home(tmp_path / "data")
    yield home
    for service in home.opened:
        await service.close()
    for privacy in home.privacies:
        await privacy.close()
    await home.store.close()


@pytest.fixture
def broken_database(home: Home) -> Any:
    """A database that another program holds: it can be read, but not written."""
    return _Broken(home.folder / "parley.db", home)


class _Broken:
    def __init__(self, path: Path, home: Home) -> None:
        self._path, self._home = path, home

    async def __aenter__(self) -> None:
        async with self._home.store._engine.connect() as connection:  # the pool's: it need not wait 5 s each time
            await connection.exec_driver_sql("PRAGMA busy_timeout = 20")
        self._other = sqlite3.connect(self._path, isolation_level=None)
        self._other.execute("BEGIN IMMEDIATE")

    async def __aexit__(self, *_: object) -> None:
        self._other.close()


async def test_after_a_deletion_no_byte_holds_the_person(home: Home) -> None:
    service = await home.begin(segment_files=True)
    live = await home.talk(service, started_by=Named(id=str(ANA), name=NAMES[ANA]))
    live.note("Mine alone", Named(id=str(ANA), name=NAMES[ANA]))
    live.note(f"Ask Zebedee and <@{ANA}> about it", Named(id=str(BO), name="Bo"))
    live.recorder.pause(PAUSED_BY.format(name=OLD_NAME), Named(id=str(ANA), name=OLD_NAME))
    home.clock.at_s += 1
    live.recorder.resume()
    await home.written()
    await service.stop(1, STOPPED_BY.format(name=OLD_NAME), Named(id=str(ANA), name=OLD_NAME))
    await service.rendered(live.id)
    for quality in (None, Quality("mp3", 48_000, 1, 64)):
        await service.archive.pack(live.id, quality=quality)
    history = HistoryRepository(home.store)
    await history.add(
        7,
        HistoryEntry("a", "user", "what is my name?", START, ANA, OLD_NAME),
        HistoryEntry("a", "assistant", "It is Zebedee.", START),
    )
    await history.add(
        7,
        HistoryEntry("b", "user", "Zebedee, listen!", START, BO, "Bo"),
        HistoryEntry("b", "assistant", "He does.", START),
    )
    await SettingsRepository(home.store).save_person_voice(PersonVoice(ANA, nickname="Zebedee"))
    assert home.traces(OLD_NAME)
    deletion = await home.privacy.delete_person(ANA, {"Zebedee"})
    assert deletion.failed == ()
    assert home.traces(OLD_NAME) == {}
    found = read_metadata(live.folder)
    assert [person.name for person in found.people] == ["Bo"]
    assert [note.text for note in found.notes] == ["Ask somebody and somebody about it"]
    assert (found.reason, found.gaps[0].reason) == ("Stopped by somebody.", "Paused by somebody.")
    assert [line.content for line in await history.newest(7, 9)] == ["somebody, listen!", "He does."]


async def test_deleted_from_a_running_recording_is_deleted_too(home: Home) -> None:
    service = await home.begin(render_every_s=1)
    live = await home.talk(service, started_by=Named(id=str(ANA), name=NAMES[ANA]))
    live.note("Mine", Named(id=str(ANA), name=NAMES[ANA]))
    await eventually(lambda: (live.folder / "session.wav").exists())
    deletion = await home.privacy.delete_person(ANA, {"Zebedee"})
    assert deletion.done == ("You are deleted from 1 recording(s): tracks, mixes and metadata.",)
    assert home.traces() == {}


async def test_who_was_only_named_by_a_button_is_deleted_as_well(home: Home) -> None:
    service = await home.begin()
    live = await home.talk(service)
    await home.privacy.delete_person(ANA, {"Zebedee"})
    await service.stop(1, STOPPED_BY.format(name="Zebedee"))  # as older versions wrote it: without an id
    await service.rendered(live.id)
    assert (await home.privacy.delete_person(ANA, {"Zebedee"})).done
    assert home.traces() == {}
    assert (live.folder / "session.wav").exists()


async def test_a_stranger_whose_name_is_a_word_changes_nothing_where_they_never_were(home: Home) -> None:
    service = await home.begin()
    live = await home.talk(service)
    live.note("the end", Named(id=str(BO), name="Bo"))
    await service.stop(1, "By the clock.")
    await service.rendered(live.id)
    history = HistoryRepository(home.store)
    await history.add(7, HistoryEntry("b", "user", "the end", START, BO, "Bo"))
    before = (live.folder / "metadata.json").read_bytes()
    await home.privacy.delete_person(999, {"the", "Bo", "By"})
    assert (live.folder / "metadata.json").read_bytes() == before
    assert [line.content for line in await history.newest(7, 9)] == ["the end"]


async def test_after_a_crash_people_are_in_the_index_and_can_be_deleted_before_anything_is_finished(home: Home) -> None:
    service = await home.begin()
    live = await home.talk(service)
    await eventually(lambda: _indexed(home, live.id) == {ANA, BO})
    await home.die(service)
    again = await home.begin()
    assert await again.count_of(ANA) == 1
    deletion = await home.privacy.delete_person(ANA, {"Zebedee"})
    assert "from 1 recording" in deletion.done[0]
    assert home.traces() == {}


def _indexed(home: Home, recording_id: str) -> set[int]:
    with closing(sqlite3.connect(home.folder / "parley.db")) as connection:
        query = "SELECT user_id FROM recording_people WHERE recording_id = ?"
        return {row[0] for row in connection.execute(query, (recording_id,))}


async def test_a_folder_that_no_index_knows_is_looked_into(home: Home) -> None:
    service = await home.begin()
    live = await home.talk(service)
    await service.stop(1, "Enough.")
    await service.rendered(live.id)
    await service.archive.forget(live.id)
    assert await service.count_of(ANA) == 1
    assert "from 1 recording" in (await home.privacy.delete_person(ANA)).done[0]
    assert home.traces() == {}


async def test_of_a_recording_whose_metadata_is_damaged_the_sound_goes_and_the_rest_is_not_called_deleted(
    home: Home,
) -> None:
    service = await home.begin()
    live = await home.talk(service)
    await service.stop(1, "Enough.")
    await service.rendered(live.id)
    (live.folder / "metadata.json").write_text(f'{{"people": "{ANA}"')
    deletion = await home.privacy.delete_person(ANA)
    assert deletion.done == ()
    assert "From 1 recordings you could not be deleted" in deletion.failed[0]
    assert deletion.owed
    assert set(home.traces()) == {
        f"recordings/{live.record.folder}/metadata.json",
        f"recordings/{FILE}",  # what is owed is noted there, until it is done
    } | {name for name in home.traces() if name.startswith("parley.db")}
    assert not (live.folder / "session.wav").exists()


async def test_a_refusal_that_the_database_cannot_take_outlives_the_process(home: Home, broken_database: Any) -> None:
    service = await home.begin()
    live = await home.talk(service)
    async with broken_database:
        settled = await service.decide(ANA, "out")
        assert settled.place == "file"
        assert "cannot be written" in settled.kept
        assert settled.done == ("What running recordings had of you is deleted.",)
        assert not list(live.folder.glob(f"{ANA}*"))
        assert (home.root / FILE).exists()
        await home.die(service)
    again = await home.begin()
    assert not again.consent.allows(ANA)
    assert not (home.root / FILE).exists()  # the database has it now
    assert _decisions(home) == {(ANA, "recorded", "out")}


def _decisions(home: Home) -> set[tuple[int, str, str]]:
    with closing(sqlite3.connect(home.folder / "parley.db")) as connection:
        return set(connection.execute("SELECT user_id, kind, decision FROM decision"))


async def test_a_deletion_that_the_database_cannot_take_is_not_called_one_and_is_made_after_a_restart(
    home: Home, broken_database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await home.begin()
    live = await home.talk(service)
    await service.stop(1, "Enough.")
    await service.rendered(live.id)
    await HistoryRepository(home.store).add(7, HistoryEntry("a", "user", "hello", START, ANA, "Zebedee"))
    async with broken_database:
        deletion = await home.privacy.delete_person(ANA)
        assert deletion.failed
        assert "also after a restart" in deletion.owed
        assert not [name for name in home.traces() if "recordings/1/" in name]  # but the sound is gone already
    await home.die(service)
    monkeypatch.setattr("core.privacy.service.TRY_AGAIN_S", 0.05)
    await home.begin()
    await eventually(lambda: home.traces() == {})


async def test_a_refusal_that_can_be_kept_nowhere_says_so(home: Home, broken_database: Any) -> None:
    service = await home.begin()
    await home.talk(service)
    (home.root / f".{FILE}.new").mkdir()  # nothing can be written there
    async with broken_database:
        settled = await service.decide(ANA, "out")
    assert settled.place == "memory"
    assert "only until I am restarted" in settled.kept
    assert not service.consent.allows(ANA)


async def test_what_people_decided_is_not_passed_over_when_it_cannot_be_read(home: Home) -> None:
    home.root.mkdir()
    (home.root / FILE).write_text("{")
    with pytest.raises(StoreError, match="holds what people decided, and cannot be read"):
        await home.begin()


async def test_a_refusal_is_asked_again_before_anything_is_finished(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await home.begin()
    live = await home.talk(service)

    def stuck(journal: JournalWriter) -> None:
        journal._file.close()
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as failing:
        failing.setattr("core.recording.journal.JournalWriter.discard", stuck)
        settled = await service.decide(ANA, "out")
    assert settled.failed
    assert settled.done == ()
    assert list(live.folder.glob(f"{ANA}*.ogg"))
    await eventually(lambda: service.live(1) is None)
    found = await service.rendered(live.id)
    assert [person.name for person in found.people] == ["Bo"]
    assert not list(live.folder.glob(f"{ANA}*"))


async def test_who_refuses_while_the_recording_waits_for_its_files_is_not_on_them(home: Home) -> None:
    service = await home.begin()
    live = await home.talk(service)
    await service.close()
    await home.privacy.decide(ANA, "out")
    await home.privacy.close()
    await home.store.close()
    again = await home.begin()
    assert [person.name for person in (await again.rendered(live.id)).people] == ["Bo"]


async def test_two_who_are_deleted_at_once_are_both_gone(home: Home) -> None:
    service = await home.begin()
    live = await home.talk(service)
    await service.stop(1, "Enough.")
    await service.rendered(live.id)
    await asyncio.gather(home.privacy.delete_person(ANA), home.privacy.delete_person(BO))
    assert home.traces() == {}
    with pytest.raises(RecordingError):
        service.archive.record(live.id)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such bits")
async def test_nobody_else_on_the_machine_can_read_what_is_kept(home: Home) -> None:
    old = home.root / "1" / "2" / "2020-01-01_00-00-00"
    old.mkdir(parents=True)
    (old / "1_Ana.ogg").touch(0o644)
    service = await home.begin(segment_files=True)
    live = await home.talk(service)
    assert _open_to_others(home.folder) == []
    await service.stop(1, "Enough.")
    await service.rendered(live.id)
    await service.archive.pack(live.id)
    await service.export_person(ANA)
    assert _open_to_others(home.folder) == []


def _open_to_others(folder: Path) -> list[str]:
    return [str(path) for path in (folder, *folder.rglob("*")) if stat.S_IMODE(path.stat().st_mode) & 0o077]

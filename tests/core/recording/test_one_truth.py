"""What is said of a recording, what lies in its folder, and what is asked for agree."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import av
import pytest
import pytest_asyncio

from core.bot import recording_messages as words
from core.recording.track import render_track
from core.store.store import Store
from tests.core.recording.people import HereWorkers, Speaker, together, tone
from tests.core.recording.test_service import House, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    store = Store(f"sqlite+aiosqlite:///{(tmp_path / 'parley.db').as_posix()}", base=tmp_path)
    await store.open()
    house = House(tmp_path, store)
    yield house
    for service in house.opened:
        await service.close()
    await store.close()


class FullDisk(HereWorkers):
    """Workers whose disk is full for as long as they are told so."""

    full = True

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        if self.full and function is render_track:
            raise OSError(errno.ENOSPC, "No space left on device")
        return await super().run(function, *args)


async def speak(house: House, service: Any) -> Any:
    live = await house.start(service)
    base = live.recorder.started_s
    ana = Speaker(1, start_s=base).say(tone(3.0), 0.5)
    bo = Speaker(2, start_s=base).say(tone(0.5), 1.0)
    await house.hear(together(ana, bo), 6.0)
    return live


def length_s(path: Path) -> float:
    with av.open(str(path)) as container:
        return sum(frame.samples for frame in container.decode(audio=0)) / 48_000


@pytest.mark.parametrize("format", ["wav", "flac", "ogg", "mp3"])
async def test_all_tracks_are_equally_long_in_every_format(house: House, format: str) -> None:
    service = await house.recordings(format=format)
    live = await speak(house, service)
    await service.stop(1, "Enough.")
    found = await service.rendered(live.id)
    names = [found.files.session, *(person.track for person in found.people)]
    lengths = [length_s(live.folder / str(name)) for name in names]
    assert lengths == pytest.approx([found.duration_s] * 3, abs=0.021 if format == "ogg" else 0.001)
    assert lengths[1] == lengths[2]


async def test_a_lengthened_journal_is_rendered_as_before(house: House) -> None:
    service = await house.recordings(format="ogg")
    live = await speak(house, service)
    await service.stop(1, "Enough.")
    before = await service.rendered(live.id)
    await service.delete_person(2)
    after = await service.archive.details(live.id)
    assert after.duration_s == before.duration_s
    assert after.people[0].speech_s == before.people[0].speech_s
    assert after.people[0].missing == []


async def test_a_recording_of_a_note_alone_is_kept_and_said_to_be_kept(house: House) -> None:
    service = await house.recordings()
    live = await house.start(service)
    live.note("Roll for initiative", None)
    house.clock.at_s += 2
    await service.stop(1, "Enough.")
    await service.rendered(live.id)
    ((record, metadata),) = service.finisher.reports()
    assert live.folder.exists()
    text = words.report_text(record, metadata)
    assert words.ONLY_NOTES in text
    assert "nothing to keep" not in text


async def test_a_recording_of_nothing_is_not_kept_and_said_not_to_be(house: House) -> None:
    service = await house.recordings()
    live = await house.start(service)
    house.clock.at_s += 2
    await service.stop(1, "Enough.")
    await service.rendered(live.id)
    ((record, metadata),) = service.finisher.reports()
    assert not live.folder.exists()
    assert words.report_text(record, metadata) == words.NOBODY


async def test_a_full_disk_at_the_end_is_told_and_tried_again_when_there_is_room(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.recording.room.LOOK_S", 0.05)
    room = {"free": 0.0}
    monkeypatch.setattr("core.recording.room.Room._free", lambda _: room["free"])
    workers = FullDisk()
    service = await house.recordings(workers)
    live = await speak(house, service)
    await service.stop(1, "Enough.")
    told: list[Any] = []
    await eventually(lambda: bool(told.extend(service.finisher.reports()) or told))
    ((_, metadata),) = told
    assert metadata is None
    assert service.finisher.room.waits(live.id)
    assert service.finisher.progress(live.id) is None  # so the panel is not kept in the middle of it
    workers.full, room["free"] = False, 1e12
    told.clear()
    await eventually(lambda: bool(told.extend(service.finisher.reports()) or told))
    ((_, metadata),) = told
    assert service.archive.record(live.id).state == "finished"
    assert metadata is not None
    assert {person.id for person in metadata.people} == {"1", "2"}
    assert not service.finisher.room.waits(live.id)

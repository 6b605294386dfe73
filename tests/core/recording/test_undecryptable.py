"""People who spoke but of whom nothing could be decrypted: named with their counts, without a track."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from core.bot.recording_messages import finished_text
from core.config.recording import RecordingSection
from core.hub import Hub
from core.recording.finishing import drop_refused, settle_metadata
from core.recording.metadata import read_metadata
from core.recording.rights import RecordingConsent
from core.recording.service import Recordings
from core.store.recordings import RecordingsRepository
from core.store.store import Store
from tests.core.recording.people import (
    FakeClock,
    HereWorkers,
    Source,
    Speaker,
    feed,
    metadata,
    names_in,
    new_recorder,
    tone,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ANA, BO = 1, 2
NAMES = {ANA: "Ana", BO: "Bo"}


def recorder(
    folder: Path, counts: dict[int, dict[str, int]], consent: RecordingConsent | None = None
) -> tuple[Any, FakeClock]:
    clock = FakeClock()
    live = new_recorder(
        folder,
        metadata(),
        consent=consent or RecordingConsent("announce"),
        clock=clock,
        name_of=NAMES.__getitem__,
        undecryptable=lambda: counts,
    )
    return live, clock


def test_who_could_never_be_decrypted_is_named_with_counts_and_without_files(tmp_path: Path) -> None:
    live, clock = recorder(tmp_path, {BO: {"unknown key": 90, "bad tag": 3}})
    feed(live, clock, Speaker(ANA).say(tone(1), 0), 2)
    live.stop("x").result(5)
    ana, bo = read_metadata(tmp_path).people
    assert (bo.name, bo.journal, bo.packets.received) == ("Bo", None, 0)
    assert bo.packets.undecryptable == {"unknown key": 90, "bad tag": 3}
    assert bo.never_heard
    assert not ana.never_heard
    assert names_in(tmp_path) == {"1_Ana.ogg", "metadata.json"}


def test_silence_that_comes_through_does_not_make_them_heard(tmp_path: Path) -> None:
    live, clock = recorder(tmp_path, {BO: {"unknown key": 90}})
    feed(live, clock, Speaker(BO).say(tone(0), 0), 2)
    live.stop("x").result(5)
    (bo,) = read_metadata(tmp_path).people
    assert bo.never_heard
    assert bo.packets.received == 5


@pytest.mark.parametrize(("mode", "decisions"), [("announce", {BO: "out"}), ("opt_in", {})])
def test_who_may_not_be_recorded_is_not_named_either(tmp_path: Path, mode: Any, decisions: Any) -> None:
    live, clock = recorder(tmp_path, {BO: {"unknown key": 90}}, RecordingConsent(mode, decisions))
    feed(live, clock, [], 2)
    live.stop("x").result(5)
    assert read_metadata(tmp_path).people == []


def test_what_was_deleted_is_not_counted_again(tmp_path: Path) -> None:
    counts = {BO: {"unknown key": 90}}
    live, clock = recorder(tmp_path, counts)
    feed(live, clock, [], 1)
    live.forget(BO)
    feed(live, clock, [], 2)
    assert read_metadata(tmp_path).people == []
    counts[BO]["unknown key"] += 7
    live.stop("x").result(5)
    assert read_metadata(tmp_path).people[0].packets.undecryptable == {"unknown key": 7}


def test_after_a_crash_they_are_still_named_unless_they_refused(tmp_path: Path) -> None:
    live, clock = recorder(tmp_path, {ANA: {"unknown key": 5}, BO: {"unknown key": 90}})
    feed(live, clock, [], 1)  # the process dies here
    drop_refused(tmp_path, lambda user_id: user_id == ANA)
    assert [person.name for person in settle_metadata(tmp_path).people] == ["Bo"]


@pytest_asyncio.fixture
async def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Recordings]:
    monkeypatch.setattr("core.recording.recorder.TURN_S", 0.02)
    store = Store(f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}")
    await store.open()
    hub = Hub()
    hub.bind(asyncio.get_running_loop())
    service = Recordings(
        RecordingSection(min_free_mb=1),
        tmp_path / "recordings",
        hub=hub,
        clock=FakeClock(),
        workers=HereWorkers(),  # pyright: ignore[reportArgumentType] - threads instead of processes
        repository=RecordingsRepository(store),
    )
    await service.open()
    yield service
    await service.close()
    await hub.close()
    await store.close()


async def test_the_finished_recording_and_its_report_say_so_and_it_can_be_deleted(service: Recordings) -> None:
    live = await service.start(
        Source(name_of=NAMES.__getitem__, undecryptable=lambda: {BO: {"unknown key": 90}}),
    )
    await service.stop(1, "Enough.")
    found = await service.rendered(live.id)
    assert [(person.name, person.track) for person in found.people] == [("Bo", None)]
    assert names_in(live.folder) == {"metadata.json", "timeline.png"}
    assert f"<@{BO}> has no track: none of what came could be decrypted (90 packets)" in finished_text(found)
    assert await service.delete_person(BO) == 1
    assert service.archive.find(live.id) is None  # nobody is left on it

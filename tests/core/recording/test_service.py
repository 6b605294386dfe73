from __future__ import annotations

import asyncio
import json
import os
import threading
import time
import zipfile
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
import pytest_asyncio

from core.audio.encode import Quality
from core.audio.frames import RATE_HZ
from core.audio.wav import WavReader
from core.config.recording import RecordingSection
from core.errors import RecordingError, StoreError
from core.events import (
    Event,
    RecordingRendered,
    RecordingStarted,
    RecordingStopped,
    SessionEnded,
    SessionInterrupted,
    SessionResumed,
)
from core.hub import Hub
from core.recording.limits import DISK_LOW
from core.recording.metadata import Metadata, Named, read_metadata, write_metadata
from core.recording.service import Recordings
from core.recording.track import render_track
from core.store.decisions import Decided, DecisionsRepository
from core.store.recordings import RecordingsRepository
from core.store.store import Store
from tests.core.recording.people import (
    DELAY_S,
    START,
    Channel,
    FakeClock,
    HereWorkers,
    Source,
    Speaker,
    impulses,
    names_in,
    peaks,
    together,
    tone,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from core.recording.live_recording import LiveRecording
    from core.recording.recorder import Recorder

NAMES = {1: "Ana", 2: "Bo", 3: "🦊"}
GUILD, LOUNGE = Named(id="1", name="Guild"), Named(id="2", name="Lounge")
ANA = Named(id="1", name="Ana")


class House:
    """A store, a hub, a clock and a channel around the service."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.root = folder / "recordings"
        self.store = store
        self.clock = FakeClock()
        self.channel = Channel()
        self.events: list[Event] = []
        self.opened: list[Recordings] = []
        self.recorders: list[Recorder] = []

    async def recordings(self, workers: Any = None, privacy: Any = None, **settings: Any) -> Recordings:
        hub = Hub()
        hub.bind(asyncio.get_running_loop())
        hub.subscribe(Event, self.events.append, owner=self)
        service = Recordings(
            RecordingSection(min_free_mb=1, **settings),
            self.root,
            hub=hub,
            clock=self.clock,
            workers=workers or HereWorkers(),
            repository=RecordingsRepository(self.store),
            version="1.2.3",
            privacy=privacy,
        )
        await service.open()
        self.hub = hub
        self.opened.append(service)
        return service

    async def start(self, service: Recordings, *, report_channel_id: int | None = None, **more: Any) -> LiveRecording:
        live = await service.start(
            Source(self.channel, name_of=lambda i: NAMES.get(i, str(i)), **more),
            started_by=ANA,
            report_channel_id=report_channel_id,
        )
        self.recorders.append(live.recorder)
        return live

    async def hear(self, frames: list[Any], until_s: float) -> None:
        """Let everybody be heard, and the recorder's thread catch up."""
        self.channel.send(frames)
        self.clock.at_s = self.clock.origin_s + until_s
        await self.written()

    async def written(self) -> None:
        """Wait until all that was heard is in the journals: between two commands lies a whole turn of a recorder."""
        for recorder in self.recorders:
            for _ in range(2):
                turned = threading.Event()
                recorder.commands.run(turned.set)
                await eventually(turned.is_set)

    async def record(self, service: Recordings, **sounds: Any) -> Metadata:
        """One finished recording of six seconds with Ana and Bo."""
        live = await self.start(service)
        base = live.recorder.started_s
        frames = together(
            Speaker(1, start_s=base).say(tone(2), 0.5), Speaker(2, start_s=base, seed=2).say(tone(2, hz=700), 3)
        )
        self.channel.send(frames)
        self.clock.at_s = base + 6
        await self.written()
        await service.stop(1, "Enough.")
        return await service.rendered(live.id)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recorder's thread turns every 20 ms, so that tests need not wait for it long."""
    monkeypatch.setattr("core.recording.recorder.TURN_S", 0.02)


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    store = Store(f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}")
    await store.open()
    house = House(tmp_path, store)
    yield house
    for service in house.opened:
        await service.close()
    await store.close()


def wav(path: Path) -> np.ndarray:
    with WavReader(path) as found:
        return found.read(0, found.samples)


async def test_a_recording_becomes_finished_files(house: House) -> None:
    service = await house.recordings()
    live = await house.start(service, session_id="s", report_channel_id=77)
    clicks = (0.25, 1.5)
    frames = together(
        Speaker(1).say(impulses(2, clicks), 0.5),
        Speaker(2, loss=0.1, seed=3).say(tone(2, hz=700), 3),
        Speaker(3).say(tone(0), 1),
    )
    await house.hear(frames, 6)
    assert {heard.name for heard in live.heard()} == {"Ana", "Bo"}
    live.note("Roll!", ANA)
    record = await service.stop(1, "Enough.")
    found = await service.rendered(live.id)
    folder = service.archive.folder(record)
    assert folder == house.root / "1" / "2" / folder.name
    assert names_in(folder) == {
        "1_Ana.ogg",
        "1_Ana.wav",
        "2_Bo.ogg",
        "2_Bo.wav",
        "metadata.json",
        "session.wav",
        "timeline.png",
    }
    ana, bo, session = (wav(folder / name) for name in ("1_Ana.wav", "2_Bo.wav", "session.wav"))
    assert len(ana) == len(bo) == len(session) == 6 * RATE_HZ
    true = [round((0.5 + c + DELAY_S) * RATE_HZ) for c in clicks]
    assert np.abs(np.array(peaks(ana, 8000)) - true).max() <= 2
    assert np.abs(session[: 2 * RATE_HZ] - ana[: 2 * RATE_HZ] * 10 ** (-3 / 20)).max() <= 1
    assert found == read_metadata(folder)
    assert (found.state, found.duration_s, found.reason) == ("finished", 6.0, "Enough.")
    assert (found.guild, found.channel, found.started_by, found.started_at) == (GUILD, LOUNGE, ANA, START)
    assert found.software.version == "1.2.3"
    assert [(s.user_id, s.file) for s in found.segments] == [("1", "1_Ana.wav"), ("2", "2_Bo.wav")]
    assert found.segments[1].start_s == pytest.approx(3.04, abs=0.05)
    assert found.segments[1].duration_s == pytest.approx(2, abs=0.1)
    packets = found.people[1].packets
    assert packets.lost > 3
    assert packets.concealed + packets.recovered == pytest.approx(packets.lost, abs=3)
    assert [note.text for note in found.notes] == ["Roll!"]
    await house.hub.settle()
    assert [type(event) for event in house.events] == [RecordingStarted, RecordingStopped, RecordingRendered]


async def test_nobody_spoke_leaves_nothing_behind(house: House) -> None:
    service = await house.recordings()
    live = await house.start(service)
    await house.hear(Speaker(1).say(tone(0), 1), 3)
    await service.stop(1, "Enough.")
    assert (await service.rendered(live.id)).people == []
    assert service.archive.records(1) == []
    assert names_in(house.root) == set()


async def test_one_recording_a_guild_and_none_to_stop_twice(house: House) -> None:
    service = await house.recordings()
    await house.start(service)
    with pytest.raises(RecordingError, match="already being recorded, in Lounge"):
        await house.start(service)
    await service.stop(1, "x")
    with pytest.raises(RecordingError, match="Nothing is being recorded"):
        await service.stop(1, "x")
    assert house.channel.callbacks == {}


async def test_files_are_brought_up_to_date_while_it_runs(house: House) -> None:
    service = await house.recordings(render_every_s=1)
    live = await house.start(service)
    await house.hear(Speaker(1).say(tone(3), 1), 8)
    await eventually(lambda: (live.folder / "session.wav").exists())
    assert len(wav(live.folder / "1_Ana.wav")) == pytest.approx(4.1 * RATE_HZ, abs=0.1 * RATE_HZ)


class SlowWorkers(HereWorkers):
    """Workers that take their time, and know how many of them ever wrote the same file at once."""

    def __init__(self) -> None:
        self.busy: Counter[str] = Counter()
        self.most = 0

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        target = args[0].wav if function is render_track else str(args[1])
        # what runs in a worker goes on when who waits for it is cancelled
        return await asyncio.shield(asyncio.ensure_future(self._run(target, function, *args)))

    async def _run(self, target: str, function: Callable[..., Any], *args: Any) -> Any:
        self.busy[target] += 1
        self.most = max(self.most, self.busy[target])
        await asyncio.sleep(0.3)
        try:
            return await super().run(function, *args)
        finally:
            self.busy[target] -= 1


async def test_stopping_in_the_middle_of_rendering_waits_for_it(house: House) -> None:
    workers = SlowWorkers()
    service = await house.recordings(workers=workers, render_every_s=1)
    live = await house.start(service)
    await house.hear(Speaker(1).say(tone(3), 1), 8)
    await eventually(lambda: workers.busy.total() > 0)
    await service.stop(1, "x")
    found = await service.rendered(live.id)
    assert workers.most == 1
    assert found.people[0].speech_s == pytest.approx(3, abs=0.1)
    assert len(wav(live.folder / "session.wav")) == 8 * RATE_HZ


async def test_who_refuses_midway_is_gone_from_everything(house: House) -> None:
    service = await house.recordings(render_every_s=1)
    live = await house.start(service)
    frames = together(Speaker(1).say(tone(2), 1), Speaker(2).say(tone(2, hz=700), 1))
    await house.hear(frames, 6)
    await eventually(lambda: (live.folder / "session.wav").exists())
    assert (await service.decide(1, "out")).done
    assert not any(name.startswith("1_") for name in names_in(live.folder))
    house.channel.send(Speaker(1, ssrc=5).say(tone(2), 7))
    await house.hear(Speaker(2, ssrc=6).say(tone(2, hz=700), 7), 10)
    await service.stop(1, "x")
    found = await service.rendered(live.id)
    assert [person.name for person in found.people] == ["Bo"]
    assert found.consent.refused == 1
    assert "Ana" not in found.model_copy(update={"started_by": None}).model_dump_json()
    session, bo = wav(live.folder / "session.wav"), wav(live.folder / "2_Bo.wav")
    assert np.abs(session - bo * 10 ** (-3 / 20)).max() <= 1


async def test_a_decision_outlives_the_process(house: House) -> None:
    service = await house.recordings()
    await service.decide(1, "out")
    again = await house.recordings()
    assert not again.consent.allows(1)
    assert again.consent.decision(1) == "out"
    await again.decide(1, None)
    assert again.consent.allows(1)


async def test_a_person_is_deleted_from_all_that_is_past(house: House) -> None:
    service = await house.recordings()
    first, second = await house.record(service), await house.record(service)
    assert await service.delete_person(1) == 2
    for recording_id in (first.id, second.id):
        folder = service.archive.folder(service.archive.record(recording_id))
        assert names_in(folder) == {"2_Bo.ogg", "2_Bo.wav", "metadata.json", "session.wav", "timeline.png"}
        assert "Ana" not in (folder / "metadata.json").read_text()
        session, bo = wav(folder / "session.wav"), wav(folder / "2_Bo.wav")
        assert np.abs(session - bo * 10 ** (-3 / 20)).max() <= 1
    assert await service.delete_person(1) == 0
    assert (await service.archive.details(first.id)).state == "finished"


async def test_a_person_gets_their_data_and_nobody_elses(house: House) -> None:
    service = await house.recordings()
    found = await house.record(service)
    path, count = await service.export_person(1)
    assert count == 1
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        assert {name.rsplit("/")[-1] for name in names} == {"README.txt", "metadata.json", "1_Ana.ogg"}
        about = json.loads(archive.read(next(name for name in names if name.endswith(".json"))))
        text = json.dumps(about)
    assert about["id"] == found.id
    assert about["you"]["name"] == "Ana"
    assert "Bo" not in text
    with pytest.raises(RecordingError, match="Nothing is kept of you"):
        await service.export_person(999)


async def test_a_crash_is_made_good_at_the_next_start(house: House) -> None:
    service = await house.recordings()
    live = await house.start(service, report_channel_id=77)
    await house.hear(together(Speaker(1).say(tone(2), 1), Speaker(2).say(tone(1), 2)), 5)
    # the process dies here: nobody closes anything
    journal = live.folder / "1_Ana.ogg"
    journal.write_bytes(journal.read_bytes()[:-17])
    (live.folder / "1_Ana.wav").write_bytes(b"half a file")
    house.events.clear()
    again = await house.recordings()
    found = await again.rendered(live.id)
    assert (found.state, found.interrupted) == ("finished", True)
    assert [person.name for person in found.people] == ["Ana", "Bo"]
    assert found.people[0].missing
    assert found.people[0].packets.received >= 100
    assert len(wav(live.folder / "1_Ana.wav")) == len(wav(live.folder / "session.wav"))
    await house.hub.settle()
    assert [type(event) for event in house.events] == [RecordingRendered]
    record = again.archive.record(live.id)
    assert (record.state, record.report_channel_id) == ("finished", 77)


async def test_what_a_shutdown_left_is_finished_at_the_next_start(house: House) -> None:
    service = await house.recordings()
    live = await house.start(service)
    await house.hear(Speaker(1).say(tone(2), 1), 4)
    await service.close()
    assert read_metadata(live.folder).state == "rendering"
    again = await house.recordings()
    found = await again.rendered(live.id)
    assert (found.state, found.interrupted, found.reason) == ("finished", False, "I was shut down.")


async def test_a_lost_index_is_made_again_from_the_folders(house: House) -> None:
    service = await house.recordings()
    found = await house.record(service)
    await RecordingsRepository(house.store).delete(found.id)
    again = await house.recordings()
    (record,) = again.archive.records(1)
    assert (record.id, record.channel_name, record.duration_s) == (found.id, "Lounge", 6.0)


async def test_who_is_on_recordings_is_known_again_when_the_index_was_lost(house: House) -> None:
    service = await house.recordings()
    found = await house.record(service)
    await RecordingsRepository(house.store).delete(found.id)
    again = await house.recordings()
    assert await again.count_of(1) == 1
    assert await again.delete_person(1) == 1
    folder = again.archive.folder(again.archive.record(found.id))
    assert "Ana" not in (folder / "metadata.json").read_text(encoding="utf-8")
    assert not list(folder.glob("1_*"))


async def test_who_refused_just_before_a_crash_is_gone_after_it(house: House) -> None:
    service = await house.recordings()
    live = await house.start(service)
    await house.hear(together(Speaker(1).say(tone(2), 1), Speaker(2).say(tone(1), 2)), 5)
    await DecisionsRepository(house.store).save(
        [Decided(1, "recorded", "out", START)]
    )  # and the process dies before it could do more
    again = await house.recordings()
    found = await again.rendered(live.id)
    assert [person.name for person in found.people] == ["Bo"]
    assert not list(live.folder.glob("1_*"))
    assert found.interrupted


@pytest.mark.parametrize("mode", ["announce", "opt_in"])
async def test_the_bots_own_voice_is_on_a_track_of_its_own_and_nobody_need_agree(house: House, mode: str) -> None:
    service = await house.recordings(consent=mode)
    await service.decide(1, "in")
    mouth = Channel()
    live = await house.start(service, own_voice=(9, mouth))
    mouth.send(Speaker(9, seed=5).say(tone(1, hz=700), 2))
    await house.hear(Speaker(1).say(tone(1), 1), 5)
    await service.stop(1, "Enough.")
    assert not mouth.callbacks
    found = await service.rendered(live.id)
    assert {person.id: person.bot for person in found.people} == {"1": False, "9": True}
    track = wav(live.folder / found.person(9).track)
    loud = np.flatnonzero(np.abs(track[:, 0].astype(int)) > 2000)
    assert loud[0] / RATE_HZ == pytest.approx(2 + DELAY_S, abs=0.02)
    assert loud[-1] / RATE_HZ == pytest.approx(3 + DELAY_S, abs=0.02)


async def test_the_bots_own_voice_can_be_left_out(house: House) -> None:
    service = await house.recordings(own_voice=False)
    mouth = Channel()
    live = await house.start(service, own_voice=(9, mouth))
    assert not mouth.callbacks
    await house.hear(Speaker(1).say(tone(1), 1), 5)
    await service.stop(1, "Enough.")
    assert [person.id for person in (await service.rendered(live.id)).people] == ["1"]


async def test_files_that_cannot_be_made_are_told_once_and_tried_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise ValueError("of a kind nobody thought of")

    service = await house.recordings()
    monkeypatch.setattr("core.recording.rendering.render_track", broken)
    live = await house.start(service)
    await house.hear(Speaker(1).say(tone(2), 1), 4)
    await service.stop(1, "Enough.")
    with pytest.raises(RecordingError, match="is safe"):
        await service.rendered(live.id)
    assert [metadata for _, metadata in service.finisher.reports()] == [None]
    assert read_metadata(live.folder).state == "failed"
    with pytest.raises(RecordingError, match="next start"):
        await service.archive.pack(live.id)
    assert await service.count_of(1) == 1
    second = await house.recordings()
    await eventually(lambda: second.archive.record(live.id).state == "failed")
    assert second.finisher.reports() == []
    monkeypatch.undo()
    third = await house.recordings()
    found = await third.rendered(live.id)
    assert (found.state, found.reason, found.interrupted) == ("finished", "Enough.", False)


async def test_a_refusal_while_the_recording_is_being_closed_holds_too(house: House) -> None:
    service = await house.recordings()
    live = await house.start(service)
    await house.hear(together(Speaker(1).say(tone(2), 1), Speaker(2).say(tone(1), 2)), 5)
    stopping = asyncio.create_task(service.stop(1, "Enough."))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (await service.decide(1, "out")).done
    await stopping
    found = await service.rendered(live.id)
    assert [person.name for person in found.people] == ["Bo"]
    assert not list(live.folder.glob("1_*"))


async def test_a_recording_can_be_thrown_away_as_if_it_had_not_been(house: House) -> None:
    service = await house.recordings()
    live = await house.start(service)
    await house.hear(Speaker(1).say(tone(1), 1), 3)
    await service.discard(1, "Nobody was told.")
    assert not live.folder.exists()
    assert service.archive.records(1) == []
    assert await service.count_of(1) == 0


async def test_who_gives_up_waiting_for_a_deletion_does_not_end_the_recording(house: House) -> None:
    service = await house.recordings()
    live = await house.start(service)
    await house.hear(Speaker(1).say(tone(1), 0), 2)
    for _ in range(5):
        deletion = asyncio.create_task(live.forget(1))
        await asyncio.sleep(0)
        deletion.cancel()
        await asyncio.wait([deletion])
        await house.written()
    await house.hear(Speaker(2).say(tone(1), 2), 4)
    assert live.recorder.reason is None
    assert set(live.recorder.tracks.journals()) == {2}


async def test_a_database_that_fails_at_the_end_costs_only_the_index(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await house.recordings()
    live = await house.start(service)
    await house.hear(Speaker(1).say(tone(1), 0), 2)
    update, failed = service.archive.update, []

    async def fail_once(*args: Any) -> None:
        if not failed:
            failed.append(args)
            raise StoreError("My database cannot be written.")
        await update(*args)

    monkeypatch.setattr(service.archive, "update", fail_once)
    await service.stop(1, "Enough.")
    assert (await service.rendered(live.id)).state == "finished"
    await house.hub.settle()
    assert [type(event) for event in house.events] == [RecordingStarted, RecordingStopped, RecordingRendered]


async def test_a_session_takes_its_recording_along(house: House) -> None:
    service = await house.recordings()
    live = await house.start(service, session_id="s1")
    house.hub.publish(SessionInterrupted(1, "other", 2, "not ours"))
    house.hub.publish(SessionInterrupted(1, "s1", 2, "The connection broke."))
    await house.hub.settle()
    await house.hear([], 2)
    house.hub.publish(SessionResumed(1, "s1", 2, 2.0))
    await house.hub.settle()
    await house.hear(Speaker(1).say(tone(1), 3), 5)
    house.hub.publish(SessionEnded(1, "s1", 2, None, "Everybody left.", START))
    await house.hub.settle()
    assert service.live(1) is None
    found = await service.rendered(live.id)
    assert found.reason == "Everybody left."
    assert [(gap.start_s, gap.duration_s, gap.reason) for gap in found.gaps] == [(0, 2, "The connection broke.")]


async def test_a_full_disk_ends_it_and_the_service_lives_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    service = await house.recordings()
    live = await house.start(service)
    await house.hear(Speaker(1).say(tone(1), 1), 3)
    monkeypatch.setattr("core.recording.limits.shutil.disk_usage", lambda _: type("", (), {"free": 0}))
    house.clock.at_s += 3
    await eventually(lambda: service.live(1) is None)
    found = await service.rendered(live.id)
    assert (found.state, found.reason) == ("finished", DISK_LOW)
    monkeypatch.undo()
    await house.start(service)


async def test_a_folder_that_cannot_be_written_is_refused_clearly(house: House) -> None:
    service = await house.recordings()
    house.root.parent.joinpath("recordings").write_text("a file where the folder should be")
    with pytest.raises(RecordingError, match=r"cannot be written .*\[recording\] folder"):
        await house.start(service)
    house.root.unlink()
    await house.start(service)


async def test_recordings_are_deleted_with_their_folders(house: House) -> None:
    service = await house.recordings()
    found = await house.record(service)
    await service.archive.delete(found.id)
    assert service.archive.records(1) == []
    assert list(house.root.iterdir()) == []
    with pytest.raises(RecordingError, match="no such recording"):
        await service.archive.delete(found.id)
    live = await house.start(service)
    with pytest.raises(RecordingError, match="still being worked on"):
        await service.archive.delete(live.id)


async def test_what_is_too_old_goes(house: House) -> None:
    service = await house.recordings()
    old = await house.record(service)
    house.clock.origin_s -= timedelta(days=31).total_seconds()
    new = await house.record(service)
    again = await house.recordings(retention_days=30)
    await eventually(lambda: len(again.archive.records(1)) == 1)
    assert [record.id for record in again.archive.records(1)] == [new.id]
    assert old.id != new.id


def sound_of(path: Path) -> tuple[Any, float]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        samples = sum(frame.samples for frame in container.decode(stream))
        return stream, samples / stream.rate


@pytest.mark.parametrize(
    ("settings", "track", "session"),
    [
        ({"format": "flac"}, "1_Ana.flac", "session.flac"),
        ({"format": "ogg"}, "1_Ana.ogg", "session.ogg"),
        ({"format": "ogg", "channels": 1, "bitrate_kbps": 320}, "1_Ana.ogg", "session.ogg"),  # more than libopus gives
        ({"format": "mp3", "channels": 1, "rate_hz": 24000, "bitrate_kbps": 64}, "1_Ana.mp3", "session.mp3"),
        ({"format": "wav", "channels": 1, "rate_hz": 16000}, "1_Ana.wav", "session.wav"),
    ],
)
async def test_finished_files_are_what_the_configuration_wants(
    house: House, settings: dict[str, Any], track: str, session: str
) -> None:
    service = await house.recordings(**settings)
    found = await house.record(service)
    folder = service.archive.folder(service.archive.record(found.id))
    assert (found.people[0].track, found.files.session) == (track, session)
    kinds = {name.rsplit(".")[-1] for name in names_in(folder)}
    assert kinds == {"ogg", "json", "png", settings["format"]}
    for name, seconds in ((track, 6), (session, 6)):
        stream, duration_s = sound_of(folder / name)
        assert duration_s == pytest.approx(seconds, abs=0.2)
        if name.endswith((".wav", ".mp3")):
            assert (stream.rate, stream.channels) == (settings["rate_hz"], 1)


async def test_every_utterance_can_have_a_file_of_its_own(house: House) -> None:
    service = await house.recordings(segment_files=True)
    found = await house.record(service)
    folder = service.archive.folder(service.archive.record(found.id))
    assert [segment.file for segment in found.segments] == ["segments/0001_1_Ana.wav", "segments/0002_2_Bo.wav"]
    for segment in found.segments:
        assert len(wav(folder / str(segment.file))) == pytest.approx(segment.duration_s * RATE_HZ, abs=50)
    await service.delete_person(1)
    assert {name for name in names_in(folder) if name.startswith("seg")} == {"segments/0001_2_Bo.wav"}


async def test_a_recording_is_packed_in_the_quality_somebody_wants(house: House) -> None:
    service = await house.recordings()
    found = await house.record(service)
    whole = await service.archive.pack(found.id)
    with zipfile.ZipFile(whole) as archive:
        assert set(archive.namelist()) == {"1_Ana.wav", "2_Bo.wav", "session.wav", "metadata.json", "timeline.png"}
        assert archive.testzip() is None
    one = await service.archive.pack(found.id, quality=Quality("mp3", 48_000, 1, 64), user_id=2)
    with zipfile.ZipFile(one) as archive:
        assert archive.namelist() == ["2_Bo.mp3"]
    assert one.stat().st_size < 60_000
    assert names_in(one.parent) == {"about.json", one.name}
    assert len(list(one.parent.parent.iterdir())) == 2


async def test_archives_do_not_outlive_what_they_hold_nor_the_day(house: House) -> None:
    service = await house.recordings()
    first, second = await house.record(service), await house.record(service)
    for found in (first, second):
        await service.archive.pack(found.id)
    mine, _ = await service.export_person(1)
    exports = mine.parent.parent
    await service.archive.delete(first.id)
    await service.delete_person(1)
    assert list(exports.iterdir()) == []
    old, new = await service.archive.pack(second.id), (await service.export_person(2))[0]
    os.utime(old, (time.time() - 90_000, time.time() - 90_000))
    await house.recordings()
    await eventually(lambda: not old.exists())
    assert new.exists()


async def test_damaged_metadata_is_told_and_harms_nobody(house: House) -> None:
    service = await house.recordings()
    found = await house.record(service)
    folder = service.archive.folder(service.archive.record(found.id))
    (folder / "metadata.json").write_text("{")
    with pytest.raises(RecordingError, match="damaged"):
        await service.archive.details(found.id)
    await house.recordings()


def test_metadata_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Metadata(id="a", guild=GUILD, channel=LOUNGE, started_at=START, consent={"mode": "announce"})
    write_metadata(tmp_path, before)

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("core.private.os.fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_metadata(tmp_path, before.model_copy(update={"id": "b"}))
    assert read_metadata(tmp_path).id == "a"
    assert names_in(tmp_path) == {"metadata.json"}


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for lies in threads and on disk
            await asyncio.sleep(0.02)

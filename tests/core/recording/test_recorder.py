from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from core.audio.frames import OPUS_SILENCE, OpusFrame
from core.audio.opus import packet_samples
from core.bot.recording_messages import finished_text
from core.clock import SystemClock
from core.recording.gap_tracker import DEAFENED, ENCRYPTED, UNENCRYPTED
from core.recording.journal import JournalReader
from core.recording.limits import LARGEST, LONGEST, RecordingLimits
from core.recording.metadata import Encryption, Named, read_metadata
from core.recording.recorder import (
    DISK_FULL,
    DISK_GONE,
    Recorder,
)
from core.recording.rights import RecordingConsent
from core.voice.receive.missed import Missed
from tests.core.recording.people import (
    START,
    FakeClock,
    Speaker,
    feed,
    metadata,
    names_in,
    new_recorder,
    together,
    tone,
)

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, BinaryIO

NAMES = {1: "Ana", 2: "Bo", 3: "..\\.."}


def recorder(folder: Path, clock: Any = None, **more: Any) -> Recorder:
    options: dict[str, Any] = {
        "consent": RecordingConsent("announce"),
        "name_of": lambda user_id: NAMES.get(user_id, "x"),
        **more,
    }
    return new_recorder(folder, metadata(), clock=clock or FakeClock(), **options)


def entries(path: Path) -> list[Any]:
    with path.open("rb") as file:
        return list(JournalReader(file))


def test_everybody_gets_a_journal_that_anything_plays(tmp_path: Path) -> None:
    clock = FakeClock()
    live = recorder(tmp_path, clock)
    feed(live, clock, together(Speaker(1).say(tone(1), 0.5), Speaker(2).say(tone(2), 1)), 4)
    live.stop("Enough.").result(5)
    assert names_in(tmp_path) == {"1_Ana.ogg", "2_Bo.ogg", "metadata.json"}
    with av.open(str(tmp_path / "2_Bo.ogg")) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) > 2.9 * 48_000
    found = read_metadata(tmp_path)
    assert (found.state, found.reason, found.duration_s) == ("rendering", "Enough.", 4.0)
    assert [(p.name, p.packets.received, p.packets.lost, p.first_sound_s) for p in found.people] == [
        ("Ana", 55, 0, pytest.approx(0.54, abs=0.01)),
        ("Bo", 105, 0, pytest.approx(1.04, abs=0.01)),
    ]


def test_silence_alone_makes_no_file(tmp_path: Path) -> None:
    clock = FakeClock()
    live = recorder(tmp_path, clock)
    feed(live, clock, Speaker(1).say(tone(0), 0.5), 2)
    live.stop("x").result(5)
    assert names_in(tmp_path) == {"metadata.json"}
    assert read_metadata(tmp_path).people == []


def test_a_fifth_of_a_second_is_kept(tmp_path: Path) -> None:
    clock = FakeClock()
    live = recorder(tmp_path, clock)
    feed(live, clock, Speaker(1).say(tone(0.2), 0, silence=False), 0.25)
    live.stop("x").result(5)
    assert len(entries(tmp_path / "1_Ana.ogg")) == 10


def test_ninety_nine_people_get_ninety_nine_journals(tmp_path: Path) -> None:
    clock = FakeClock()
    live = recorder(tmp_path, clock)
    sound = tone(0.4)
    feed(live, clock, together(*(Speaker(i, seed=i).say(sound, 0.2) for i in range(1, 100))), 1)
    live.stop("x").result(5)
    journals = list(tmp_path.glob("*.ogg"))
    assert len(journals) == 99
    assert all(len(entries(path)) == 25 for path in journals)


def test_two_people_of_one_name_do_not_share_a_file(tmp_path: Path) -> None:
    clock = FakeClock()
    live = recorder(tmp_path, clock)
    feed(live, clock, together(Speaker(3).say(tone(0.3), 0), Speaker(4).say(tone(0.3), 0)), 1)
    live.stop("x").result(5)
    assert names_in(tmp_path) == {"3_someone.ogg", "4_x.ogg", "metadata.json"}


def test_who_refuses_leaves_nothing_on_disk_from_that_moment_on(tmp_path: Path) -> None:
    clock, consent = FakeClock(), RecordingConsent("announce")
    live = recorder(tmp_path, clock, consent=consent)
    speaker = Speaker(1)
    feed(live, clock, together(speaker.say(tone(2), 0), Speaker(2).say(tone(5), 0)), 2.1)
    assert "1_Ana.ogg" in names_in(tmp_path)
    consent.decide(1, "out")
    done = live.forget(1)
    feed(live, clock, speaker.say(tone(2), 2.1), 4.5)
    assert done.done()
    assert names_in(tmp_path) == {"2_Bo.ogg", "metadata.json"}
    live.stop("x").result(5)
    assert names_in(tmp_path) == {"2_Bo.ogg", "metadata.json"}
    assert "Ana" not in (tmp_path / "metadata.json").read_text()
    assert live.packets.withheld > 90


def test_a_packet_that_waits_when_its_sender_refuses_is_not_written(tmp_path: Path) -> None:
    clock, consent = FakeClock(), RecordingConsent("announce")
    live = recorder(tmp_path, clock, consent=consent)
    for frame in Speaker(1).say(tone(1), 0):
        live.write(frame)
    consent.decide(1, "out")
    live.turn(clock.at_s + 2)
    live.stop("x").result(5)
    assert names_in(tmp_path) == {"metadata.json"}


def test_opt_in_records_only_who_agreed(tmp_path: Path) -> None:
    clock, consent = FakeClock(), RecordingConsent("opt_in", {2: "in"})
    live = recorder(tmp_path, clock, consent=consent)
    feed(live, clock, together(Speaker(1).say(tone(1), 0), Speaker(2).say(tone(1), 0)), 2)
    consent.decide(1, "in")
    feed(live, clock, Speaker(1, ssrc=99).say(tone(1), 2), 4)
    live.stop("x").result(5)
    assert entries(tmp_path / "1_Ana.ogg")[0].position == pytest.approx(2.04 * 48_000, abs=100)
    assert entries(tmp_path / "2_Bo.ogg")[0].position == pytest.approx(0.04 * 48_000, abs=100)


def test_a_pause_lets_packets_go_by_and_is_in_the_metadata(tmp_path: Path) -> None:
    clock = FakeClock()
    live = recorder(tmp_path, clock)
    speaker = Speaker(1)
    frames = speaker.say(tone(9), 0)
    feed(live, clock, [f for f in frames if f.arrival_s < 1002], 2)
    live.pause()
    assert live.packets.paused
    feed(live, clock, [f for f in frames if 1002 <= f.arrival_s < 1005], 5)
    live.resume()
    feed(live, clock, [f for f in frames if f.arrival_s >= 1005], 10)
    live.stop("x").result(5)
    positions = np.array([entry.position for entry in entries(tmp_path / "1_Ana.ogg")]) / 48_000
    assert not ((positions > 2.0) & (positions < 4.99)).any()
    assert positions.max() == pytest.approx(9.12, abs=0.02)
    found = read_metadata(tmp_path)
    assert found.people[0].packets.lost == 0  # nobody listened: nothing was lost
    (gap,) = found.gaps
    assert (gap.start_s, gap.duration_s, gap.pause) == (2.0, 3.0, True)


def test_gaps_of_the_connection_and_notes_are_in_the_metadata(tmp_path: Path) -> None:
    clock = FakeClock()
    live = recorder(tmp_path, clock)
    feed(live, clock, [], 1)
    live.log.note("Roll for initiative", Named(id="1", name="Ana"))
    live.log.gap_started("The connection broke.")
    feed(live, clock, [], 3)
    live.log.gap_ended()
    feed(live, clock, [], 4)
    live.log.gap_started("Again.")
    feed(live, clock, [], 4.5)
    live.stop("x").result(5)
    found = read_metadata(tmp_path)
    assert [(g.start_s, g.duration_s, g.reason, g.pause) for g in found.gaps] == [
        (1.0, 2.0, "The connection broke.", False),
        (4.0, 0.5, "Again.", False),
    ]
    assert [(n.at_s, n.text, n.by.name if n.by else "") for n in found.notes] == [(1.0, "Roll for initiative", "Ana")]


def test_a_connection_that_is_away_while_people_are_heard_leaves_a_gap_only_where_they_are_not(tmp_path: Path) -> None:
    clock = FakeClock()
    live = recorder(tmp_path, clock)
    speaker = Speaker(1)
    feed(live, clock, speaker.say(tone(1), 0), 1)
    live.log.gap_started("connection lost")  # the websocket; media still comes for a second, and again after another
    feed(live, clock, speaker.say(tone(1), 1), 2.1)
    feed(live, clock, speaker.say(tone(0.5), 3), 3.7)
    live.log.gap_ended()
    feed(live, clock, [], 4)
    live.stop("x").result(5)
    (gap,) = read_metadata(tmp_path).gaps
    assert gap.start_s == pytest.approx(2.1, abs=0.1)
    assert gap.duration_s == pytest.approx(0.9, abs=0.1)


def test_the_start_in_the_metadata_is_the_moment_positions_count_from(tmp_path: Path) -> None:
    clock = FakeClock()
    clock.at_s += 2.5  # since what is known of the recording was written down
    live = recorder(tmp_path, clock)
    live.stop("x").result(5)
    found = read_metadata(tmp_path)
    assert (found.started_at - START).total_seconds() == live.started_s - clock.origin_s == 2.5


def test_how_packets_come_is_followed_and_kept_while_nobody_knows(tmp_path: Path) -> None:
    clock, now = FakeClock(), [Encryption(transport="aead", end_to_end="")]
    live = recorder(tmp_path, clock, encryption=lambda: now[0])
    now[0] = Encryption(transport="aead", end_to_end="DAVE 1")
    feed(live, clock, [], 6)
    assert read_metadata(tmp_path).encryption.end_to_end == "DAVE 1"
    now[0] = None
    live.stop("x").result(5)
    assert read_metadata(tmp_path).encryption.end_to_end == "DAVE 1"


@pytest.mark.parametrize(
    ("limits", "reason"), [(RecordingLimits(length_s=3), LONGEST), (RecordingLimits(bytes=20_000), LARGEST)]
)
def test_a_limit_ends_it_with_what_is_there(tmp_path: Path, limits: RecordingLimits, reason: str) -> None:
    clock, told = FakeClock(), []
    live = recorder(tmp_path, clock, limits=limits, on_ended=told.append)
    feed(live, clock, Speaker(1).say(tone(10), 0), 10)
    assert told == [reason]
    live.stop("by hand").result(5)
    assert read_metadata(tmp_path).reason == reason
    assert len(entries(tmp_path / "1_Ana.ogg")) > 100


def test_too_little_room_on_the_disk_ends_it(tmp_path: Path) -> None:
    clock, told = FakeClock(), []
    live = recorder(tmp_path, clock, limits=RecordingLimits(free_bytes=2**60), on_ended=told.append)
    feed(live, clock, Speaker(1).say(tone(4), 0), 4)
    live.stop("x").result(5)
    assert len(told) == 1
    assert "nearly full" in told[0]


class FailingFile:
    """A file on a disk that runs full after some bytes."""

    def __init__(self, path: Path, room: list[int], code: int) -> None:
        self._file = path.open("xb", buffering=0)
        self._room, self._code = room, code

    def write(self, data: memoryview) -> int:
        if self._room[0] <= 0:
            raise OSError(self._code, os.strerror(self._code))
        written = self._file.write(data[: self._room[0]]) or 0
        self._room[0] -= written
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@pytest.mark.parametrize(("code", "reason"), [(errno.ENOSPC, DISK_FULL), (errno.EIO, DISK_GONE)])
def test_a_disk_that_fails_ends_it_cleanly_with_what_is_there(tmp_path: Path, code: int, reason: str) -> None:
    told: list[str] = []
    room = [30_000]

    def open_file(path: Path) -> BinaryIO:
        return FailingFile(path, room, code)  # type: ignore[return-value]

    live = recorder(tmp_path, SystemClock(), on_ended=told.append, open_file=open_file)
    live.start()
    now = time.monotonic()
    for speaker in (Speaker(1, start_s=now), Speaker(2, start_s=now)):
        for frame in speaker.say(tone(4), 0):
            live.write(frame)
    live.done.result(10)
    assert told == [reason]
    assert live.reason == reason
    assert read_metadata(tmp_path).reason == reason
    assert sum(len(entries(path)) for path in tmp_path.glob("*.ogg")) > 50


CHILD = """
import sys, time
from pathlib import Path
from core.audio.frames import OPUS_SILENCE, OpusFrame
from core.audio.opus import packet_samples
from core.clock import SystemClock
from core.recording.rights import RecordingConsent
from tests.core.recording.people import Speaker, metadata, new_recorder, together, tone

folder, mode = Path(sys.argv[1]), sys.argv[2]
if mode == "full":
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sound = tone(10)
live = new_recorder(folder, metadata(), consent=RecordingConsent("announce"), clock=SystemClock(), name_of=str,
                    on_ended=lambda reason: print("ended", reason, flush=True))
start = live.started_s
frames = together(*(Speaker(i, start_s=start, seed=i).say(sound, 0) for i in (1, 2, 3)))
live.start()
print("go", start, flush=True)
for frame in frames:
    wait = frame.arrival_s - time.monotonic()
    if wait > 0:
        time.sleep(wait)
    live.write(frame)
    if live.done.done():
        break
live.stop("end").result()
print("closed", flush=True)
"""


def child(folder: Path, mode: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), mode], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL there")
def test_a_killed_process_loses_at_most_the_last_second(tmp_path: Path) -> None:
    with child(tmp_path, "kill") as process:
        assert process.stdout is not None
        started_s = float(process.stdout.readline().split()[1])
        time.sleep(max(0.0, started_s + 3.3 - time.monotonic()))
        process.send_signal(signal.SIGKILL)
        lived_s = time.monotonic() - started_s
        process.wait()
    assert read_metadata(tmp_path).state == "recording"
    for user_id in (1, 2, 3):
        found = entries(tmp_path / f"{user_id}_{user_id}.ogg")
        assert found[-1].position / 48_000 > lived_s - 1.0
        assert set(np.diff([entry.position for entry in found])) == {960}
        with av.open(str(tmp_path / f"{user_id}_{user_id}.ogg")) as container:
            assert sum(frame.samples for frame in container.decode(audio=0)) > (lived_s - 1.0) * 48_000


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits on file sizes there")
def test_a_file_system_that_takes_no_more_ends_it_cleanly(tmp_path: Path) -> None:
    with child(tmp_path, "full") as process:
        out, err = process.communicate(timeout=30)
    assert f"ended {DISK_FULL}" in out
    assert "closed" in out
    assert "Traceback" not in err
    assert read_metadata(tmp_path).reason == DISK_FULL
    assert all(len(entries(path)) > 50 for path in tmp_path.glob("*.ogg"))


def test_writing_never_waits_for_the_disk(tmp_path: Path) -> None:
    clock = FakeClock()
    live = recorder(tmp_path, clock)
    for frame in Speaker(1).say(tone(1), 0):
        live.write(frame)
    assert names_in(tmp_path) == set()  # nothing happens on the disk before the recorder's own thread turns


def test_a_name_the_file_system_refuses_gives_way_to_the_id(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 200) / ("e" * 200)
    deep.mkdir(parents=True)
    clock = FakeClock()

    def open_file(path: Path) -> BinaryIO:
        if len(path.name) > 10:
            raise OSError(errno.ENAMETOOLONG, "File name too long")
        return path.open("xb", buffering=0)

    live = recorder(deep, clock, name_of=lambda _: "a long enough name", open_file=open_file)
    feed(live, clock, Speaker(1).say(tone(0.5), 0), 1)
    live.stop("x").result(5)
    assert names_in(deep) == {"1.ogg", "metadata.json"}


@pytest.mark.parametrize(
    ("toc", "count", "samples"), [(0xE0, 1, 120), (0xF8, 3, 2880), (0xF8, 6, 5760), (0xF0, 1, 480)]
)
def test_the_panel_counts_sound_by_the_length_of_its_frames(tmp_path: Path, toc: int, count: int, samples: int) -> None:
    clock = FakeClock()
    live = recorder(tmp_path, clock)
    payloads = [bytes((toc | 3, count)) + bytes(20)] * 100
    payloads += [OPUS_SILENCE, b"\xfb\x03" + 3 * b"\xff\xfe", bytes((toc,))] * 20  # silence, as several say it
    at = 0
    for number, payload in enumerate([*payloads, payloads[0]]):
        again = number == len(payloads)  # the network brings one twice
        live.write(OpusFrame(1, 1, 0 if again else at, 0 if again else number, 1000 + at / 48_000, payload))
        at += packet_samples(payload)
    live.turn(clock.at_s + 30)
    (heard,) = live.tracks.heard()
    live.stop("x").result(5)
    assert heard.sound_s == pytest.approx(100 * samples / 48_000)


def test_who_comes_for_a_tenth_of_a_second_is_known_by_name(tmp_path: Path) -> None:
    clock, there = FakeClock(), {1: "Ana"}
    live = recorder(tmp_path, clock, name_of=lambda user_id: there.get(user_id, str(user_id)))
    live.called.introduce(2, "Bo")  # came into the channel, and nobody knows them any more when their packets come
    for frame in Speaker(1).say(tone(0.1), 0) + Speaker(2).say(tone(0.1), 0):
        live.write(frame)
    there.clear()  # gone before the recorder's thread turned
    live.turn(clock.at_s + 2)
    live.stop("x").result(5)
    assert [person.name for person in read_metadata(tmp_path).people] == ["Ana", "Bo"]
    assert names_in(tmp_path) == {"1_Ana.ogg", "2_Bo.ogg", "metadata.json"}


def test_a_bot_that_is_deafened_or_silenced_leaves_gaps_with_times(tmp_path: Path) -> None:
    clock = FakeClock()
    live = recorder(tmp_path, clock, own_id=9)
    speaker = Speaker(1)
    feed(live, clock, speaker.say(tone(1.5), 0), 2)
    live.log.impaired(deafened=True, silenced=False)
    live.log.impaired(deafened=True, silenced=False)
    feed(live, clock, [], 5)
    during = read_metadata(tmp_path).gaps  # a killed process must not take it along
    live.log.impaired(deafened=False, silenced=True)
    feed(live, clock, speaker.say(tone(2), 5.1), 8)
    live.stop("x").result(5)
    found = [(gap.start_s, gap.duration_s, gap.user_id, gap.pause) for gap in read_metadata(tmp_path).gaps]
    assert found == [(2.0, 3.0, None, False), (5.0, 3.0, "9", False)]  # people are heard then, the bot alone is not
    assert [(gap.start_s, gap.reason) for gap in during] == [(2.0, DEAFENED)]


def test_encryption_that_goes_off_is_noted_with_its_time_and_makes_the_weakest_state_known(tmp_path: Path) -> None:
    clock = FakeClock()
    now = Encryption(transport="aead_aes256_gcm_rtpsize", end_to_end="DAVE 1")
    live = recorder(tmp_path, clock, encryption=lambda: now)
    feed(live, clock, Speaker(1).say(tone(1), 0), 2)
    assert read_metadata(tmp_path).encryption.end_to_end == "DAVE 1"
    live.log.encryption_changed(off=True, at_s=1002.0)
    live.log.encryption_changed(off=False, at_s=1003.5)  # sooner than anybody looked again
    feed(live, clock, Speaker(1).say(tone(1), 4), 9)
    live.stop("x").result(5)
    found = read_metadata(tmp_path)
    assert [(note.at_s, note.text, note.by) for note in found.notes] == [
        (2.0, UNENCRYPTED, None),
        (3.5, ENCRYPTED, None),
    ]
    assert found.encryption == Encryption(transport="aead_aes256_gcm_rtpsize", end_to_end="")
    assert "not encrypted end to end" in finished_text(found)


def test_frames_of_one_person_that_could_not_be_had_are_gaps_of_theirs(tmp_path: Path) -> None:
    clock = FakeClock()
    stretches = {
        1: [Missed("no_key", 999.0, 1000.4, 20), Missed("no_key", 1002.0, 1002.98, 50)],
        2: [Missed("no_key", 1001.0, 1001.0, 1)],
    }
    consent = RecordingConsent("announce")
    live = recorder(
        tmp_path,
        clock,
        consent=consent,
        undecryptable=lambda: {1: {"no_key": 70}, 2: {"no_key": 1}},
        missed=lambda: stretches,
    )
    consent.decide(2, "out")
    feed(live, clock, Speaker(1).say(tone(1), 0.5), 4)
    live.stop("x").result(5)
    found = read_metadata(tmp_path)
    assert [(gap.user_id, gap.start_s, gap.duration_s) for gap in found.gaps] == [("1", 0, 0.42), ("1", 2.0, 1.0)]
    assert "(70 packets could not be decrypted)" in finished_text(found)
    assert "The connection was away" not in finished_text(found)


def test_of_who_was_forgotten_no_gap_is_told(tmp_path: Path) -> None:
    clock = FakeClock()
    stretches = {1: [Missed("no_key", 1000.0, 1000.4, 20)]}
    counts = {1: {"no_key": 20}}
    live = recorder(tmp_path, clock, undecryptable=lambda: counts, missed=lambda: stretches)
    feed(live, clock, [], 2)
    assert len(read_metadata(tmp_path).gaps) == 1
    live.forget(1)
    feed(live, clock, [], 3)
    live.stop("x").result(5)
    found = read_metadata(tmp_path)
    assert (found.gaps, found.people) == ([], [])

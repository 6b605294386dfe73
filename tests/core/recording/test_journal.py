from __future__ import annotations

import io
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from core.audio.frames import RATE_HZ
from core.audio.ogg import PRE_SKIP
from core.audio.packet_timeline import Placed
from core.recording.journal import JournalEntry, JournalReader, JournalWriter
from tests.core.recording.people import Speaker, impulses, peaks

if TYPE_CHECKING:
    from pathlib import Path

TOC = b"\xfc"


def write(path: Path, placed: list[Placed]) -> Path:
    journal = JournalWriter(path, 5, {"TITLE": "Ana"})
    for each in placed:
        journal.add(each)
    journal.close()
    return path


def read(path: Path) -> list[JournalEntry]:
    with path.open("rb") as file:
        return list(JournalReader(file))


def placed(position: int, number: int = 0, **more: object) -> Placed:
    return Placed(position, 960, TOC + number.to_bytes(4, "big"), **more)


def test_positions_and_losses_come_back_to_the_sample(tmp_path: Path) -> None:
    sent = [
        placed(1_234, 1, starts_spurt=True),
        placed(2_194, 2),
        placed(3_155, 3),
        placed(6_035, 4, lost_before=2),
        placed(6_036 + 960 + 77, 5, starts_spurt=True),
        placed(48_000 * 3600 + 1, 6, starts_spurt=True),
        placed(48_000 * 3600 + 961 + 960 * 40, 7, lost_before=40),
    ]
    found = read(write(tmp_path / "a.ogg", sent))
    assert [(each.position, each.payload) for each in found] == [(each.position, each.payload) for each in sent]
    assert [each.lost_before for each in found] == [0, 0, 0, 2, 0, 0, 25]
    assert [each.recoverable for each in found] == [False, False, False, True, False, False, False]
    assert not any(each.damage for each in found)


def test_every_player_keeps_time_whether_it_goes_by_positions_or_by_counting(tmp_path: Path) -> None:
    speaker = Speaker(1)
    clicks = (0.5, 1.5)
    first = [frame.payload for frame in speaker.say(impulses(2, clicks), 0)]
    second = [frame.payload for frame in speaker.say(impulses(2, clicks), 0)]
    begin, again = 10_000, 10_000 + 65 * RATE_HZ + 55
    sent = [Placed(begin + i * 960, 960, payload, starts_spurt=i == 0) for i, payload in enumerate(first)]
    sent += [Placed(again + i * 960, 960, payload, starts_spurt=i == 0) for i, payload in enumerate(second)]
    path = write(tmp_path / "a.ogg", sent)
    assert path.stat().st_size < 120_000  # a minute of silence costs next to nothing
    by_position = np.zeros((again + 3 * RATE_HZ, 2), np.float32)
    counted: list[np.ndarray] = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            samples = frame.to_ndarray().T
            counted.append(samples)
            at = max(0, frame.pts)
            by_position[at : at + len(samples)] = samples[: len(by_position) - at]
    true = [begin - PRE_SKIP + round(c * RATE_HZ) for c in clicks] + [
        again - PRE_SKIP + round(c * RATE_HZ) for c in clicks
    ]
    true = [each + PRE_SKIP for each in true]
    found = peaks(by_position * 32767, 8000)
    assert np.abs(np.array(found) - true).max() <= 60  # to the nearest 2.5 ms
    found = peaks(np.concatenate(counted) * 32767, 8000)
    assert np.abs(np.array(found) - true).max() <= 60


def test_a_journal_cut_anywhere_gives_every_packet_before_the_cut(tmp_path: Path) -> None:
    sent = [
        placed(i * 960 + (i // 10) * RATE_HZ, i, starts_spurt=i % 10 == 0, lost_before=i % 7 == 3) for i in range(40)
    ]
    data = write(tmp_path / "a.ogg", sent).read_bytes()
    whole = read(tmp_path / "a.ogg")
    for cut in range(0, len(data), 7):
        reader = JournalReader(io.BytesIO(data[:cut]))
        found = list(reader)
        assert found == [each for each in whole if each.next_offset <= cut]
        assert not reader.complete


def test_damage_is_told_where_it_is_and_the_rest_is_read(tmp_path: Path) -> None:
    sent = [placed(i * 960, i, starts_spurt=i == 0) for i in range(50)]
    path = write(tmp_path / "a.ogg", sent)
    data = bytearray(path.read_bytes())
    whole = read(path)
    data[whole[20].offset + 29] ^= 1
    del data[whole[30].offset : whole[33].offset]  # three pages gone without a trace
    found = list(JournalReader(io.BytesIO(bytes(data))))
    lost = {20, 30, 31, 32}
    assert [each.payload for each in found] == [each.payload for i, each in enumerate(whole) if i not in lost]
    assert [each.position for each in found if each.damage] == [21 * 960, 33 * 960]


def test_a_damaged_beginning_costs_no_packet(tmp_path: Path) -> None:
    sent = [placed(i * 960, i, starts_spurt=i == 0) for i in range(10)]
    data = bytearray(write(tmp_path / "a.ogg", sent).read_bytes())
    data[5:60] = b"\0" * 55
    assert len(list(JournalReader(io.BytesIO(bytes(data))))) == 10


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    write(tmp_path / "a.ogg", [placed(0)])
    with pytest.raises(FileExistsError):
        JournalWriter(tmp_path / "a.ogg", 1, {})

"""Journals are judged by others: no tool has a word to say about them, whatever was sent and wherever they end."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.audio.frames import OPUS_SILENCE, RATE_HZ
from core.audio.opus import Encoder
from core.audio.packet_timeline import Placed
from core.recording.journal import JournalReader, JournalWriter
from core.recording.marks import empty_packets, mark, unmark
from tests.core.audio.test_packet_timeline import FRAMES, of_length, place
from tests.core.recording.opus_rules import complaints, rules_broken
from tests.core.recording.people import Speaker, together, tone

ENCODED = {
    size: [Encoder(application="audio").encode(tone(size / RATE_HZ)) for _ in range(3)]
    for size in (120, 240, 480, 960, 1920, 2880)
}


def journal_of(path: Path, placed: list[Placed], *, flush_every: int = 7) -> JournalWriter:
    journal = JournalWriter(path, 5, {"TITLE": "Ana"})
    for number, each in enumerate(placed):
        journal.add(each)
        if number % flush_every == 0:
            journal.flush(sync=False)
    journal.flush(sync=False)
    return journal


def people(path: Path) -> list[Placed]:
    """Two spurts on a bad network, from a clock that is not ours."""
    speaker = Speaker(1, loss=0.1, seed=4, jitter_s=0.01)
    return place(together(speaker.say(tone(2), 0.333), speaker.say(tone(1), 7.7771, silence=False)))[0]


def test_no_tool_complains_of_a_journal_that_is_live_or_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    journal = journal_of(path, people(path))
    assert complaints(path) == []  # as a killed process leaves it
    journal.close()
    assert complaints(path) == []
    with path.open("rb") as file:
        reader = JournalReader(file)
        list(reader)
    assert reader.complete


def test_no_tool_complains_of_a_journal_that_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    journal_of(path, people(path)).close()
    data = path.read_bytes()
    for cut in range(200, len(data), 997):
        path.write_bytes(data[:cut])
        assert rules_broken(data[:cut], cut=True) == []
        # opusinfo notes a page cut in two, as it must; a cut between pages it does not see
    boundary = data.rfind(b"OggS", 0, len(data) // 2)
    path.write_bytes(data[:boundary])
    assert complaints(path, cut=True) == []


@pytest.mark.parametrize("packets", [1, 2, 5])
@pytest.mark.parametrize("size", sorted(ENCODED))
def test_the_shortest_visit_makes_a_whole_file(tmp_path: Path, size: int, packets: int) -> None:
    placed = [Placed(i * size, size, ENCODED[size][0], starts_spurt=i == 0) for i in range(packets)]
    path = tmp_path / "a.ogg"
    journal_of(path, placed).close()
    assert complaints(path) == []


@pytest.mark.parametrize("drift", [-1, 1])
def test_a_clock_that_runs_off_breaks_no_rule_and_loses_no_sample(tmp_path: Path, drift: int) -> None:
    payload = ENCODED[960][0]
    sent = [Placed(1000 + i * (960 + drift), 960, payload, starts_spurt=i == 0) for i in range(2000)]
    path = tmp_path / "a.ogg"
    journal_of(path, sent, flush_every=50).close()
    assert complaints(path) == []
    with path.open("rb") as file:
        found = list(JournalReader(file))
    assert [(each.position, each.payload, each.lost_before) for each in found] == [
        (each.position, payload, 0) for each in sent
    ]


packet = st.tuples(st.sampled_from(sorted(FRAMES)), st.integers(1, 6))


@settings(max_examples=100, deadline=None)
@given(
    start=st.integers(0, 100_000),
    plan=st.lists(
        st.tuples(packet, st.sampled_from((0, 0, 0, 1, 2, 7, 40)), packet, st.integers(-1, 1), st.integers(0, 200_000)),
        min_size=1,
        max_size=40,
    ),
)
def test_a_journal_keeps_time_for_every_length_of_packet_through_losses_drift_and_pauses(
    start: int, plan: list[tuple[tuple[bytes, int], int, tuple[bytes, int], int, int]]
) -> None:
    sent: list[Placed] = []
    at = start
    for number, ((toc, count), lost, (lost_toc, lost_count), drift, pause) in enumerate(plan):
        count = min(count, 5760 // FRAMES[toc])
        lost = lost if number else 0
        pauses = pause < 100_000 or number == 0
        at += lost * FRAMES[lost_toc] * min(lost_count, 5760 // FRAMES[lost_toc]) + drift * (number > 0)
        at = max(0, at + (pause if pauses else 0))
        samples = count * FRAMES[toc]
        sent.append(Placed(at, samples, of_length(toc, count, number), lost, pauses))
        at += samples
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.ogg"
        journal_of(path, sent).close()
        assert rules_broken(path.read_bytes()) == []
        with path.open("rb") as file:
            found = list(JournalReader(file))
            offset, sequence, shift = 0, None, 0
            resumed = []  # as rendering does: one by one, each from where the last one ended
            for _ in sent:
                reader = JournalReader(file, offset, sequence, shift)
                entry = next(iter(reader))
                resumed.append(entry)
                offset, sequence, shift = entry.next_offset, reader.sequence, reader.shift
    assert [(each.position, each.samples, each.payload) for each in found] == [
        (each.position, each.samples, each.payload) for each in sent
    ]
    assert resumed == found
    assert all((each.lost_before > 0) <= (there.lost_before > 0) for each, there in zip(found, sent, strict=True))


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=1, max_size=1300), st.integers(-(2**31), 2**31 - 1))
def test_a_mark_is_taken_off_without_a_trace(payload: bytes, shift: int) -> None:
    """Whatever people send, even padding and what looks like marks of ours."""
    if payload[0] & 3 == 3 and len(payload) < 2:
        return
    once = mark(payload, shift)
    read = unmark(once)
    if read.payload != payload:  # only where the padding was no padding
        assert payload[0] & 3 == 3
        assert payload[1] & 0x40
    else:
        assert read.shift == shift
        assert unmark(mark(once, 5)).payload == once


@pytest.mark.parametrize("samples", range(120, 5761, 120))
def test_an_empty_packet_is_as_long_as_the_one_that_was_lost(samples: int) -> None:
    for toc in range(0, 256, 4):
        (made,) = empty_packets(toc, (samples,))
        from core.audio.opus import packet_samples

        assert packet_samples(made) == samples


def test_people_who_send_what_we_write_do_not_move_their_track(tmp_path: Path) -> None:
    forged = mark(OPUS_SILENCE, 2**30, ours=True)
    payloads = [ENCODED[960][0], forged, b"\xff\x01", b"\xfb\x01\xff\xfe", mark(forged, -5), ENCODED[960][1]]
    sent = [Placed(i * 960, 960, payload, starts_spurt=i == 0) for i, payload in enumerate(payloads)]
    path = tmp_path / "a.ogg"
    journal_of(path, sent).close()
    with path.open("rb") as file:
        found = list(JournalReader(file))
    assert [(each.position, each.payload, each.lost_before) for each in found] == [
        (i * 960, payload, 0) for i, payload in enumerate(payloads)
    ]


def test_three_lost_packets_of_sixty_milliseconds_are_marked_as_long_as_they_were(tmp_path: Path) -> None:
    payload = of_length(b"\xf8", 3, 1)
    sent = [Placed(0, 2880, payload, starts_spurt=True), Placed(4 * 2880, 2880, payload, lost_before=3)]
    path = tmp_path / "a.ogg"
    journal_of(path, sent).close()
    with path.open("rb") as file:
        _, second = list(JournalReader(file))
    assert (second.position, second.lost_before, second.lost_samples) == (4 * 2880, 3, 3 * 2880)

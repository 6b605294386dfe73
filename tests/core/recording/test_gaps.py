from __future__ import annotations

from typing import TYPE_CHECKING

from core.recording.gap_tracker import GapTracker

if TYPE_CHECKING:
    from core.recording.metadata import Gap


def test_a_packet_that_came_before_the_gap_does_not_move_its_begin() -> None:
    closed: list[Gap] = []
    gaps = GapTracker(closed.append)
    gaps.begin(5.0, "away", "away")
    gaps.heard(4.9)  # waited in the queue
    gaps.end(8.0, "away")
    assert [(gap.start_s, gap.duration_s) for gap in closed] == [(5.0, 3.0)]


def test_one_kind_of_gap_ends_no_other() -> None:
    closed: list[Gap] = []
    gaps = GapTracker(closed.append)
    gaps.begin(1.0, "deafened", "deafened")
    gaps.begin(2.0, "away", "away")
    gaps.end(3.0, "away")
    assert [gap.reason for gap in closed] == ["away"]
    assert [(gap.reason, gap.duration_s) for gap in gaps.so_far(4.0)] == [("deafened", 3.0)]

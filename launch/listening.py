"""What a listener can say of a speaker's packets: where speech ran, where it broke, how even it came."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loopback.people.ears import HeardFrame

SPURT_GAP_S = 0.5  # packets further apart belong to different talk-spurts
FRAME_S = 0.02


@dataclass(frozen=True, slots=True)
class Spurt:
    """One talk-spurt as it arrived.

    `silent_inside` counts runs of silence packets between voiced ones: a source that ran dry. `max_gap_ms` is the
    longest time between two packets within the spurt.
    """

    first_s: float
    duration_s: float
    packets: int
    silent_inside: int
    max_gap_ms: float


def spurts(frames: Sequence[HeardFrame]) -> list[Spurt]:
    """Cut a speaker's frames, in order of arrival, into talk-spurts."""
    groups: list[list[HeardFrame]] = []
    for frame in frames:
        if not groups or frame.arrival_s - groups[-1][-1].arrival_s > SPURT_GAP_S:
            groups.append([])
        groups[-1].append(frame)
    return [_describe(group) for group in groups]


def _describe(frames: list[HeardFrame]) -> Spurt:
    spoken = [index for index, frame in enumerate(frames) if not frame.silence]
    inside = frames[spoken[0] : spoken[-1] + 1] if spoken else []
    runs = sum(frame.silence and not before.silence for before, frame in itertools.pairwise(inside))
    gaps = [after.arrival_s - before.arrival_s for before, after in itertools.pairwise(frames)]
    return Spurt(
        first_s=frames[0].arrival_s,
        duration_s=len(inside) * FRAME_S,
        packets=len(frames),
        silent_inside=runs,
        max_gap_ms=max(gaps, default=0.0) * 1000,
    )

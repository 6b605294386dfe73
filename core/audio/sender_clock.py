"""What is known of one sender's clock: how far it is from the recording's, whether it runs through silence, whether it stalls."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from core.audio.frames import RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Sequence

_STALL_LIMIT = 1.0 * RATE_HZ  # the longest the network is believed to have held packets back
JUMP = 0.025 * RATE_HZ  # the least by which a clock is believed to have jumped
_JITTER = 0.015 * RATE_HZ  # what is assumed of a network not yet known
_MOST_APART = 8 * _JITTER  # what one packet can say of it
_LEAST_JITTER = 0.002 * RATE_HZ
_DRIFT = 100e-6  # of clocks, in samples a sample
_MEMORY = 200  # packets; how well the tracker can know an offset
_MEDIAN = 1.57  # variance of a median compared with that of a mean
_WATCHED = 0.5 * RATE_HZ  # how long packets come late before that is believed to stay
_STEADY = 0.2 * RATE_HZ  # how long, where a spurt is looked at as a whole
_LATE = 0.045 * RATE_HZ  # what is less than this late is drift, or the network
_CATCH_UP = 2 * RATE_HZ  # who would have caught up within that is waited for


@dataclass(slots=True)
class Waiting:
    """A packet that waits for its place."""

    sequence: int  # without wraps
    timestamp: int  # without wraps
    arrival: float  # in samples since the recording's start
    samples: int
    payload: bytes


@dataclass(slots=True)
class SenderClock:
    """What is known of one sender's clock: `timestamp + offset` is its time in the recording."""

    offset: float
    heard: int = 0
    jitter: float = _JITTER
    runs: bool = False  # seen to run through silence
    freezes: bool = False  # seen to stand still through silence
    late: deque[Waiting] = field(default_factory=lambda: deque[Waiting]())  # the last packets, while all are late

    def residual(self, packet: Waiting) -> float:
        """By how many samples a packet came later than its timestamp says."""
        return packet.arrival - packet.timestamp - self.offset

    def follow(self, residual: float) -> None:
        """Take that of one packet of a spurt into account: the offset moves by one sample, as a running median does."""
        self.offset += 1 if residual > 0 else -1
        apart = residual if residual > 0 else -residual
        self.jitter += (min(apart, _MOST_APART) - self.jitter) / 64
        self.heard += 1

    def fell_behind(self, packet: Waiting) -> bool:
        """Whether packets have come late for so long, up to this one, that they will not catch up; the offset moves then."""
        late = self.late
        if self.residual(packet) <= JUMP:
            late.clear()
            return False
        late.append(packet)
        while late and packet.timestamp - late[0].timestamp > _WATCHED:
            late.popleft()
        if packet.timestamp + packet.samples - late[0].timestamp < _WATCHED or _catches_up(late, self.offset):
            return False
        middle = median(self.residual(each) for each in late)
        if middle <= _LATE:
            return False
        self.offset += middle
        self.heard = 0
        late.clear()
        return True

    def is_ahead(self, packet: Waiting) -> bool:
        """Whether a packet came most of its length too early for its timestamp."""
        return packet.timestamp + self.offset - packet.arrival > 0.75 * packet.samples

    def anchor(self, window: list[Waiting], silence: float, paused: bool) -> bool:
        """Weigh the first packets of a spurt against what is known; whether the clock turned out to have jumped.

        Args:
            window: The first packets of the spurt.
            silence: Samples since the last packet before them.
            paused: Whether the timestamps themselves show a pause.
        """
        residuals = [self.residual(packet) for packet in window]
        middle = median(residuals)
        spread = _MEDIAN * (1.25 * max(self.jitter, _LEAST_JITTER)) ** 2
        known = spread / min(max(self.heard, 1), _MEMORY) + (_DRIFT * silence) ** 2
        seen = spread / len(window)
        limit = max(JUMP, 4 * (known + seen) ** 0.5)
        jumped = middle < -limit or (middle > limit and min(residuals) > limit / 2)
        if not paused and not self.freezes and 0 < middle < _STALL_LIMIT and middle > limit:
            # either the network held packets back, or the microphone stood still
            steady = window[-1].timestamp - window[0].timestamp >= _STEADY
            catches_up = len(window) > 2 and _catches_up(window, self.offset)
            jumped = jumped and not catches_up and (steady or not self.runs)
            if not jumped:
                return False
        if jumped:
            self.freezes = self.freezes or (not paused and middle > 0)
            self.heard = 0
        elif paused:
            self.runs = True
        self.offset += middle if jumped else middle * known / (known + seen)
        return jumped


def _catches_up(packets: Sequence[Waiting], offset: float) -> bool:
    """Whether late packets come ever less late, as those do that the network held back."""
    third = max(1, len(packets) // 3)
    late = [packet.arrival - packet.timestamp - offset for packet in packets]
    first, last = median(late[:third]), median(late[-third:])
    seen = packets[-1].arrival - packets[0].arrival
    gained = first - last
    return gained > JUMP and last * seen < gained * _CATCH_UP

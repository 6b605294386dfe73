"""What playback did so far, for the status line and the benchmarks."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

RECENT = 3000  # gaps kept: a minute


@dataclass(frozen=True, slots=True)
class PlaybackStats:
    """A snapshot. Gaps are between packets of one talk-spurt, in ms, as the player's thread sent them."""

    frames_sent: int
    silence_frames: int
    spurts: int
    underruns: int
    underrun_frames: int
    unsent: int
    waits: int
    anchors: int
    max_gap_ms: float
    p99_gap_ms: float
    largest_burst: int
    preroll_ms: float


@dataclass(slots=True)
class Counters:
    """What the player's thread counts. `frames_sent` includes `silence_frames`."""

    frames_sent: int = 0
    silence_frames: int = 0
    spurts: int = 0
    underruns: int = 0
    underrun_frames: int = 0  # silence sent because a line had nothing
    unsent: int = 0  # attempts the socket refused; the frame was sent later
    waits: int = 0  # times the connection was away while something was to be sent
    max_gap_s: float = 0.0
    largest_burst: int = 0
    gaps_s: deque[float] = field(default_factory=lambda: deque[float](maxlen=RECENT))
    _last_s: float | None = None
    _burst: int = 0

    def begin(self) -> None:
        """A talk-spurt begins, or goes on after an interruption: no gap to the packet before."""
        self._last_s = None

    def sent(self, at_s: float, *, silent: bool) -> None:
        """A packet went out."""
        self.frames_sent += 1
        self.silence_frames += silent
        gap_s = None if self._last_s is None else at_s - self._last_s
        self._last_s = at_s
        self._burst = self._burst + 1 if gap_s is not None and gap_s < 0.005 else 1
        self.largest_burst = max(self.largest_burst, self._burst)
        if gap_s is not None:
            self.gaps_s.append(gap_s)
            self.max_gap_s = max(self.max_gap_s, gap_s)

    def p99_gap_ms(self) -> float:
        """The 99th percentile of the recent gaps, in ms."""
        gaps = sorted(self.gaps_s)
        return gaps[min(len(gaps) - 1, int(len(gaps) * 0.99))] * 1000 if gaps else 0.0

"""A queue of lines of one kind, of which the first one sounds."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.voice.playback.mixer import Excerpt
    from core.voice.playback.stream import Outcome, PlaybackStream


@dataclass(frozen=True, slots=True)
class SampleBlock:
    """What one bus gives to one frame. `count` samples are credited to `line`; `outcome` is set when they are its last."""

    excerpt: Excerpt
    line: PlaybackStream
    count: int
    outcome: Outcome | None = None


class Bus:
    """Lines in order. `add` and `lines` from any thread; everything else from the player's thread."""

    def __init__(self) -> None:
        self._lines: deque[PlaybackStream] = deque()

    def add(self, line: PlaybackStream) -> None:
        """Queue a line behind the others."""
        self._lines.append(line)

    @property
    def lines(self) -> tuple[PlaybackStream, ...]:
        """What is queued, first to sound first."""
        return tuple(self._lines)

    @property
    def open(self) -> bool:
        """Whether the first line has begun to sound, is not over and not held by a pause of its own."""
        lines = self._lines
        return bool(lines) and lines[0].sounding

    def due(self, now_s: float) -> bool:
        """Whether the first line has a frame."""
        lines = self._lines
        return bool(lines) and lines[0].ready(now_s)

    def dry(self, now_s: float) -> bool:
        """Whether the first line owes a frame that is not there."""
        lines = self._lines
        if not lines or not lines[0].sounding:
            return False
        return not (lines[0].stopping or lines[0].paused or lines[0].ready(now_s))

    @property
    def holding(self) -> bool:
        """Whether the first line gathers sound before it begins."""
        lines = self._lines
        return bool(lines) and lines[0].holding

    def sweep(self, *, cut: bool) -> None:
        """Take out what ended without a sound to come: stopped lines, and a first line that is empty to its end.

        `cut` says that nothing is being sent, so that a line that sounded needs no fade.
        """
        for index, line in enumerate(self.lines):
            if line.stopping:
                if cut or index or not line.sounding:
                    self._lines.remove(line)
                    line.finish("stopped")
            elif index == 0 and line.exhausted:
                self._lines.remove(line)
                line.finish("played")

    def sweep_stopped(self) -> None:
        """Take out stopped lines, and nothing else, because a frame is still under way."""
        for line in self.lines:
            if line.stopping:
                self._lines.remove(line)
                line.finish("stopped")

    def read(self, now_s: float) -> SampleBlock | None:
        """The next frame of the first line that has one; None while it waits or nothing is queued."""
        while self._lines:
            line = self._lines[0]
            if line.stopping:
                self._lines.popleft()
                excerpt = line.tail()
                if line.sounding and excerpt.count:
                    return SampleBlock(excerpt, line, excerpt.count, "stopped")
                line.finish("stopped")
            elif line.paused and not line.exhausted:
                tail = line.hold()
                return None if tail is None else SampleBlock(tail, line, 0)
            elif line.ready(now_s):
                excerpt = line.take()
                if not line.exhausted:
                    return SampleBlock(excerpt, line, excerpt.count)
                self._lines.popleft()
                return SampleBlock(excerpt, line, excerpt.count, "played")
            elif line.exhausted:
                self._lines.popleft()
                line.finish("played")
            else:
                return None
        return None

    def tail(self) -> SampleBlock | None:
        """The next few ms of what sounds, faded out and not taken from the queue, for a pause of everything."""
        if not self.open:
            return None
        line = self._lines[0]
        excerpt = line.tail()
        if line.paused:
            line.hold()
        return SampleBlock(excerpt, line, 0) if excerpt.count else None

    def ran_dry(self) -> bool:
        """Note that the first line owed a frame; true if this begins an underrun, false if one goes on."""
        return self._lines[0].ran_dry()

    def close(self) -> None:
        """End every line: there is no wire any more."""
        while self._lines:
            self._lines.popleft().finish("closed")

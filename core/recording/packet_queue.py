"""Packets on their way from the thread that reads the socket to a recorder's, of people who may be recorded alone."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from core.audio.frames import OPUS_SILENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from core.audio.frames import OpusFrame
    from core.recording.rights import RecordingConsent

QUEUE_LIMIT = 200_000  # packets that wait while a disk hangs: ten minutes of six people


class PacketQueue:
    """Takes packets from any thread and never waits; who may be recorded is asked when one comes and when it goes."""

    def __init__(self, consent: RecordingConsent, own_id: int | None, met: Callable[[int], object]) -> None:
        """Begin empty.

        Args:
            consent: Who may be recorded.
            own_id: The bot's own user id, which may always.
            met: Told of whose packet comes.
        """
        self.paused = False  # packets are let go by
        self.withheld = 0  # packets of people who may not be recorded
        self.overflowed = 0  # packets dropped because the disk hung for minutes
        self._allows = consent.allows
        self._own_id = own_id
        self._met = met
        self._waiting: deque[OpusFrame] = deque()

    def put(self, frame: OpusFrame) -> None:
        """Take a packet; returns at once."""
        if self.paused:
            return
        user_id = frame.user_id
        if user_id != self._own_id and not self._allows(user_id):
            self.withheld += 1
            return
        if frame.said_for:
            frame = self._without_refused(frame)
        if len(self._waiting) >= QUEUE_LIMIT:
            self.overflowed += 1
            return
        self._met(user_id)
        self._waiting.append(frame)

    def take(self) -> Iterator[OpusFrame]:
        """What waits by now, on the recorder's thread; without those who refused meanwhile."""
        for _ in range(len(self._waiting)):
            frame = self._waiting.popleft()
            if not self.may_write(frame.user_id):
                self.withheld += 1
                continue
            yield self._without_refused(frame) if frame.said_for else frame

    def may_write(self, user_id: int) -> bool:
        """Whether this person's packets may be written."""
        return user_id == self._own_id or self._allows(user_id)

    def _without_refused(self, frame: OpusFrame) -> OpusFrame:
        """Silence in the place of what the bot says for somebody who may not be recorded."""
        if all(self._allows(user_id) for user_id in frame.said_for):
            return frame
        self.withheld += 1
        return frame._replace(payload=OPUS_SILENCE, said_for=())

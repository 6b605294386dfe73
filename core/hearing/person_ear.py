"""One person's packets become sound, and sound becomes utterances."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from core.audio.frames import FRAME_SAMPLES
from core.audio.frames import RATE_HZ as PACKET_RATE_HZ
from core.audio.opus import Decoder
from core.audio.packet_timeline import Timeline
from core.errors import AudioError
from core.hearing.utterance import RATE_HZ
from core.hearing.utterance_finder import UtteranceFinder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from core.audio.frames import OpusFrame
    from core.audio.packet_timeline import Placed
    from core.hearing.utterance_finder import Finding, Place

_log = logging.getLogger(__name__)

HOLD_S = 0.06  # how long a missing packet is waited for
CONCEALED = 5  # lost packets that are guessed; of more, nothing can be known
_APART = 48  # samples; packets closer than this follow each other


class PersonEar:
    """Puts packets in order, decodes them, fills in what is lost, and finds the utterances.

    Args:
        place: Whose packets they are.
        start_s: time.monotonic of the first packet.
        end_s: Silence that ends an utterance.
    """

    def __init__(self, place: Place, start_s: float, *, end_s: float) -> None:
        self.heard_s = start_s  # when the last packet came
        self._user_id = place.user_id
        self._start_s = start_s - 1.0  # the first packet's place may turn out to be earlier
        self._timeline = Timeline(self._start_s, hold_s=HOLD_S)
        self._decoder = Decoder(channels=1, rate_hz=RATE_HZ)
        self._finder = UtteranceFinder(place, end_s=end_s)
        self._end: int | None = None  # of the last packet, in samples at 48 kHz
        self._undecodable = 0

    @property
    def look_every_s(self) -> float | None:
        """How often what is being said is shown while it is said."""
        return self._finder.look_every_s

    @look_every_s.setter
    def look_every_s(self, value: float | None) -> None:
        self._finder.look_every_s = value

    def push(self, frame: OpusFrame) -> None:
        """Take a packet."""
        self._timeline.push(frame)
        self.heard_s = max(self.heard_s, frame.arrival_s)

    def step(self, now_s: float, *, look: bool = True) -> list[Finding]:
        """Decode what has its place by now; `look` says that what did not come by now is silence."""
        found = self._hear(now_s)
        if look:
            found += self._finder.look(now_s)
        return found

    def close(self) -> list[Finding]:
        """No packet will come any more."""
        return self._hear(None) + self._finder.close()

    def drop(self) -> list[Finding]:
        """This person is not heard any more."""
        return self._finder.drop()

    def _hear(self, now_s: float | None) -> list[Finding]:
        found: list[Finding] = []
        parts: list[NDArray[np.int16]] = []
        begin = end = 0
        for placed in self._timeline.drain(now_s):
            sound, start = self._sound(placed)
            if parts and abs(start - end) > _APART:
                found += self._add(begin, parts)
                parts = []
            if not parts:
                begin = start
            parts += sound
            self._end = end = placed.position + placed.samples
        if parts:
            found += self._add(begin, parts)
        return found

    def _add(self, position: int, parts: list[NDArray[np.int16]]) -> list[Finding]:
        samples = np.concatenate(parts)[:, 0].astype(np.float32) / np.float32(32768)
        return self._finder.add(self._start_s + position / PACKET_RATE_HZ, samples)

    def _sound(self, placed: Placed) -> tuple[list[NDArray[np.int16]], int]:
        """A packet's sound, with that of lost ones before it, and where it begins."""
        start = placed.position
        gap = 0 if self._end is None else placed.position - self._end
        lost = gap // FRAME_SAMPLES if placed.lost_before and not placed.starts_spurt else 0
        lost = lost if gap <= CONCEALED * FRAME_SAMPLES else 0
        try:
            sound = [self._decoder.conceal() for _ in range(lost - 1)]
            if lost:
                sound.append(self._decoder.recover(placed.payload))
            sound.append(self._decoder.decode(placed.payload))
        except AudioError as error:
            self._undecodable += 1
            if self._undecodable & (self._undecodable - 1) == 0:
                _log.info("%d packets of %d are no sound: %s", self._undecodable, self._user_id, error)
            self._decoder.reset()
            return [np.zeros((placed.samples * RATE_HZ // PACKET_RATE_HZ, 1), np.int16)], start
        return sound, start - lost * FRAME_SAMPLES

"""Places a person's packets in time: the RTP clock within a talk-spurt, filtered arrival between spurts.

Every sender counts samples on a clock of its own: it starts anywhere, runs up to 100 ppm fast or slow, and with some
clients stands still through silence. What the network adds to the arrival of a packet says little; the middle of many
arrivals says a lot. So a spurt begins where the median of its first packets says, weighed against where the sender's
clock says; within the spurt packets follow each other to the sample, and a slow tracker takes drift out, one sample a
packet at most, which a renderer can stretch unheard. When packets begin to come late and do not catch up, although
their clock shows no gap, the sender's microphone stood still: the track moves to where they arrive.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from core.audio.frames import FRAME_SAMPLES, OPUS_SILENCE, RATE_HZ
from core.audio.opus import MAX_PACKET_SAMPLES, packet_samples
from core.audio.sender_clock import JUMP, SenderClock, Waiting
from core.audio.sequence import SequenceWindow, unwrap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.audio.frames import OpusFrame

HOLD_S = 0.3  # how long a missing packet is waited for, and how much of a spurt is looked at before it is placed

_PAUSE = 0.1 * RATE_HZ  # packets further apart than this on arrival may belong to different spurts
_RESTART = 300 * RATE_HZ  # after so long nothing of a sender's clock is worth keeping
_SLEW_BEGIN, _SLEW_END = 0.002 * RATE_HZ, 0.0002 * RATE_HZ
_PUSH_LIMIT = RATE_HZ // 2  # by which a clock that jumped back may push packets behind their time
_LATE_KEPT = 512
_HALF_CLOCK = 1 << 31
_SHORTEST = 120  # samples of the shortest packet
_GUESSED = 5  # lost packets in a row whose lengths may be of any kind


@dataclass(slots=True)
class PacketCounts:
    """What became of one person's packets."""

    received: int = 0
    lost: int = 0
    late: int = 0  # came after their place had been written
    duplicate: int = 0
    malformed: int = 0  # no Opus
    overlapping: int = 0  # from a second device, while the first still spoke


class Placed(NamedTuple):
    """A packet and its place; a tuple, as `OpusFrame` is."""

    position: int  # in samples since the recording's start
    samples: int
    payload: bytes
    lost_before: int = 0  # packets that are missing right before this one
    starts_spurt: bool = False  # what lies before is silence, not loss


@dataclass(slots=True)
class _Stream:
    """The packets of one SSRC that wait for their place, in the sender's order."""

    window: SequenceWindow
    newest_timestamp: int  # of the packet with the newest sequence number
    newest_arrival: float
    waiting: dict[int, Waiting] = field(default_factory=lambda: dict[int, Waiting]())
    order: list[int] = field(default_factory=lambda: list[int]())
    given_up: set[int] = field(default_factory=lambda: set[int]())
    last: Waiting | None = None  # placed last
    clock: SenderClock | None = None
    stale: OpusFrame | None = None  # the last packet from far behind: perhaps the sender begins anew

    def next(self) -> Waiting:
        return self.waiting[self.order[0]]

    def take(self) -> Waiting:
        return self.waiting.pop(heapq.heappop(self.order))


class Timeline:
    """Puts one person's packets, over all their SSRCs and devices, onto one track.

    `push` takes packets as they arrive; `drain` returns those whose place is certain, in order. Two never overlap by
    more than the one sample that takes drift out.
    """

    def __init__(self, start_s: float, *, hold_s: float = HOLD_S) -> None:
        """Begin at `start_s` on the clock of the packets' arrival: position 0.

        Who cannot wait gives a shorter `hold_s`, and gets places that are less certain.
        """
        self.counts = PacketCounts()
        self._start_s = start_s
        self._hold_s = hold_s
        self._streams: dict[int, _Stream] = {}  # by SSRC, oldest first
        self._end = 0  # of what was placed last
        self._slew = 0
        self._speaking: _Stream | None = None  # whose packet was placed last
        self._absences: list[tuple[float, float]] = []

    def push(self, frame: OpusFrame) -> bool:
        """Take a packet as it arrives; False if it is of no use: no Opus, or here already."""
        samples = packet_samples(frame.payload)
        if samples == 0:
            self.counts.malformed += 1
            return False
        arrival = (frame.arrival_s - self._start_s) * RATE_HZ
        stream = self._streams.get(frame.ssrc)
        if stream is not None and self._push_next(stream, frame, arrival, samples):
            return True
        if stream is None or arrival - stream.newest_arrival > _RESTART:
            self._take(self._renewed(frame, stream), frame, samples)
            return True
        restarts = stream.window.restarts
        refused = stream.window.accept(frame.sequence)
        if refused == "stale":
            stream.stale = frame
            self.counts.duplicate += 1
            return False
        if stream.window.restarts != restarts and (first := stream.stale) is not None:
            self.counts.duplicate -= 1  # for which the first was taken
            stream = self._renewed(first, stream)
            self._take(stream, first, packet_samples(first.payload))
            stream.window.accept(frame.sequence)
        sequence = stream.window.number(frame.sequence)
        if refused is not None or (stream.last is not None and sequence <= stream.last.sequence):
            self._count_unwanted(stream, sequence)
            return False
        self._take(stream, frame, samples)
        return True

    def _take(self, stream: _Stream, frame: OpusFrame, samples: int) -> None:
        self.counts.received += 1
        arrival = (frame.arrival_s - self._start_s) * RATE_HZ
        sequence = stream.window.number(frame.sequence)
        timestamp = unwrap(frame.rtp_timestamp, stream.newest_timestamp, 32)
        if sequence == stream.window.newest:
            stream.newest_timestamp = timestamp
        stream.newest_arrival = max(stream.newest_arrival, arrival)
        stream.waiting[sequence] = Waiting(sequence, timestamp, arrival, samples, frame.payload)
        heapq.heappush(stream.order, sequence)

    def _push_next(self, stream: _Stream, frame: OpusFrame, arrival: float, samples: int) -> bool:
        """Take the usual packet, the next of its stream; False if it is another, which `push` takes the long way."""
        sequence, newest = stream.window.newest + 1, stream.newest_arrival
        ahead = (frame.rtp_timestamp - stream.newest_timestamp) & 0xFFFFFFFF
        if (frame.sequence - sequence) & 0xFFFF or arrival - newest > _RESTART or ahead >= _HALF_CLOCK:
            return False
        self.counts.received += 1
        stream.window.accept(frame.sequence)
        stream.newest_timestamp = timestamp = stream.newest_timestamp + ahead
        if arrival > newest:
            stream.newest_arrival = arrival
        stream.waiting[sequence] = Waiting(sequence, timestamp, arrival, samples, frame.payload)
        heapq.heappush(stream.order, sequence)
        return True

    def away(self, from_s: float, to_s: float) -> None:
        """Say that nobody listened for a while: what is missing from it was not lost."""
        self._absences.append(((from_s - self._start_s) * RATE_HZ, (to_s - self._start_s) * RATE_HZ))

    def drain(self, now_s: float | None) -> Iterator[Placed]:
        """Packets whose place is certain by `now_s`, in order; with None, all that are left."""
        now = None if now_s is None else (now_s - self._start_s - self._hold_s) * RATE_HZ
        for ssrc, stream in list(self._streams.items()):
            yield from self._drain(stream, now)
            if stream.waiting:
                return  # an older device's packets go before a newer one's
            if len(self._streams) > 1 and now is not None and stream.newest_arrival < now - _RESTART:
                del self._streams[ssrc]

    def _drain(self, stream: _Stream, now: float | None) -> Iterator[Placed]:
        while stream.order:
            packet, last = stream.next(), stream.last
            if last is not None and (usual := self._place_next(stream, packet, last)) is not None:
                stream.take()
                stream.last = packet
                yield usual
                continue
            gap = last is None or packet.sequence != last.sequence + 1
            border = last is None or _is_border(last, packet)
            if (gap or border) and now is not None and packet.arrival > now:
                return  # what is missing may still come, and a spurt's beginning is looked at as a whole
            placed = self._place(stream, packet, border)
            stream.take()
            stream.last = packet
            if placed is not None:
                yield placed

    def _place_next(self, stream: _Stream, packet: Waiting, last: Waiting) -> Placed | None:
        """Place the usual packet, the next of who speaks; None, with nothing changed, if it needs a closer look: `_place`."""
        clock, arrival, timestamp = stream.clock, packet.arrival, packet.timestamp
        if (
            clock is None
            or packet.sequence != last.sequence + 1
            or timestamp - last.timestamp != last.samples
            or not 0 <= arrival - last.arrival <= _PAUSE - FRAME_SAMPLES + last.samples
            or self._speaking is not stream
            or last.payload == OPUS_SILENCE
            or (residual := arrival - timestamp - clock.offset) > JUMP
            or self._end - timestamp - clock.offset > _PUSH_LIMIT - 2  # the offset moves by one, and is rounded
            or (self._absences and self._was_away(last.arrival, arrival))
        ):
            return None
        if clock.late:
            clock.late.clear()
        clock.follow(residual)
        position = self._follow(self._end, round(timestamp + clock.offset))
        self._end = position + packet.samples
        return Placed(position, packet.samples, packet.payload)

    def _place(self, stream: _Stream, packet: Waiting, border: bool) -> Placed | None:
        last = stream.last
        lost, missing, apart = 0, 0, True  # from what came before: by silence, absence or a change of clock
        if last is not None:
            steps = packet.sequence - last.sequence
            paused = not _follows(last, packet)
            missing = packet.timestamp - last.timestamp - last.samples
            # so many cannot have been sent meanwhile: the sender counts anew
            anew = steps > 2 * (packet.arrival - last.arrival) / min(last.samples, packet.samples) + 50
            away = self._was_away(last.arrival, packet.arrival)
            if steps > 1 and not anew and not away:
                lost = steps - 1
                self._give_up(stream, last.sequence + 1, packet.sequence)
            apart = paused or anew or away or _breaks_silence(last, packet)
            border = border or anew
            if border:
                apart = self._anchor(stream, packet, paused) or apart
        else:
            self._anchor(stream, packet, paused=True)
        clock = stream.clock
        assert clock is not None  # noqa: S101 - the first packet of a stream anchors it
        if last is not None and last.payload == packet.payload == OPUS_SILENCE and clock.is_ahead(packet):
            return None  # silence sent all at once, as some end a spurt, must not push away what follows
        apart = (not border and clock.fell_behind(packet)) or apart
        clock.follow(clock.residual(packet))
        target = round(packet.timestamp + clock.offset)
        switched = self._speaking is not stream
        if self._end - target > (packet.samples // 2 if switched else _PUSH_LIMIT):
            self.counts.overlapping += 1  # whoever speaks first goes on
            return None
        self._speaking = stream
        if apart or switched:
            position = max(target, self._end)
            self._slew = 0
        else:
            position = self._follow(self._end + missing, target)
        self._end = position + packet.samples
        return Placed(position, packet.samples, packet.payload, lost, apart or switched)

    def _anchor(self, stream: _Stream, packet: Waiting, paused: bool) -> bool:
        window = _beginning(stream, packet)
        if stream.clock is None:
            stream.clock = SenderClock(median(each.arrival - each.timestamp for each in window))
            return True
        assert stream.last is not None  # noqa: S101 - a stream with a clock has placed a packet
        return stream.clock.anchor(window, packet.arrival - stream.last.arrival, paused)

    def _follow(self, expected: int, target: int) -> int:
        """The next place within a spurt: right behind the last packet, or one sample off while drift is taken out."""
        error = target - expected
        if abs(error) > _SLEW_BEGIN:
            self._slew = 1 if error > 0 else -1
        elif error * self._slew < _SLEW_END:
            self._slew = 0
        return expected + self._slew

    def _was_away(self, since: float, until: float) -> bool:
        return any(since <= end and until >= begin for begin, end in self._absences)

    def _give_up(self, stream: _Stream, first: int, behind: int) -> None:
        """Count packets as lost, and know them again should they still come."""
        self.counts.lost += behind - first
        stream.given_up.update(range(max(first, behind - _LATE_KEPT), behind))
        if len(stream.given_up) > 2 * _LATE_KEPT:
            stream.given_up = {sequence for sequence in stream.given_up if sequence >= behind - _LATE_KEPT}

    def _count_unwanted(self, stream: _Stream, sequence: int) -> None:
        if sequence in stream.given_up:
            stream.given_up.discard(sequence)
            self.counts.late += 1
        else:
            self.counts.duplicate += 1

    def _renewed(self, frame: OpusFrame, before: _Stream | None) -> _Stream:
        """Begin anew with a packet: nothing of its SSRC's counting holds any more, if it was known."""
        if before is not None and before.waiting:
            self.counts.late += len(before.waiting)
        self._streams.pop(frame.ssrc, None)  # a renewed stream goes behind the others
        arrival = (frame.arrival_s - self._start_s) * RATE_HZ
        stream = _Stream(SequenceWindow(frame.sequence), frame.rtp_timestamp + (1 << 32), arrival)
        self._streams[frame.ssrc] = stream
        return stream


def _follows(last: Waiting, packet: Waiting) -> bool:
    """Whether the timestamps leave no gap but for packets that are lost, whose lengths may have been others."""
    lost = packet.sequence - last.sequence - 1
    missing = packet.timestamp - last.timestamp - last.samples
    if lost == 0 or missing % _SHORTEST:
        return missing == 0
    longest = MAX_PACKET_SAMPLES if lost <= _GUESSED else max(last.samples, packet.samples)
    return lost * _SHORTEST <= missing <= lost * longest


def _is_border(last: Waiting, packet: Waiting) -> bool:
    """Whether a new spurt may begin here: the timestamps leave a gap, the arrival does, or there was silence."""
    if not _follows(last, packet):
        return True
    pause = packet.arrival - last.arrival - (packet.timestamp - last.timestamp)
    return pause > _PAUSE - FRAME_SAMPLES or _breaks_silence(last, packet)


def _breaks_silence(last: Waiting, packet: Waiting) -> bool:
    return last.payload == OPUS_SILENCE != packet.payload


def _beginning(stream: _Stream, first: Waiting) -> list[Waiting]:
    """The packets that wait from `first` on, as far as they belong to one spurt."""
    window = [first]
    for sequence in sorted(stream.waiting):
        packet = stream.waiting[sequence]
        if packet is first:
            continue
        ends = packet.payload == OPUS_SILENCE != first.payload  # and may come ahead of its time
        if ends or _is_border(window[-1], packet):
            break
        window.append(packet)
    return window

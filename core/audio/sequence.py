"""One sender's 16-bit sequence numbers (RFC 3550, A.1): without wraps, each packet once, and a sender that counts anew."""

from __future__ import annotations

WINDOW = 1024  # packets: 20 s of one person
_MASK = (1 << WINDOW) - 1
_HALF = 0x8000
_WRAP = 1 << 16


class SequenceWindow:
    """The last 1,024 sequence numbers of one SSRC, as bits, across wraps.

    `newest` is the highest number so far, without wraps; `restarts` says how often the sender began to count anew.
    """

    __slots__ = ("_behind", "_seen", "expected", "newest", "received", "restarts")

    def __init__(self, sequence: int) -> None:
        self.newest = sequence + _WRAP  # so that none before it is negative
        self.expected = 1
        self.received = 1
        self.restarts = 0
        self._seen = 1  # bit n: `newest - n` was seen
        self._behind: int | None = None

    def accept(self, sequence: int) -> str | None:
        """Note a packet; None if it is new, else why it is not: "replayed" or "stale".

        A sender that starts again elsewhere is followed from the second of two packets in a row.
        """
        ahead = (sequence - self.newest) & 0xFFFF
        if ahead == 1:  # the usual case
            self._seen = (self._seen << 1 | 1) & _MASK
        elif ahead < _HALF:
            if ahead == 0:
                return "replayed"
            self._seen = (self._seen << ahead | 1) & _MASK if ahead < WINDOW else 1
        else:
            return self._late(sequence, _WRAP - ahead)
        self.newest += ahead
        self.expected += ahead
        self.received += 1
        return None

    def number(self, sequence: int) -> int:
        """A sequence number without wraps: the one nearest to `newest`."""
        return unwrap(sequence, self.newest, 16)

    @property
    def lost(self) -> int:
        """Packets that never came (so far)."""
        return self.expected - self.received

    def _late(self, sequence: int, behind: int) -> str | None:
        if behind < WINDOW:
            bit = 1 << behind
            if self._seen & bit:
                return "replayed"
            self._seen |= bit
            # A packet from before the first one was never expected.
            self.received += behind < self.expected
            return None
        restarted = self._behind is not None and sequence == (self._behind + 1) & 0xFFFF
        self._behind = sequence
        if not restarted:
            return "stale"
        self.newest, self._seen, self._behind = sequence + _WRAP, 1, None
        self.restarts += 1
        self.expected += 1
        self.received += 1
        return None


def unwrap(value: int, near: int, bits: int) -> int:
    """The number congruent to `value` that is nearest to `near`."""
    half = 1 << (bits - 1)
    return near + ((value - near + half) & ((1 << bits) - 1)) - half

"""Tells new packets of a stream from those that came before, by their 16-bit sequence numbers (RFC 3550, A.1)."""

from __future__ import annotations

WINDOW = 1024  # packets: 20 s of one person
_MASK = (1 << WINDOW) - 1
_HALF = 0x8000


class SequenceWindow:
    """The last 1,024 sequence numbers of one SSRC, as bits, across wraps."""

    __slots__ = ("_behind", "_seen", "expected", "received", "top")

    def __init__(self, sequence: int) -> None:
        self.top = sequence
        self.expected = 1
        self.received = 1
        self._seen = 1  # bit n: `top - n` was seen
        self._behind: int | None = None

    def accept(self, sequence: int) -> str | None:
        """Note a packet; None if it is new, else why it is not: "replayed" or "stale".

        A sender that starts again elsewhere is followed from the second of two packets in a row.
        """
        ahead = (sequence - self.top) & 0xFFFF
        if ahead == 1:  # the usual case
            self._seen = (self._seen << 1 | 1) & _MASK
        elif ahead < _HALF:
            if ahead == 0:
                return "replayed"
            self._seen = (self._seen << ahead | 1) & _MASK if ahead < WINDOW else 1
        else:
            return self._late(sequence, 0x10000 - ahead)
        self.top = sequence
        self.expected += ahead
        self.received += 1
        return None

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
        self.top, self._seen, self._behind = sequence, 1, None
        self.expected += 1
        self.received += 1
        return None

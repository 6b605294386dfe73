"""Packets that came too early: before it is known whose they are, or before the key to them has come."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from core.voice.receive.missed import MissedSpan

HELD_PACKETS = 100  # of an SSRC nobody has been named for yet: 2 s
HELD_STREAMS = 64
SEALED_PACKETS = 100
SEALED_S = 2.0  # a group change reaches everybody sooner

Packet: TypeAlias = tuple[int, int, float, bytes]  # sequence, timestamp, arrival in s, payload


class UnmappedPackets:
    """Packets by SSRC, until its owner is known: the last 100 of at most 64 streams."""

    def __init__(self) -> None:
        self._held: dict[int, deque[Packet]] = {}

    def __len__(self) -> int:
        return sum(len(held) for held in list(self._held.values()))

    def __contains__(self, ssrc: int) -> bool:
        return ssrc in self._held

    def __bool__(self) -> bool:
        return bool(self._held)

    def hold(self, ssrc: int, packet: Packet) -> list[tuple[int, Packet]]:
        """Keep a packet. Gives the others, with their SSRCs, that had to go for it."""
        gone: list[tuple[int, Packet]] = []
        held = self._held.get(ssrc)
        if held is None:
            if len(self._held) >= HELD_STREAMS:
                oldest = next(iter(self._held))
                gone = [(oldest, other) for other in self._held.pop(oldest)]
            held = self._held[ssrc] = deque(maxlen=HELD_PACKETS)
        if len(held) == HELD_PACKETS:
            gone.append((ssrc, held[0]))
        held.append(packet)
        return gone

    def of(self, ssrc: int) -> deque[Packet]:
        """What is kept of an SSRC, in order of arrival."""
        return self._held[ssrc]

    def take(self, ssrc: int) -> deque[Packet]:
        """What was kept of an SSRC, in order of arrival."""
        return self._held.pop(ssrc, deque())

    def named(self, users: dict[int, int]) -> list[int]:
        """The SSRCs that have an owner by now."""
        return [ssrc for ssrc in list(self._held) if ssrc in users]


class UndecryptedFrames:
    """The frames of one stream that could not be decrypted and may be yet, when their key has come."""

    __slots__ = ("packets",)

    def __init__(self) -> None:
        self.packets: deque[tuple[Packet, MissedSpan]] = deque(maxlen=SEALED_PACKETS)

    def keep(self, packet: Packet, stretch: MissedSpan) -> None:
        """Keep a frame that failed, and where it is counted."""
        self.packets.append((packet, stretch))

    def forget(self, now_s: float) -> None:
        """Let go of those whose key will not come any more."""
        while self.packets and now_s - self.packets[0][0][2] > SEALED_S:
            self.packets.popleft()

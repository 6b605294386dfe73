"""Where a client's media comes from and goes to, who is in a channel with it, and what was counted on the way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loopback.voice.transport import Transport

Address = tuple[str, int]


@dataclass(slots=True, eq=False)
class Endpoint:
    """One client's media path."""

    user_id: int
    ssrc: int
    channel: RelayGroup
    address: Address | None = None
    uplink: Transport | None = None
    """Opens what the client sends."""
    downlink: Transport | None = None
    """Seals what the client hears."""
    muted: bool = False
    """The server drops what it says."""
    report_due_s: float = 0.0
    """When (`time.monotonic()`) the next RTCP report goes out to it."""
    received: int = 0
    relayed: int = 0
    """Datagrams sent to this client, duplicates included."""
    lost: Counter[int] = field(default_factory=Counter)
    """Packets this client never got because of the simulated network, by SSRC."""
    duplicated: Counter[int] = field(default_factory=Counter)

    @property
    def video_ssrc(self) -> int:
        """The SSRC of its camera."""
        return self.ssrc + 1

    @property
    def rtx_ssrc(self) -> int:
        """The SSRC of its video retransmissions."""
        return self.ssrc + 2


@dataclass(slots=True, eq=False)
class RelayGroup:
    """Who hears whom."""

    endpoints: tuple[Endpoint, ...] = ()
    listeners_only: frozenset[int] | None = None
    """Relay only to these user ids: a load test need not pay for listeners nobody reads."""

    def add(self, endpoint: Endpoint) -> None:
        """Lets an endpoint hear and be heard."""
        self.endpoints = (*self.endpoints, endpoint)

    def discard(self, endpoint: Endpoint) -> None:
        """Takes an endpoint out."""
        self.endpoints = tuple(other for other in self.endpoints if other is not endpoint)


@dataclass(slots=True)
class RelayCounters:
    """Datagrams that went nowhere, by cause, and how audio came, by user id."""

    malformed: int = 0
    foreign: int = 0
    """From an unknown address or with somebody else's SSRC."""
    forged: int = 0
    """Not authentic."""
    unsent: int = 0
    """The operating system refused them."""
    sealed: Counter[int] = field(default_factory=Counter)
    """Audio frames that were encrypted end to end."""
    plain: Counter[int] = field(default_factory=Counter)
    """Audio frames that were not; silence frames, which are exempt, count nowhere."""

"""What the receiver knows: the connection it reads from, and one sender's stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from core.voice.receive.dave import DaveLink
from core.voice.receive.pending import UndecryptedFrames

if TYPE_CHECKING:
    from core.audio.sequence import SequenceWindow
    from core.voice.receive.pending import Packet
    from core.voice.receive.stats import UserStats


class ReceiveLink(DaveLink, Protocol):
    """What the receive path reads from the connection, anew for every packet."""

    @property
    def secret_key(self) -> list[int]:
        """The transport key; another object after every re-key."""
        ...

    @property
    def mode(self) -> str:
        """The transport mode."""
        ...


@dataclass(slots=True, eq=False)
class Stream:
    """One SSRC."""

    window: SequenceWindow
    heard: UserStats
    user_id: int | None = None
    sealed: UndecryptedFrames = field(default_factory=UndecryptedFrames)
    before: Packet | None = None  # a packet that looked stale: perhaps the sender begins anew

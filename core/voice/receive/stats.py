"""Counters of the receive path: by person and by cause."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Heard:
    """What came from one person. `undecryptable` is counted by cause; `lost` never reached us."""

    packets: int = 0
    silent: int = 0
    plain: int = 0
    lost: int = 0
    late_mapped: int = 0  # held until it was known whose they are
    late_keyed: int = 0  # held until their key came; no longer counted as undecryptable
    undecryptable: Counter[str] = field(default_factory=lambda: Counter[str]())


@dataclass(frozen=True, slots=True)
class ReceiveStats:
    """A snapshot.

    `dropped` counts datagrams that were no audio of a known person, by cause: `short`, `not_rtp`, `other_payload` (video,
    RTCP), `no_key`, `forged`, `bad_extension`, `bad_padding`, `empty`, `replayed`, `stale`, `unmapped`. `failed` counts
    the exceptions of each subscriber.
    """

    delivered: int
    dropped: dict[str, int]
    users: dict[int, Heard]
    held: int
    recoveries: int
    failed: dict[str, int]

    @property
    def undecryptable(self) -> dict[str, int]:
        """Frames that end-to-end decryption refused, by cause, of all people."""
        total: Counter[str] = Counter()
        for heard in self.users.values():
            total.update(heard.undecryptable)
        return dict(total)

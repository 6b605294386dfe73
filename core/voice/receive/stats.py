"""Counters of the receive path: by person and by cause."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.voice.receive.missed import MissedFrames

if TYPE_CHECKING:
    from core.voice.receive.missed import MissedSpan


@dataclass(slots=True)
class UserStats:
    """What came from one person. `undecryptable` is counted by cause; `lost` never reached us.

    Causes: `no_key` (of an epoch we have no key to, or damaged), `no_decryptor` (of somebody whose keys we never had),
    `no_session`, `unencrypted` (plain, of a member of the group, or for long without one), `outside_group` (plain, of somebody else),
    `unmapped` (more than could be kept until it was known whose they are), `passed_through`, `other`.
    """

    packets: int = 0
    silent: int = 0
    plain: int = 0
    lost: int = 0
    late_mapped: int = 0  # held until it was known whose they are
    late_keyed: int = 0  # held until their key came; no longer counted as undecryptable
    undecryptable: Counter[str] = field(default_factory=lambda: Counter[str]())
    missed: MissedFrames = field(default_factory=MissedFrames)  # the same, by time

    def refuse(self, cause: str, at_s: float) -> MissedSpan:
        """Count a frame that could not be had; gives where, for `admit`."""
        self.undecryptable[cause] += 1
        return self.missed.note(cause, at_s)

    def admit(self, stretch: MissedSpan) -> None:
        """A frame that was refused could be had after all."""
        self.missed.undo(stretch)
        self.undecryptable[stretch.cause] -= 1
        if not self.undecryptable[stretch.cause]:
            del self.undecryptable[stretch.cause]


@dataclass(frozen=True, slots=True)
class ReceiveStats:
    """A snapshot.

    `dropped` counts datagrams that were no audio of a known person, by cause: `short`, `not_rtp`, `other_payload` (video,
    RTCP), `no_key`, `forged`, `bad_extension`, `bad_padding`, `empty`, `replayed`, `stale`, `unmapped`. `failed` counts
    the exceptions of each subscriber.
    """

    delivered: int
    dropped: dict[str, int]
    users: dict[int, UserStats]
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

"""What the delivery service knows of a group: its members, open proposals, the transition under way, and counters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loopback.voice.mls import KeyPackage
    from loopback.voice.wire import Timer


@dataclass(slots=True)
class GroupMember:
    """A client that is to be in the group."""

    user_id: int
    package: KeyPackage | None = None
    """Sent by the client and not yet used in an accepted commit."""
    lost: bool = False
    """It said it cannot follow (op 31), and its new key package is still on the way."""
    has_sender: bool = False
    """Op 25 went out. It must never be repeated to an active client."""


@dataclass(slots=True)
class ProposalBatch:
    """Proposals waiting for a commit."""

    epoch: int
    recipients: set[int]
    removes: dict[bytes, int]
    """Proposal reference to leaf index."""
    adds: dict[bytes, KeyPackage]
    timer: Timer

    def expected(self, committer: int) -> set[bytes]:
        """The references a commit by this member must name: at epoch 0 everybody was sent only the others."""
        adds = {ref for ref, package in self.adds.items() if self.epoch or package.user_id != committer}
        return adds | set(self.removes)


@dataclass(slots=True)
class Transition:
    """A change of keys that not everybody has answered yet."""

    id: int
    members: set[int]
    awaited: set[int]
    timer: Timer


@dataclass(slots=True)
class DaveCounters:
    """What happened so far, for tests and status lines."""

    commits: int = 0
    ignored_commits: int = 0
    rejected: int = 0
    """Malformed or foreign MLS bytes."""
    recoveries: int = 0
    """Op 31 received."""
    restarts: int = 0
    """Groups begun anew (op 24 with epoch 1)."""

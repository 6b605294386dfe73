"""The DAVE delivery service of one voice channel: orders proposals, commits and transitions of its MLS group.

A state machine without I/O: messages go out through `Wire`, timers through `Schedule`. Opcodes 21 to 31 of the voice
gateway, as in the DAVE protocol whitepaper (daveprotocol.com) and as davey and libdave want them:

- A group begins with the first two key packages: each of the two gets the other's Add at epoch 0, the first commit wins.
- Later joins and leaves are gathered into one batch of proposals; the next batch waits until every member answered the
  transition of the last one, because a client that just failed a Welcome must not be sent proposals.
- Removes apply before adds; a new leaf takes the leftmost free index.
"""

from __future__ import annotations

import logging
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loopback.voice.group_state import DaveCounters, GroupMember, ProposalBatch, Transition
from loopback.voice.mls import (
    Commit,
    ExternalSender,
    KeyPackage,
    MlsError,
    Proposal,
    read_commit,
    read_key_package,
    vector,
)
from loopback.voice.opcodes import Op
from loopback.voice.tree import Leaves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from loopback.voice.faults import VoiceFaults
    from loopback.voice.wire import Schedule, Timer, Wire

_log = logging.getLogger(__name__)

GATHER_S = 0.03
"""Joins and leaves closer together than this share a commit."""
TRANSITION_TIMEOUT_S = 2.0
COMMIT_TIMEOUT_S = 5.0


@dataclass(slots=True)
class DeliveryService:
    """Members come with `join`, talk through `key_package`, `commit`, `ready` and `invalid`, and go with `leave`."""

    channel_id: int
    wire: Wire
    schedule: Schedule
    faults: VoiceFaults
    changed: Callable[[], None]
    """Called after every change of epoch, version or membership."""
    protocol_version: int = 1
    epoch: int = 0
    """0 while there is no group."""
    leaves: Leaves = field(default_factory=Leaves)
    counters: DaveCounters = field(default_factory=DaveCounters)
    _sender: ExternalSender = field(init=False)
    _members: dict[int, GroupMember] = field(default_factory=dict)
    _batch: ProposalBatch | None = None
    _transition: Transition | None = None
    _last_transition_id: int = 0
    _gathering: Timer | None = None

    def __post_init__(self) -> None:
        self._sender = ExternalSender(self.channel_id)

    @property
    def group(self) -> set[int]:
        """The user ids in the MLS group."""
        return self.leaves.user_ids

    @property
    def settled(self) -> bool:
        """Whether everybody present shares the current epoch (or needs none) and no transition is under way."""
        if self._transition is not None:
            return False
        if self.protocol_version == 0 or len(self._members) < 2:
            return not self.leaves
        return self._batch is None and self._gathering is None and self.group == set(self._members)

    # members

    def join(self, user_id: int) -> None:
        """A client was sent its session description; its key package is on the way when the version is not 0."""
        self._members[user_id] = GroupMember(user_id)
        if self.protocol_version:
            self._introduce(self._members[user_id])
        self.changed()

    def leave(self, user_id: int) -> None:
        """A client is gone for good."""
        if self._members.pop(user_id, None) is None:
            return
        if self._transition is not None:
            self._transition.members.discard(user_id)
            self._answered(user_id)
        if self._batch is not None:
            self._batch.recipients.discard(user_id)
        if self.protocol_version:
            if len(self._members) < 2 or (self._batch is not None and not self._batch.recipients):
                self._restart()
            else:
                self._gather()
        self.changed()

    def set_protocol_version(self, version: int) -> None:
        """Downgrades to plain transport encryption (0) or upgrades to DAVE (1) while people talk."""
        if version == self.protocol_version:
            return
        self.protocol_version = version
        if version:
            self._restart(everybody=True)
        else:
            self._forget_group()
            self._begin_transition(set(self._members))
            for user_id in self._members:
                data: dict[str, object] = {"protocol_version": 0, "transition_id": self._last_transition_id}
                self.wire.send_json(user_id, Op.PREPARE_TRANSITION, data)
        self.changed()

    def close(self) -> None:
        """Stops every timer."""
        self._forget_group()

    # messages from members

    def key_package(self, user_id: int, data: bytes) -> None:
        """Op 26."""
        member = self._members.get(user_id)
        if member is None or not self.protocol_version:
            return
        try:
            package = read_key_package(data)
        except MlsError as error:
            self._reject(user_id, error)
            return
        if package.user_id != user_id:
            self._reject(user_id, MlsError(f"key package of user {package.user_id}"))
            return
        member.package = package
        member.lost = False
        self._answered(user_id)
        self._gather()

    def commit(self, user_id: int, data: bytes) -> None:
        """Op 28. The first commit that names all open proposals wins the epoch; the others are ignored."""
        batch = self._batch
        try:
            commit = read_commit(data, self._sender.group_id)
        except MlsError as error:
            self._reject(user_id, error)
            return
        if (
            batch is None
            or commit.epoch != batch.epoch
            or user_id not in batch.recipients
            or set(commit.references) != batch.expected(user_id)
            or commit.committer != (self.leaves.index_of(user_id) if batch.epoch else 0)
            or (commit.welcome is None and batch.adds)
        ):
            self.counters.ignored_commits += 1
            return
        self._accept(user_id, batch, commit)

    def ready(self, user_id: int, transition_id: int) -> None:
        """Op 23."""
        if self._transition is not None and transition_id == self._transition.id:
            self._answered(user_id)

    def invalid(self, user_id: int, transition_id: int) -> None:
        """Op 31: the client could not use a commit or Welcome; its next key package brings it back."""
        member = self._members.get(user_id)
        if member is None or not self.protocol_version:
            return
        _log.info("user %d could not follow transition %d of channel %d", user_id, transition_id, self.channel_id)
        self.counters.recoveries += 1
        # The transition stays unanswered until the new key package is here: no proposals go to this member meanwhile.
        member.package = None
        member.lost = True

    # proposals

    def _introduce(self, member: GroupMember) -> None:
        if not member.has_sender:
            member.has_sender = True
            self.wire.send_binary(member.user_id, Op.EXTERNAL_SENDER, self._sender.package())

    def _gather(self) -> None:
        if self._gathering is None:
            self._gathering = self.schedule(GATHER_S + self.faults.proposal_delay_s, self._propose)

    def _propose(self) -> None:
        self._gathering = None
        if not self.protocol_version or self._batch is not None:
            return
        if self._transition is not None and self._transition.awaited:
            return
        fresh = [member.package for member in self._members.values() if member.package is not None]
        if self.leaves:
            self._propose_changes(fresh)
        elif len(fresh) > 1:
            self._propose_group(fresh[0], fresh[1])
        self.changed()

    def _propose_group(self, one: KeyPackage, other: KeyPackage) -> None:
        # Only two: a commit costs its maker one encryption per newcomer, and everybody proposed to makes one.
        adds: dict[bytes, KeyPackage] = {}
        self._open(0, {one.user_id, other.user_id}, {}, adds)
        for package, receiver in ((one, other), (other, one)):
            proposal = self._sender.add(0, package)
            adds[proposal.reference] = package
            self._append([proposal], [receiver.user_id])

    def _propose_changes(self, fresh: list[KeyPackage]) -> None:
        returning = {package.user_id for package in fresh}
        gone = {i: user for i, user in self.leaves.items() if user in returning or self._is_gone(user)}
        recipients = self.group - set(gone.values())
        if not recipients:
            self._restart()
            return
        if not gone and not fresh:
            return
        removes = {self._sender.remove(self.epoch, index): index for index in gone}
        adds = {self._sender.add(self.epoch, package): package for package in fresh}
        self._open(
            self.epoch,
            recipients,
            {proposal.reference: index for proposal, index in removes.items()},
            {proposal.reference: package for proposal, package in adds.items()},
        )
        self._append([*removes, *adds], recipients)

    def _is_gone(self, user_id: int) -> bool:
        member = self._members.get(user_id)
        return member is None or member.lost

    def _open(self, epoch: int, recipients: set[int], removes: dict[bytes, int], adds: dict[bytes, KeyPackage]) -> None:
        timer = self.schedule(COMMIT_TIMEOUT_S, self._no_commit)
        self._batch = ProposalBatch(epoch, recipients, removes, adds, timer)

    def _append(self, proposals: list[Proposal], receivers: Iterable[int]) -> None:
        payload = b"\0" + vector(b"".join(proposal.message for proposal in proposals))
        for user_id in receivers:
            self.wire.send_binary(user_id, Op.PROPOSALS, payload)

    def _no_commit(self) -> None:
        _log.warning("no commit for epoch %d of channel %d came; the group begins anew", self.epoch, self.channel_id)
        self._restart()

    # commits and transitions

    def _accept(self, committer: int, batch: ProposalBatch, commit: Commit) -> None:
        batch.timer.cancel()
        self._batch = None
        existing = {committer} if batch.epoch == 0 else {user for user in batch.recipients if not self._is_gone(user)}
        if batch.epoch == 0:
            self.leaves.add(committer)
        for index in batch.removes.values():
            self.leaves.remove(index)
        newcomers: set[int] = set()
        for package in (batch.adds[reference] for reference in commit.references if reference in batch.adds):
            self.leaves.add(package.user_id)
            member = self._members.get(package.user_id)
            # A client that sent a newer key package meanwhile has forgotten this one: the next batch re-adds it.
            if member is not None and member.package is package:
                member.package = None
                newcomers.add(package.user_id)
        if batch.epoch == 0 and (member := self._members.get(committer)):
            member.package = None
        self.leaves.trim()
        self.epoch = batch.epoch + 1
        self.counters.commits += 1
        self._announce(existing, newcomers, commit)
        self.changed()

    def _announce(self, existing: set[int], newcomers: set[int], commit: Commit) -> None:
        transition_id = self._begin_transition(existing | newcomers)
        head = struct.pack(">H", transition_id)
        for user_id in existing:
            message = commit.message
            if self.faults.corrupt_commits > 0:
                self.faults.corrupt_commits -= 1
                message = _damaged(message)
            self.wire.send_binary(user_id, Op.ANNOUNCE_COMMIT, head + message)
        for user_id in newcomers:
            welcome = commit.welcome or b""
            if self.faults.corrupt_welcomes > 0:
                self.faults.corrupt_welcomes -= 1
                welcome = _damaged(welcome)
            self.wire.send_binary(user_id, Op.WELCOME, head + welcome)

    def _begin_transition(self, members: set[int]) -> int:
        if self._transition is not None:
            # A transition that was only waiting for its late op 22 gets it before the next one begins.
            self._transition.timer.cancel()
            self._execute(self._transition)
        self._last_transition_id = self._last_transition_id % 0xFFFF + 1
        timer = self.schedule(TRANSITION_TIMEOUT_S, self._all_answered)
        self._transition = Transition(self._last_transition_id, members, set(members), timer)
        return self._last_transition_id

    def _answered(self, user_id: int) -> None:
        transition = self._transition
        if transition is None or not transition.awaited:
            return
        transition.awaited.discard(user_id)
        if not transition.awaited:
            self._all_answered()

    def _all_answered(self) -> None:
        transition = self._transition
        if transition is None:
            return
        transition.timer.cancel()
        transition.awaited.clear()
        if self.faults.transition_delay_s > 0:
            transition.timer = self.schedule(self.faults.transition_delay_s, self._execute, transition)
        else:
            self._execute(transition)
        self._gather()

    def _execute(self, transition: Transition) -> None:
        if self._transition is transition:
            self._transition = None
        if self.faults.missing_transitions > 0:
            self.faults.missing_transitions -= 1
        else:
            for user_id in transition.members & set(self._members):
                self.wire.send_json(user_id, Op.EXECUTE_TRANSITION, {"transition_id": transition.id})
        self.changed()

    # beginning anew

    def _forget_group(self) -> None:
        for timer in (
            self._gathering,
            self._batch.timer if self._batch else None,
            self._transition.timer if self._transition else None,
        ):
            if timer is not None:
                timer.cancel()
        self._gathering = self._batch = self._transition = None
        self.leaves.clear()
        self.epoch = 0

    def _restart(self, *, everybody: bool = False) -> None:
        """Begins a new group. Only clients whose own group has moved on (or that never made one) must reset."""
        spent = set(self._members) if everybody else self.group | (self._batch.recipients if self._batch else set())
        self._forget_group()
        for user_id in spent & set(self._members):
            member = self._members[user_id]
            member.package = None
            member.lost = False
            self.counters.restarts += 1
            self.wire.send_json(user_id, Op.PREPARE_EPOCH, {"protocol_version": self.protocol_version, "epoch": 1})
            self._introduce(member)
            if len(self._members) == 1:
                data: dict[str, object] = {"protocol_version": self.protocol_version, "transition_id": 0}
                self.wire.send_json(user_id, Op.PREPARE_TRANSITION, data)
        self._gather()

    def _reject(self, user_id: int, error: MlsError) -> None:
        self.counters.rejected += 1
        _log.warning("user %d in channel %d: %s", user_id, self.channel_id, error)


def _damaged(message: bytes) -> bytes:
    middle = len(message) // 2
    return message[:middle] + bytes([message[middle] ^ 0x5A]) + message[middle + 1 :]

"""Groups of davey and libdave members are led through joins, leaves, faults and changes of version."""

from __future__ import annotations

import random

import pytest

from loopback.voice.member import DaveMember
from loopback.voice.opcodes import Op
from tests.loopback.voice.members import CHANNEL, Group, LibdaveMember, davey_members


def group_of(*user_ids: int) -> Group:
    group = Group()
    for member in davey_members(*user_ids):
        group.join(member)
    group.settle()
    return group


def test_one_member_alone_has_no_group_and_sends_in_the_clear():
    group = group_of(1)
    assert group.service.settled
    assert group.service.epoch == 0
    assert group.members[1].encrypt(b"x" * 20) == b"x" * 20


@pytest.mark.parametrize("size", [2, 3, 8, 25])
def test_members_who_come_together_hear_each_other(size: int):
    group = group_of(*range(1, size + 1))
    assert group.service.settled
    assert group.service.group == set(range(1, size + 1))
    assert group.everybody_hears_everybody()


def test_members_who_come_one_by_one_hear_each_other():
    group = group_of(1)
    for user_id in range(2, 7):
        group.join(DaveMember(user_id, CHANNEL))
        group.settle()
        assert group.everybody_hears_everybody()
    assert group.service.epoch == 5


def test_libdave_and_davey_share_a_group_and_hear_each_other():
    users = {11, 12, 13, 14}
    group = Group()
    group.join(LibdaveMember(11, users))
    group.join(DaveMember(12, CHANNEL))
    group.settle()
    assert group.everybody_hears_everybody()
    group.join(LibdaveMember(13, users))
    group.join(DaveMember(14, CHANNEL))
    group.settle()
    assert group.service.group == users
    assert group.everybody_hears_everybody()
    group.leave(12)
    group.settle()
    assert group.service.group == {11, 13, 14}
    assert group.everybody_hears_everybody()


def test_libdave_alone_accepts_every_commit_of_a_growing_group():
    users = set(range(1, 7))
    group = Group()
    for user_id in users:
        group.join(LibdaveMember(user_id, users))
        group.settle()
    assert group.service.counters.rejected == 0
    assert all(member.failures == 0 for member in group.members.values())
    assert group.everybody_hears_everybody()


def test_a_frame_of_somebody_who_left_is_not_heard_by_later_epochs():
    group = group_of(1, 2, 3)
    gone = group.members[3]
    group.leave(3)
    group.settle()
    frame = gone.encrypt(b"\x78 still here")
    with pytest.raises(ValueError, match="NoDecryptorForUser"):
        group.members[1].decrypt(3, frame)


def test_a_leave_takes_its_leaf_and_a_join_takes_the_leftmost_free_one():
    group = group_of(1, 2, 3, 4)
    middle = next(user for index, user in group.service.leaves.items() if index == 1)
    group.leave(middle)
    group.settle()
    group.join(DaveMember(9, CHANNEL))
    group.settle()
    assert group.service.leaves.index_of(9) == 1
    assert group.everybody_hears_everybody()


def test_a_leave_and_a_join_at_once_share_one_commit():
    group = group_of(1, 2, 3)
    epoch = group.service.epoch
    group.leave(2)
    group.join(DaveMember(4, CHANNEL))
    group.settle()
    assert group.service.epoch == epoch + 1
    assert group.everybody_hears_everybody()


def test_the_last_one_left_begins_alone_and_can_be_joined_again():
    group = group_of(1, 2)
    group.leave(2)
    group.settle()
    assert group.service.epoch == 0
    assert group.service.settled
    assert [op for user, op in group.log if user == 1][-2:] == [Op.PREPARE_EPOCH, Op.PREPARE_TRANSITION]
    assert not group.members[1].ready
    group.join(DaveMember(3, CHANNEL))
    group.settle()
    assert group.everybody_hears_everybody()


def test_commits_that_lose_the_epoch_are_ignored():
    group = group_of(1, 2, 3, 4, 5)
    assert group.service.counters.ignored_commits > 0
    assert group.service.counters.commits == group.service.epoch


def test_a_corrupt_welcome_costs_one_recovery():
    group = group_of(1, 2)
    group.faults.corrupt_welcomes = 1
    group.join(DaveMember(3, CHANNEL))
    group.settle()
    assert group.members[3].failures == 1
    assert group.service.counters.recoveries == 1
    assert group.service.settled
    assert group.everybody_hears_everybody()


def test_libdave_recovers_from_a_corrupt_welcome_too():
    group = group_of(1, 2)
    group.faults.corrupt_welcomes = 1
    group.join(LibdaveMember(3, {1, 2, 3}))
    group.settle()
    assert group.members[3].failures == 1
    assert group.everybody_hears_everybody()


def test_a_corrupt_commit_costs_the_member_who_got_it_one_recovery():
    group = group_of(1, 2, 3)
    group.faults.corrupt_commits = 1
    group.join(DaveMember(4, CHANNEL))
    group.settle()
    assert sum(member.failures for member in group.members.values()) == 1
    assert group.everybody_hears_everybody()


def test_everybody_losing_the_group_at_once_makes_a_new_one():
    group = group_of(1, 2, 3)
    group.faults.corrupt_commits = 3
    group.faults.corrupt_welcomes = 1
    group.join(DaveMember(4, CHANNEL))
    group.settle(1.0)
    assert group.service.settled
    assert group.everybody_hears_everybody()


def test_a_member_that_never_answers_delays_the_transition_by_two_seconds_only():
    group = group_of(1, 2)
    group.mute = {1}
    group.join(DaveMember(3, CHANNEL))
    group.settle(1.0)
    assert not group.service.settled
    group.settle(1.5)
    assert group.service.settled
    assert group.log[-1][1] == Op.EXECUTE_TRANSITION


def test_nobody_committing_makes_the_group_begin_anew():
    group = group_of(1, 2)
    group.mute = {1, 2}
    group.join(DaveMember(3, CHANNEL))
    group.settle(1.0)
    group.mute = set()
    group.settle(6.0)
    assert group.service.settled
    assert group.everybody_hears_everybody()


def test_no_proposals_go_out_while_somebody_has_not_answered_a_transition() -> None:
    group = group_of(1, 2)
    group.mute = {1}
    group.join(DaveMember(3, CHANNEL))
    group.settle(0.5)
    group.log.clear()
    group.join(DaveMember(4, CHANNEL))
    group.settle(0.5)
    assert Op.PROPOSALS not in [op for _, op in group.log]
    group.settle(2.0)
    assert Op.PROPOSALS in [op for _, op in group.log]
    assert group.everybody_hears_everybody()


def test_a_commit_of_proposals_that_are_no_longer_open_is_ignored() -> None:
    group = Group()
    for member in davey_members(1, 2):
        group.join(member)
    group.settle(0.0)  # the key packages arrive
    group.mute = {1, 2}
    group.settle(0.1)  # the commits are lost
    stale = next(bytes(content) for user, op, content in group.lost if (user, op) == (1, Op.COMMIT_WELCOME))
    group.service.set_protocol_version(0)
    group.service.set_protocol_version(1)  # begins anew, with other proposals at the same epoch
    group.mute = set()
    group.settle(0.0)
    group.time.advance(0.05)  # the new proposals are open
    group.service.commit(1, stale)
    assert (group.service.counters.commits, group.service.counters.ignored_commits) == (0, 1)
    group.settle()
    assert group.everybody_hears_everybody()


def test_a_late_transition_is_late_by_as_much_as_asked():
    group = group_of(1, 2)
    group.faults.transition_delay_s = 3.0
    group.join(DaveMember(3, CHANNEL))
    group.settle(2.0)
    before = sum(op == Op.EXECUTE_TRANSITION for _, op in group.log)
    group.settle(2.0)
    assert sum(op == Op.EXECUTE_TRANSITION for _, op in group.log) == before + 3


def test_a_missing_transition_is_never_executed_and_the_next_one_is():
    group = group_of(1, 2)
    before = sum(op == Op.EXECUTE_TRANSITION for _, op in group.log)
    group.faults.missing_transitions = 1
    group.join(DaveMember(3, CHANNEL))
    group.settle(3.0)
    assert sum(op == Op.EXECUTE_TRANSITION for _, op in group.log) == before
    assert group.everybody_hears_everybody()
    group.leave(3)
    group.settle()
    assert sum(op == Op.EXECUTE_TRANSITION for _, op in group.log) > before


def test_a_downgrade_and_an_upgrade_while_people_are_there():
    group = group_of(1, 2, 3)
    group.service.set_protocol_version(0)
    group.settle()
    assert group.service.settled
    assert group.members[1].encrypt(b"x" * 20) == b"x" * 20
    group.service.set_protocol_version(1)
    group.settle()
    assert group.service.settled
    assert group.everybody_hears_everybody()


def test_a_room_without_dave_can_be_upgraded():
    group = Group(version=0)
    for member in davey_members(1, 2, 3):
        group.join(member)
    group.settle()
    assert group.log
    assert all(op == Op.SESSION_DESCRIPTION for _, op in group.log)
    group.service.set_protocol_version(1)
    group.settle()
    assert group.everybody_hears_everybody()


def test_the_external_sender_is_sent_once_to_each_member():
    group = group_of(1, 2)
    group.leave(2)
    group.settle()
    group.join(DaveMember(2, CHANNEL))
    group.settle()
    assert [op for user, op in group.log if user == 1].count(Op.EXTERNAL_SENDER) == 1


def test_newcomers_get_no_proposals_and_members_no_welcome():
    group = group_of(1, 2, 3)
    group.log.clear()
    group.join(DaveMember(4, CHANNEL))
    group.settle()
    assert Op.PROPOSALS not in [op for user, op in group.log if user == 4]
    assert Op.ANNOUNCE_COMMIT not in [op for user, op in group.log if user == 4]
    assert Op.WELCOME not in [op for user, op in group.log if user != 4]


def test_key_packages_of_others_and_garbage_are_rejected():
    group = group_of(1, 2)
    (_, foreign), *_ = DaveMember(8, CHANNEL).begin(1)
    assert isinstance(foreign, bytes)
    group.service.key_package(1, foreign)
    group.service.key_package(1, foreign[:40])
    group.service.commit(1, b"\x00\x01\x00\x01\x08")
    flipped = bytearray(DaveMember(1, CHANNEL).begin(1)[0][1])
    flipped[-1] ^= 1
    group.service.key_package(1, bytes(flipped))
    assert group.service.counters.rejected == 4
    group.settle()
    assert group.everybody_hears_everybody()


@pytest.mark.parametrize("seed", range(4))
def test_coming_and_going_at_random_always_ends_in_one_group(seed: int):
    dice = random.Random(seed)
    group = Group()
    next_id = 1
    for _ in range(30):
        if len(group.members) < 2 or (dice.random() < 0.6 and len(group.members) < 9):
            group.join(DaveMember(next_id, CHANNEL))
            next_id += 1
        else:
            group.leave(dice.choice(list(group.members)))
        group.faults.corrupt_welcomes = int(dice.random() < 0.1)
        group.settle(dice.choice([0.0, 0.0, 0.01, 0.03, 0.1]))
    while len(group.members) < 2:
        group.join(DaveMember(next_id, CHANNEL))
        next_id += 1
    group.settle(8.0)
    assert group.service.settled
    assert group.everybody_hears_everybody()

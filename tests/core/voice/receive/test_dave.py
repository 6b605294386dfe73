"""What may be heard: decrypted frames, and plain ones exactly where they are right. Ciphertext never."""

from __future__ import annotations

import random

import davey
import pytest

from core.voice.receive.dave import FAILURES, is_encrypted

from .conftest import ANNA, ANNAS, BEN, BENS, BOT, Desk

OPUS = b"\x78" + bytes(range(100))


@pytest.fixture
def talk(desk: Desk) -> Desk:
    """Anna, Ben and the bot in a group."""
    desk.receiver.announce(BENS, BEN)
    desk.encrypt_end_to_end(ANNA, BEN)
    return desk


def fail(desk: Desk, count: int, *, over_s: float, first: int = 1000) -> None:
    """Let frames arrive that nobody can decrypt."""
    strangers = desk.sessions[ANNA].encrypt_opus(OPUS)
    for number in range(count):
        broken = bytearray(strangers)
        broken[5] ^= number + 1 & 0xFF or 7
        desk.hear(bytes(broken), sequence=first + number)
        desk.now_s += over_s / count


def test_encrypted_frames_are_decrypted(talk: Desk) -> None:
    talk.hear(talk.sessions[ANNA].encrypt_opus(OPUS), extension=b"\x10\xff\x90\x00", padding=9)
    talk.hear(talk.sessions[BEN].encrypt_opus(OPUS), ssrc=BENS)
    assert [(frame.user_id, frame.payload) for frame in talk.frames] == [(ANNA, OPUS), (BEN, OPUS)]
    assert talk.receiver.stats.users[ANNA].plain == 0


def test_frames_are_told_from_plain_ones_by_their_trailer(talk: Desk) -> None:
    session, rng = talk.sessions[ANNA], random.Random(1)
    assert all(is_encrypted(session.encrypt_opus(rng.randbytes(rng.randrange(1, 300)))) for _ in range(2000))
    assert not any(is_encrypted(rng.randbytes(rng.randrange(300))) for _ in range(20_000))
    assert not is_encrypted(OPUS + b"\xfa\xfa")
    assert not is_encrypted(b"\xfa\xfa")


@pytest.mark.parametrize("passthrough", [False, True])
def test_ciphertext_is_never_handed_on(talk: Desk, passthrough: bool) -> None:
    assert talk.link.dave_session is not None
    talk.link.dave_session.set_passthrough_mode(passthrough, 10)
    fail(talk, 5, over_s=0.1)
    as_ben = talk.sessions[ANNA].encrypt_opus(OPUS)
    talk.hear(as_ben, ssrc=BENS)  # Anna's frame under Ben's SSRC
    assert talk.frames == []
    assert talk.receiver.stats.undecryptable == {"no_key": 6}


def test_what_davey_takes_for_plain_and_we_do_not_is_not_handed_on(talk: Desk) -> None:
    assert talk.link.dave_session is not None
    talk.link.dave_session.set_passthrough_mode(True, 10)
    misshapen = OPUS + bytes(8) + b"\x01\x85\x05" + b"\x0e\xfa\xfa"  # the nonce ends early, the rest makes no sense
    talk.hear(misshapen)
    assert talk.frames == []
    assert talk.receiver.stats.undecryptable == {"passed_through": 1}


def test_frames_of_somebody_outside_the_group_are_counted(talk: Desk) -> None:
    talk.receiver.announce(777, 42)
    talk.hear(talk.sessions[ANNA].encrypt_opus(OPUS), ssrc=777)
    assert talk.receiver.stats.users[42].undecryptable == {"no_decryptor": 1}


def test_plain_frames_of_a_member_are_refused_once_everybody_encrypts(talk: Desk) -> None:
    talk.hear(OPUS)
    assert talk.frames == []
    assert talk.receiver.stats.users[ANNA].undecryptable == {"unencrypted": 1}


def test_plain_frames_are_heard_for_ten_seconds_after_a_transition(talk: Desk) -> None:
    talk.link.transition_at_s = talk.now_s - 9
    talk.hear(OPUS, sequence=1)
    talk.now_s += 2
    talk.hear(OPUS, sequence=2)
    assert [frame.sequence for frame in talk.frames] == [1]
    assert talk.receiver.stats.users[ANNA].plain == 1


def test_plain_frames_of_a_newcomer_are_heard_until_they_are_in_the_group(desk: Desk) -> None:
    desk.encrypt_end_to_end(ANNA)
    desk.receiver.announce(BENS, BEN)
    desk.hear(OPUS, ssrc=BENS)
    assert desk.payloads == [OPUS]


def test_without_dave_plain_frames_are_right_and_late_encrypted_ones_still_decrypt(talk: Desk) -> None:
    late = talk.sessions[ANNA].encrypt_opus(OPUS)
    talk.link.dave_protocol_version = 0
    talk.hear(OPUS, sequence=1)
    talk.hear(late, sequence=2)
    assert talk.payloads == [OPUS, OPUS]


def test_while_no_session_is_ready_plain_frames_are_heard_and_encrypted_ones_counted(desk: Desk) -> None:
    desk.encrypt_end_to_end(ANNA)
    encrypted = desk.sessions[ANNA].encrypt_opus(OPUS)
    desk.link.dave_session = davey.DaveSession(1, BOT, 99)
    desk.hear(OPUS, sequence=1)
    desk.hear(encrypted, sequence=2)
    desk.link.dave_session = None
    desk.hear(encrypted, sequence=3)
    assert desk.payloads == [OPUS]
    assert desk.receiver.stats.undecryptable == {"no_decryptor": 1, "no_session": 1}


def test_a_run_of_failures_asks_for_a_new_start_once_in_a_while(talk: Desk) -> None:
    fail(talk, FAILURES - 1, over_s=1.0)
    assert talk.recoveries == 0
    fail(talk, 1, over_s=0.1, first=2000)
    assert talk.recoveries == 1
    fail(talk, 300, over_s=9.0, first=3000)
    assert talk.recoveries == 1  # cooling down
    fail(talk, 300, over_s=30.0, first=4000)
    assert talk.recoveries == 2
    assert talk.receiver.stats.recoveries == 2


def test_failures_around_a_change_of_epoch_are_normal(talk: Desk) -> None:
    talk.link.transition_at_s = talk.now_s
    fail(talk, 100, over_s=0.6)  # many people at once
    talk.hear(talk.sessions[ANNA].encrypt_opus(OPUS), sequence=2000)
    fail(talk, FAILURES - 1, over_s=5, first=3000)
    assert talk.recoveries == 0


def test_a_group_that_never_forms_is_asked_for_again(talk: Desk) -> None:
    talk.link.dave_session = davey.DaveSession(1, BOT, 99)
    fail(talk, 100, over_s=4)
    assert talk.recoveries == 0
    fail(talk, 100, over_s=2, first=2000)
    assert talk.recoveries == 1


def test_a_new_session_object_is_followed(talk: Desk) -> None:
    talk.hear(talk.sessions[ANNA].encrypt_opus(OPUS), sequence=1)
    talk.encrypt_end_to_end(ANNA)
    assert talk.link.dave_session is talk.sessions[BOT]
    talk.hear(talk.sessions[ANNA].encrypt_opus(OPUS), sequence=2, ssrc=ANNAS)
    assert len(talk.frames) == 2

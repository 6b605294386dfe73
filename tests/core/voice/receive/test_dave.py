"""What may be heard: decrypted frames, and plain ones exactly where they are right. Ciphertext never."""

from __future__ import annotations

import random

import davey
import pytest

from core.audio.frames import OPUS_SILENCE
from core.voice.receive.dave import FAILURES, is_encrypted
from core.voice.receive.missed import STRETCHES
from core.voice.receive.pending import HELD_PACKETS

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


@pytest.mark.parametrize("since_transition_s", [0.1, 5, 60])
def test_in_a_group_plain_frames_under_the_id_of_somebody_outside_are_nobodys(
    desk: Desk, since_transition_s: float
) -> None:
    desk.encrypt_end_to_end(ANNA)
    desk.link.transition_at_s = desk.now_s - since_transition_s
    desk.receiver.announce(BENS, BEN)
    desk.hear(OPUS, ssrc=BENS, sequence=1)
    assert desk.frames == []
    assert desk.receiver.stats.users[BEN].undecryptable == {"outside_group": 1}
    desk.hear(OPUS_SILENCE, ssrc=BENS, sequence=2)
    assert desk.payloads == [OPUS_SILENCE]
    desk.encrypt_end_to_end(ANNA, BEN)
    desk.hear(desk.sessions[BEN].encrypt_opus(OPUS), ssrc=BENS, sequence=3)
    assert desk.payloads == [OPUS_SILENCE, OPUS]


def test_who_never_enters_a_group_is_heard_no_longer_than_one_takes_to_form(desk: Desk) -> None:
    desk.link.dave_session, desk.link.dave_protocol_version = davey.DaveSession(1, BOT, 99), 1
    desk.receiver.announce(BENS, BEN)
    for second in range(20):
        desk.now_s += 1
        desk.hear(OPUS, ssrc=BENS, sequence=second)
    assert [frame.sequence for frame in desk.frames] == list(range(10))
    assert desk.receiver.stats.users[BEN].undecryptable == {"unencrypted": 10}
    desk.hear(OPUS, sequence=1)  # Anna has only just come
    assert desk.frames[-1].user_id == ANNA
    desk.link.dave_protocol_version = 0
    desk.hear(OPUS, ssrc=BENS, sequence=20)
    assert desk.frames[-1].user_id == BEN


def test_who_has_begun_to_encrypt_is_not_believed_a_plain_frame_any_more(talk: Desk) -> None:
    talk.link.transition_at_s = talk.now_s
    talk.hear(OPUS, sequence=1)  # on its way while the group was formed
    talk.hear(talk.sessions[ANNA].encrypt_opus(OPUS), sequence=2)
    talk.hear(b"made by the server" + OPUS, sequence=3)
    talk.link.transition_at_s = talk.now_s = talk.now_s + 1  # somebody joins: another epoch of the same group
    talk.hear(b"made by the server" + OPUS, sequence=4)
    assert talk.payloads == [OPUS, OPUS]
    assert talk.receiver.stats.users[ANNA].undecryptable == {"unencrypted": 2}
    talk.receiver.regroup()  # the group begins anew
    talk.hear(OPUS, sequence=5)
    assert talk.payloads == [OPUS] * 3


@pytest.mark.parametrize("passthrough", [False, True])
def test_passthrough_opens_no_way_around_the_group(talk: Desk, passthrough: bool) -> None:
    assert talk.link.dave_session is not None
    talk.link.dave_session.set_passthrough_mode(passthrough, 10)
    talk.receiver.announce(777, 42)
    talk.hear(OPUS, sequence=1)
    talk.hear(OPUS, ssrc=777, sequence=1)
    assert talk.frames == []


def test_an_ssrc_that_is_given_to_another_makes_nobody_speak_in_their_name(talk: Desk) -> None:
    talk.receiver.announce(ANNAS, BEN)  # the server says that Anna's stream is Ben's
    talk.hear(talk.sessions[ANNA].encrypt_opus(OPUS), sequence=1)
    talk.hear(OPUS, sequence=2)
    assert talk.frames == []
    assert talk.receiver.stats.users[BEN].undecryptable == {"no_key": 1, "unencrypted": 1}


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


def test_what_could_not_be_had_is_told_by_person_cause_and_time(talk: Desk) -> None:
    began_s = talk.now_s
    for number in range(10):
        talk.hear(OPUS, sequence=number)
        talk.now_s += 0.02
    talk.now_s += 5
    late_s = talk.now_s
    fail(talk, 5, over_s=0.1, first=100)
    talk.hear(OPUS, ssrc=BENS)
    missed = talk.receiver.missed()
    assert [(each.cause, each.frames) for each in missed[ANNA]] == [("unencrypted", 10), ("no_key", 5)]
    assert missed[ANNA][0].start_s == began_s
    assert missed[ANNA][0].end_s == pytest.approx(began_s + 0.18)
    assert missed[ANNA][1].start_s == late_s
    assert [(each.cause, each.frames) for each in missed[BEN]] == [("unencrypted", 1)]
    assert talk.receiver.missed(late_s - 1)[ANNA] == missed[ANNA][1:]


def test_what_a_late_key_opens_was_not_missed(desk: Desk) -> None:
    desk.encrypt_end_to_end(ANNA)
    inside, desk.link.dave_session = desk.link.dave_session, davey.DaveSession(1, BOT, 99)
    desk.hear(desk.sessions[ANNA].encrypt_opus(OPUS), sequence=1)
    assert [each.cause for each in desk.receiver.missed()[ANNA]] == ["no_decryptor"]
    desk.link.dave_session = inside
    desk.hear(desk.sessions[ANNA].encrypt_opus(OPUS), sequence=2)
    assert desk.payloads == [OPUS, OPUS]
    assert desk.receiver.missed() == {}


def test_what_went_by_before_it_was_known_whose_it_is_counts_for_them(desk: Desk) -> None:
    began_s = desk.now_s
    for number in range(HELD_PACKETS + 7):
        desk.hear(OPUS, ssrc=BENS, sequence=number)
        desk.now_s += 0.02
    desk.receiver.announce(BENS, BEN)
    desk.receiver.settle(desk.now_s)
    assert len(desk.frames) == HELD_PACKETS
    (missed,) = desk.receiver.missed()[BEN]
    assert (missed.cause, missed.frames, missed.start_s) == ("unmapped", 7, began_s)
    assert desk.receiver.stats.users[BEN].undecryptable == {"unmapped": 7}


def test_times_of_failures_take_bounded_memory(talk: Desk) -> None:
    for number in range(1000):
        talk.hear(OPUS, sequence=number)
        talk.now_s += 2
    missed = talk.receiver.missed()[ANNA]
    assert len(missed) <= STRETCHES
    assert sum(each.frames for each in missed) == 1000


def test_a_new_session_object_is_followed(talk: Desk) -> None:
    talk.hear(talk.sessions[ANNA].encrypt_opus(OPUS), sequence=1)
    talk.encrypt_end_to_end(ANNA)
    assert talk.link.dave_session is talk.sessions[BOT]
    talk.hear(talk.sessions[ANNA].encrypt_opus(OPUS), sequence=2, ssrc=ANNAS)
    assert len(talk.frames) == 2

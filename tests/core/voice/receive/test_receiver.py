"""One datagram becomes one frame of one person, or is counted; nothing ever escapes."""

from __future__ import annotations

import random
import time

import pytest

from core.audio.frames import OPUS_SILENCE, OpusFrame
from core.voice.receive.pending import HELD_PACKETS, HELD_STREAMS
from core.voice.receive.receiver import MOST_STREAMS
from loopback.voice.transport import MODES

from .conftest import AES, ANNA, ANNAS, BEN, BENS, XCHACHA, Desk

EXTENSION = bytes.fromhex("10ff9000")


@pytest.mark.parametrize("mode", [AES, XCHACHA])
@pytest.mark.parametrize("extension", [b"", EXTENSION, EXTENSION * 5])
@pytest.mark.parametrize("padding", [0, 1, 4, 255])
def test_a_packet_becomes_a_frame_without_extension_and_padding(
    desk: Desk, mode: str, extension: bytes, padding: int
) -> None:
    desk.rekey(list(range(32)), mode)
    desk.hear(b"opus bytes", sequence=7, timestamp=9600, extension=extension, padding=padding)
    assert desk.frames == [OpusFrame(ANNA, ANNAS, 9600, 7, desk.now_s, b"opus bytes")]


def test_contributing_sources_are_stepped_over(desk: Desk) -> None:
    plain = desk.datagram(b"opus")
    header = bytes([plain[0] | 2]) + plain[1:12] + bytes(8)
    desk.feed(desk.transport.seal(header, b"opus"))
    assert desk.payloads == [b"opus"]


def test_a_new_key_and_a_new_mode_are_followed_at_once(desk: Desk) -> None:
    desk.hear(b"first", sequence=1)
    late = desk.datagram(b"late", sequence=2)
    desk.rekey([9] * 32)
    desk.hear(b"second", sequence=3)
    desk.rekey([9] * 32, XCHACHA)
    desk.hear(b"third", sequence=4)
    desk.feed(late)
    assert desk.payloads == [b"first", b"second", b"third"]
    assert desk.receiver.stats.dropped == {"forged": 1}


def test_before_there_is_a_key_packets_are_counted(desk: Desk) -> None:
    datagram = desk.datagram(b"opus")
    desk.link.secret_key = None
    desk.feed(datagram)
    assert desk.receiver.stats.dropped == {"no_key": 1}


def test_what_is_no_audio_is_dropped_by_cause(desk: Desk) -> None:
    whole = desk.datagram(b"opus bytes", extension=EXTENSION)
    desk.feed(b"")
    desk.feed(desk.datagram(b"opus")[:31])
    desk.feed(b"\x00\x02" + bytes(72))  # the answer to an address discovery
    desk.hear(b"video", kind=103)
    desk.feed(b"\x81\xc9" + bytes(60))  # an RTCP receiver report
    desk.feed(b"\x81\xcb" + bytes(26))  # RTCP's good-bye
    desk.feed(whole[:-1] + bytes([whole[-1] ^ 1]))
    desk.feed(whole[:14] + b"\xff\xff" + whole[16:])
    desk.hear(b"", padding=20)
    desk.feed(desk.transport.seal(bytes([0xB0]) + whole[1:12] + b"\xbe\xde\x00\x09", b"too short for that"))
    desk.feed(desk.transport.seal(bytes([0xA0]) + whole[1:12], b"padding\x00"))
    desk.feed(desk.transport.seal(bytes([0xA0]) + whole[1:12], b"padding\x40"))
    assert desk.frames == []
    assert desk.receiver.stats.dropped == {
        "short": 2,
        "not_rtp": 1,
        "other_payload": 3,
        "forged": 2,
        "empty": 1,
        "bad_padding": 3,
    }


def test_an_extension_longer_than_the_packet_is_refused(desk: Desk) -> None:
    head = desk.datagram(b"x")[:12]
    desk.feed(desk.transport.seal(bytes([0x90]) + head[1:] + b"\xbe\xde\x00\x09", b"too short for that"))
    desk.feed(bytes([0x90]) + head[1:] + bytes(22))
    assert desk.receiver.stats.dropped == {"bad_extension": 2}


def test_audio_before_its_owner_is_known_is_held_and_delivered_in_order(desk: Desk) -> None:
    for number in range(5):
        desk.hear(b"ben %d" % number, ssrc=BENS, sequence=number)
    desk.hear(b"anna", sequence=1)
    assert desk.payloads == [b"anna"]
    assert desk.receiver.stats.held == 5
    desk.receiver.announce(BENS, BEN)
    desk.hear(b"ben 5", ssrc=BENS, sequence=5)
    assert desk.payloads[1:] == [b"ben %d" % number for number in range(6)]
    assert [frame.user_id for frame in desk.frames] == [ANNA, *[BEN] * 6]
    assert desk.receiver.stats.users[BEN].late_mapped == 5


def test_what_is_held_is_delivered_without_a_further_packet_too(desk: Desk) -> None:
    desk.hear(b"ben", ssrc=BENS)
    arrived_s = desk.now_s
    desk.now_s += 3
    desk.receiver.announce(BENS, BEN)
    desk.receiver.settle(desk.now_s)
    assert [(frame.payload, frame.arrival_s) for frame in desk.frames] == [(b"ben", arrived_s)]


def test_encrypted_frames_are_held_too_and_decrypted_when_their_owner_is_known(desk: Desk) -> None:
    desk.encrypt_end_to_end(ANNA, BEN)
    desk.hear(desk.sessions[BEN].encrypt_opus(b"\x78ben"), ssrc=BENS)
    desk.receiver.announce(BENS, BEN)
    desk.receiver.settle(desk.now_s)
    assert desk.payloads == [b"\x78ben"]


def test_no_more_is_held_than_two_seconds_of_64_streams(desk: Desk) -> None:
    for stream in range(HELD_STREAMS + 10):
        for number in range(HELD_PACKETS + 20):
            desk.hear(b"x", ssrc=9000 + stream, sequence=number)
    stats = desk.receiver.stats
    assert stats.held == HELD_STREAMS * HELD_PACKETS
    assert stats.held + stats.dropped["unmapped"] == (HELD_STREAMS + 10) * (HELD_PACKETS + 20)


def test_packets_under_way_when_somebody_leaves_are_still_theirs(desk: Desk) -> None:
    desk.hear(b"one", sequence=1)
    desk.receiver.leave(ANNA, desk.now_s)
    desk.now_s += 0.5
    desk.hear(b"two", sequence=2)
    desk.now_s += 2
    desk.hear(b"three", sequence=3)
    assert desk.payloads == [b"one", b"two"]
    assert desk.receiver.stats.held == 1


def test_an_ssrc_that_changes_hands_belongs_to_the_new_owner(desk: Desk) -> None:
    desk.hear(b"anna", sequence=1)
    desk.receiver.announce(ANNAS, BEN)
    desk.hear(b"ben", sequence=2)
    assert [frame.user_id for frame in desk.frames] == [ANNA, BEN]
    assert {user: heard.packets for user, heard in desk.receiver.stats.users.items()} == {ANNA: 1, BEN: 1}


def test_a_packet_that_comes_twice_is_heard_once_and_loss_is_counted(desk: Desk) -> None:
    for sequence in (65534, 65535, 65535, 2, 1, 2):
        desk.hear(b"x", sequence=sequence)
    assert [frame.sequence for frame in desk.frames] == [65534, 65535, 2, 1]
    stats = desk.receiver.stats
    assert stats.dropped == {"replayed": 2}
    assert stats.users[ANNA].lost == 1
    desk.receiver.reset()
    assert desk.receiver.stats.users[ANNA].lost == 1


def test_a_sender_that_begins_anew_loses_nothing(desk: Desk) -> None:
    for sequence in (30_000, 30_001, 10, 11, 12):
        desk.hear(b"x", sequence=sequence)
    assert [frame.sequence for frame in desk.frames] == [30_000, 30_001, 10, 11, 12]
    assert desk.receiver.stats.dropped.get("stale", 0) == 0


def test_subscribers_come_and_go_and_one_that_fails_stops_nobody(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    def failing(frame: OpusFrame) -> None:
        raise KeyError(frame.sequence)

    late: list[OpusFrame] = []
    desk.receiver.drop(desk)
    desk.receiver.subscribe(failing, owner="bad")
    desk.receiver.subscribe(desk.frames.append, owner=desk)
    for sequence in range(1, 5):
        desk.hear(b"x", sequence=sequence)
        if sequence == 2:
            desk.receiver.subscribe(late.append, owner="late")
    desk.receiver.drop(desk)
    desk.hear(b"x", sequence=5)
    assert [frame.sequence for frame in desk.frames] == [1, 2, 3, 4]
    assert [frame.sequence for frame in late] == [3, 4, 5]
    assert next(count for name, count in desk.receiver.stats.failed.items() if "failing" in name) == 5
    assert "failing" in caplog.text


def test_several_subscribers_cost_one_decryption(desk: Desk) -> None:
    desk.encrypt_end_to_end(ANNA)
    for owner in range(5):
        desk.receiver.subscribe(lambda _frame: None, owner=owner)
    for number in range(20):
        desk.hear(desk.sessions[ANNA].encrypt_opus(b"\x78opus"), sequence=number)
    assert desk.link.dave_session is not None
    stats = desk.link.dave_session.get_decryption_stats(ANNA)
    assert stats is not None
    assert stats.attempts == 20


def test_silence_passes_before_any_lookup_in_the_group(desk: Desk) -> None:
    desk.encrypt_end_to_end(BEN)  # Anna is in no group at all
    desk.hear(OPUS_SILENCE)
    assert desk.payloads == [OPUS_SILENCE]
    assert desk.receiver.stats.users[ANNA].silent == 1


def test_a_hundred_thousand_malformed_replayed_and_foreign_datagrams_are_counted_and_dropped(desk: Desk) -> None:
    rng = random.Random(3)
    desk.encrypt_end_to_end(ANNA, BEN)
    desk.receiver.announce(BENS, BEN)
    session = desk.sessions[ANNA]
    good = [desk.datagram(session.encrypt_opus(b"\x78" + rng.randbytes(80)), sequence=n) for n in range(500)]
    foreign = MODES[AES](bytes(32))
    for datagram in good:
        desk.feed(datagram)
    started_s = time.process_time()
    for _ in range(100_000):
        kind, datagram = rng.randrange(7), bytearray(rng.choice(good))
        if kind == 0:
            datagram = rng.randbytes(rng.randrange(200))
        elif kind == 1:
            del datagram[rng.randrange(len(datagram)) :]
        elif kind == 2:
            datagram[rng.randrange(len(datagram))] ^= 1 << rng.randrange(8)
        elif kind == 3:
            datagram = foreign.seal(bytes(datagram[:12]), rng.randbytes(60))
        elif kind == 4:  # an insider without DAVE's key: authentic transport, garbage inside
            head = bytes([0x80 | rng.choice([0, 0x10, 0x20, 0x30, 5])]) + bytes(datagram[1:2]) + rng.randbytes(6)
            datagram = desk.transport.seal(
                head + bytes(datagram[8:12]), rng.randbytes(rng.randrange(1, 90)) + b"\xfa\xfa"
            )
        elif kind == 5:
            datagram[:2] = bytes([0x80 | rng.randrange(64), rng.randrange(256)])
        desk.feed(bytes(datagram))
    assert time.process_time() - started_s < 60  # no slowdown worth the name, on any machine
    assert {frame.user_id for frame in desk.frames} <= {ANNA}
    assert desk.payloads[:500] == desk.payloads[:500]
    stats = desk.receiver.stats
    counted = stats.delivered + stats.held + sum(stats.dropped.values()) + sum(stats.undecryptable.values())
    assert counted == 100_500
    assert stats.delivered == 500


# Before the key, before the name ------------------------------------------------------------------------------------------


def test_frames_that_come_before_their_key_are_opened_when_it_has_come(desk: Desk) -> None:
    desk.encrypt_end_to_end(ANNA, BEN)
    session, desk.link.dave_session = desk.link.dave_session, None
    for number in range(3):
        desk.hear(desk.sessions[ANNA].encrypt_opus(b"\x78%d" % number), sequence=number)
    assert desk.payloads == []
    assert desk.receiver.stats.undecryptable == {"no_session": 3}
    desk.link.dave_session = session
    desk.hear(desk.sessions[ANNA].encrypt_opus(b"\x783"), sequence=3)
    assert desk.payloads == [b"\x78%d" % number for number in range(4)]
    stats = desk.receiver.stats
    assert stats.undecryptable == {}
    assert (stats.users[ANNA].late_keyed, stats.users[ANNA].packets) == (3, 4)


def test_the_last_frames_before_a_key_need_no_further_packet(desk: Desk) -> None:
    desk.encrypt_end_to_end(ANNA, BEN)
    session, desk.link.dave_session = desk.link.dave_session, None
    desk.hear(desk.sessions[ANNA].encrypt_opus(b"\x78opus"))
    arrived_s = desk.now_s
    desk.link.dave_session = session
    desk.now_s += 1
    desk.receiver.settle(desk.now_s)
    assert [(frame.payload, frame.arrival_s) for frame in desk.frames] == [(b"\x78opus", arrived_s)]


def test_a_key_that_comes_after_two_seconds_opens_nothing(desk: Desk) -> None:
    desk.encrypt_end_to_end(ANNA, BEN)
    session, desk.link.dave_session = desk.link.dave_session, None
    desk.hear(desk.sessions[ANNA].encrypt_opus(b"\x78opus"))
    desk.link.dave_session = session
    desk.now_s += 2.1
    desk.receiver.settle(desk.now_s)
    assert desk.frames == []
    assert desk.receiver.stats.undecryptable == {"no_session": 1}


def test_a_damaged_frame_holds_nobody_up(desk: Desk) -> None:
    desk.encrypt_end_to_end(ANNA, BEN)
    damaged = bytearray(desk.sessions[ANNA].encrypt_opus(b"\x78opus"))
    damaged[2] ^= 1
    desk.hear(bytes(damaged), sequence=0)
    for number in range(1, 200):
        desk.hear(desk.sessions[ANNA].encrypt_opus(b"\x78opus"), sequence=number)
    assert [frame.sequence for frame in desk.frames] == list(range(1, 200))
    assert desk.receiver.stats.undecryptable == {"no_key": 1}


def test_who_was_speaking_before_we_came_is_known_by_the_key_that_opens_their_frames(desk: Desk) -> None:
    desk.encrypt_end_to_end(ANNA, BEN)
    desk.hear(OPUS_SILENCE, ssrc=BENS, sequence=4)
    for number in range(5, 15):
        desk.hear(desk.sessions[BEN].encrypt_opus(b"\x78%d" % number), ssrc=BENS, sequence=number)
    assert [frame.sequence for frame in desk.frames] == list(range(4, 11)) + list(range(11, 15))
    assert {frame.user_id for frame in desk.frames} == {BEN}
    assert desk.payloads[1:] == [b"\x78%d" % number for number in range(5, 15)]
    assert desk.receiver.stats.undecryptable == {}
    assert desk.receiver.stats.held == 0


def test_an_owner_may_be_found_at_the_very_moment_somebody_leaves(desk: Desk) -> None:
    desk.encrypt_end_to_end(ANNA, BEN)

    class Leaver(int):
        """Is compared in the middle of leaving, where the reading thread may get its turn."""

        def __eq__(self, other: object) -> bool:
            desk.hear(desk.sessions[BEN].encrypt_opus(b"\x78opus"), ssrc=BENS, sequence=10)
            return int(self) == other

        __hash__ = int.__hash__

    desk.receiver.leave(Leaver(ANNA), desk.now_s)
    assert [frame.user_id for frame in desk.frames] == [BEN]


def test_a_stream_that_no_key_of_the_group_opens_stays_unnamed(desk: Desk) -> None:
    desk.encrypt_end_to_end(ANNA, BEN)
    for number in range(40):
        desk.hear(
            bytes(desk.sessions[ANNA].encrypt_opus(b"\x78opus")[:-3]) + b"\x0d\xfa\xfa", ssrc=777, sequence=number
        )
        desk.hear(b"\x78plain", ssrc=778, sequence=number)
    assert desk.frames == []
    assert desk.receiver.stats.held == 80


def test_made_up_streams_take_bounded_memory_and_displace_nobody(desk: Desk) -> None:
    desk.hear(b"anna", sequence=1)
    for ssrc in range(100_000, 100_000 + 3 * MOST_STREAMS):
        desk.hear(b"nobody", ssrc=ssrc)
    assert len(desk.receiver._streams) <= MOST_STREAMS
    desk.hear(b"anna", sequence=1)  # replayed: her stream is still known
    desk.hear(b"anna again", sequence=2)
    assert desk.payloads == [b"anna", b"anna again"]

"""Light clients talk to a real voice server over TLS and UDP: joins, modes, packets, resume and close codes."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from typing import TYPE_CHECKING

import pytest

from loopback.voice import rtp
from loopback.voice.faults import Network
from loopback.voice.opcodes import Op
from loopback.voice.transport import MODES
from tests.loopback.voice.conftest import CHANNEL, GUILD, House

if TYPE_CHECKING:
    from loopback.voice.client import ReceivedFrame, VoiceClient

AES, XCHACHA = "aead_aes256_gcm_rtpsize", "aead_xchacha20_poly1305_rtpsize"
FRAME = b"\x78" + bytes(range(60))


class Listener:
    """Collects what a client hears."""

    def __init__(self) -> None:
        self.heard: list[ReceivedFrame] = []
        self._more = asyncio.Event()

    def __call__(self, heard: ReceivedFrame) -> None:
        self.heard.append(heard)
        self._more.set()

    async def count(self, packets: int, timeout: float = 30.0) -> list[ReceivedFrame]:
        async with asyncio.timeout(timeout):
            while len(self.heard) < packets:
                self._more.clear()
                await self._more.wait()
        return self.heard


async def pair(house: House, **options: object) -> tuple[VoiceClient, Listener]:
    """A speaker (user 1) and what user 2 hears, once both share an epoch."""
    listener = Listener()
    speaker = await house.enter(1)
    hearer = await house.enter(2, on_audio=listener, **options)
    await house.room().wait_settled(2)
    await speaker.speak()
    await hearer.wait_for(Op.SPEAKING)
    # The server is settled when op 22 is sent; both must have read it.
    await asyncio.gather(*(client.wait_for(Op.EXECUTE_TRANSITION) for client in (speaker, hearer)))
    return speaker, listener


@pytest.mark.parametrize("speaking_mode", [AES, XCHACHA])
@pytest.mark.parametrize("hearing_mode", [AES, XCHACHA])
async def test_clients_of_different_modes_hear_each_other_encrypted_end_to_end(
    house: House, speaking_mode: str, hearing_mode: str
):
    listener = Listener()
    speaker = await house.enter(1, mode=speaking_mode)
    hearer = await house.enter(2, mode=hearing_mode, on_audio=listener)
    await asyncio.gather(*(client.wait_for(Op.EXECUTE_TRANSITION) for client in (speaker, hearer)))
    await speaker.speak()
    await hearer.wait_for(Op.SPEAKING)
    for _ in range(10):
        speaker.send_opus(FRAME)
    heard = await listener.count(10)
    assert [one.opus for one in heard] == [FRAME] * 10
    assert all(one.encrypted and one.user_id == 1 for one in heard)
    assert [one.packet.sequence for one in heard] == list(range(10))
    assert [one.packet.timestamp for one in heard] == [960 * i for i in range(10)]


async def test_the_order_of_a_join_is_discords(house: House):
    await house.enter(1)
    client = await house.enter(2)
    await client.wait_for(Op.EXTERNAL_SENDER)
    ops = [op for op, _ in client.messages]
    assert [op for op in ops if op in (8, 2, 11, 4, 25)] == [8, 2, 11, 4, 25]
    assert client.present == {1}


async def test_padding_and_extensions_are_inside_and_the_frame_survives_them(house: House):
    house.server.faults.padding_rate = 1.0
    capture = house.server.relay.capture = deque(maxlen=100)
    speaker, listener = await pair(house)
    speaker.send_opus(FRAME)
    speaker.send_opus(FRAME, padding=17, extension=b"\x10\x7f\0\0")
    heard = await listener.count(2)
    assert [one.opus for one in heard] == [FRAME, FRAME]
    for _, datagram in capture:
        assert datagram[0] == 0x80 | 0x20 | 0x10
        assert datagram[12:14] == b"\xbe\xde"


async def test_without_the_knobs_packets_have_neither_padding_nor_extension(house: House):
    house.server.faults.header_extension = False
    capture = house.server.relay.capture = deque(maxlen=100)
    speaker, listener = await pair(house)
    speaker.send_opus(FRAME)
    await listener.count(1)
    assert [datagram[0] for _, datagram in capture] == [0x80]


async def test_rtcp_reports_come_between_the_audio_and_hurt_nobody(house: House):
    house.server.faults.rtcp_interval_s = 0.01
    capture = house.server.relay.capture = deque(maxlen=100)
    speaker, listener = await pair(house)
    for _ in range(6):
        speaker.send_opus(FRAME)
        await asyncio.sleep(0.02)
    heard = await listener.count(6)
    assert any(rtp.is_rtcp(datagram) for _, datagram in capture)
    assert [one.opus for one in heard] == [FRAME] * 6


async def test_silence_frames_pass_without_end_to_end_encryption(house: House):
    speaker, listener = await pair(house)
    speaker.send_opus(rtp.SILENCE)
    heard = await listener.count(1)
    assert heard[0].packet.payload == rtp.SILENCE


async def test_lost_packets_are_counted_by_the_server_and_missing_at_the_listener(house: House):
    speaker, listener = await pair(house)
    house.server.faults.network_for[2] = Network(loss=0.3)
    for _ in range(200):
        speaker.send_opus(FRAME)
    endpoint = house.server.session(guild_id=GUILD, user_id=2).endpoint
    await listener.count(200 - 90)
    await house.room().wait_settled()
    await house.until(lambda: len(listener.heard) + endpoint.lost[speaker.ssrc] == 200)
    assert 30 < endpoint.lost[speaker.ssrc] < 90


async def test_duplicates_arrive_twice(house: House):
    speaker, listener = await pair(house)
    house.server.faults.network.duplicate = 1.0
    for _ in range(5):
        speaker.send_opus(FRAME)
    heard = await listener.count(10)
    assert [one.packet.sequence for one in heard] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


async def test_reordered_packets_are_overtaken(house: House):
    speaker, listener = await pair(house)
    house.server.faults.network.reorder = 0.3
    for _ in range(50):
        speaker.send_opus(FRAME)
        await asyncio.sleep(0.002)
    heard = await listener.count(50)
    order = [one.packet.sequence for one in heard]
    assert order != sorted(order)
    assert sorted(order) == list(range(50))


async def test_delayed_packets_come_later_but_all_come(house: House):
    speaker, listener = await pair(house)
    house.server.faults.network = Network(delay_s=0.15, jitter_s=0.02)
    loop = asyncio.get_running_loop()
    sent = loop.time()
    for _ in range(20):
        speaker.send_opus(FRAME)
    await listener.count(1)
    assert loop.time() - sent > 0.05
    await listener.count(20)


async def test_damage_can_be_limited_to_one_speaker(house: House):
    speaker, listener = await pair(house)
    other = await house.enter(3)
    await house.room().wait_settled(3)
    house.server.faults.network = Network(loss=1.0, only_from={1})
    for _ in range(5):
        speaker.send_opus(FRAME)
        other.send_opus(FRAME)
    heard = await listener.count(5)
    assert {one.packet.ssrc for one in heard} == {other.ssrc}


async def test_late_speaking_messages_come_after_the_audio(house: House):
    house.server.faults.speaking_delay_s = 0.3
    listener = Listener()
    speaker = await house.enter(1)
    hearer = await house.enter(2, on_audio=listener)
    await house.room().wait_settled(2)
    await speaker.speak()
    speaker.send_opus(FRAME)
    heard = await listener.count(1)
    assert heard[0].user_id is None
    await hearer.wait_for(Op.SPEAKING)
    assert hearer.users[speaker.ssrc] == 1


async def test_malformed_forged_and_foreign_datagrams_are_counted_and_go_nowhere(house: House):
    speaker, listener = await pair(house)
    relay = house.server.relay
    good = speaker.send_opus(FRAME)
    await listener.count(1)
    speaker.send_datagram(good[:9])
    speaker.send_datagram(good[:-1] + bytes([good[-1] ^ 1]))
    speaker.send_datagram(good[:8] + b"\xff\xff\xff\xff" + good[12:])
    speaker.send_datagram(b"\x40" + good[1:])
    speaker.send_opus(FRAME)
    await listener.count(2)
    assert (relay.counters.malformed, relay.counters.forged, relay.counters.foreign) == (2, 1, 1)
    assert len(listener.heard) == 2


async def test_raw_datagrams_reach_a_client_as_if_from_the_network(house: House):
    capture = house.server.relay.capture = deque(maxlen=10)
    speaker, listener = await pair(house)
    speaker.send_opus(FRAME)
    await listener.count(1)
    assert house.server.relay.send_raw(2, b"\x80") == 1
    _, replayed = capture[0]
    house.server.relay.send_raw(2, replayed)
    heard = await listener.count(2)
    # davey refuses a nonce it has seen.
    assert heard[1].opus is None


async def test_keep_alive_datagrams_are_echoed(house: House):
    speaker, _ = await pair(house)
    got: list[bytes] = []
    speaker._udp.get_protocol()._receive = got.append
    speaker.send_datagram(b"\x01\0\0\0\0\0\0\0")
    await house.until(lambda: bool(got))
    assert got == [b"\x01\0\0\0\0\0\0\0"]


async def test_only_chosen_listeners_are_served(house: House):
    speaker, listener = await pair(house)
    house.room().listeners_only = set()
    speaker.send_opus(FRAME)
    await asyncio.sleep(0.1)
    assert listener.heard == []
    house.room().listeners_only = {2}
    speaker.send_opus(FRAME)
    await listener.count(1)


async def test_a_server_muted_speaker_is_not_relayed(house: House):
    speaker, listener = await pair(house)
    house.server.set_muted(guild_id=GUILD, user_id=1, muted=True)
    speaker.send_opus(FRAME)
    await asyncio.sleep(0.1)
    house.server.set_muted(guild_id=GUILD, user_id=1, muted=False)
    speaker.send_opus(FRAME)
    heard = await listener.count(1)
    assert [one.packet.sequence for one in heard] == [1]


async def test_who_was_muted_before_coming_is_not_relayed_until_unmuted(house: House):
    house.server.set_muted(guild_id=GUILD, user_id=1, muted=True)
    speaker, listener = await pair(house)
    speaker.send_opus(FRAME)
    await asyncio.sleep(0.1)
    house.server.set_muted(guild_id=GUILD, user_id=1, muted=False)
    speaker.send_opus(FRAME)
    heard = await listener.count(1)
    assert [one.packet.sequence for one in heard] == [1]


async def test_a_camera_is_announced_and_its_packets_are_relayed_with_their_type(house: House):
    capture = house.server.relay.capture = deque(maxlen=10)
    speaker, _ = await pair(house)
    video = speaker.ssrc + 1
    await speaker._send(Op.VIDEO, {"audio_ssrc": speaker.ssrc, "video_ssrc": video, "rtx_ssrc": 0, "streams": []})
    late = await house.enter(3)
    shown = await late.wait_for(Op.VIDEO)
    assert (shown["user_id"], shown["video_ssrc"]) == ("1", video)
    speaker.send_packet(rtp.RtpPacket(rtp.VIDEO_PAYLOAD_TYPE, True, 0, 0, video, b"picture"))
    await house.until(lambda: len(capture) == 2)
    assert {datagram[1] for _, datagram in capture} == {0x80 | rtp.VIDEO_PAYLOAD_TYPE}


async def test_a_resumed_client_gets_what_it_missed_and_keeps_its_key_and_group(house: House):
    speaker, listener = await pair(house)
    epoch = house.room().epoch
    await house.server.drop(guild_id=GUILD, user_id=1)
    await speaker.wait_closed()
    third = await house.enter(3)
    seen = len(speaker.messages)
    await speaker.resume()
    await speaker.wait_for(Op.CLIENTS_CONNECT, after=seen)
    await house.room().wait_settled(3)
    assert house.room().epoch == epoch + 1
    await third.wait_for(Op.EXECUTE_TRANSITION)
    speaker.send_opus(FRAME)
    heard = await listener.count(1)
    assert heard[0].opus == FRAME
    assert [op for op, _ in speaker.messages[seen : seen + 2]] == [Op.HELLO, Op.RESUMED]


async def test_a_resume_is_refused_when_the_knob_says_so(house: House):
    speaker, _ = await pair(house)
    house.server.faults.allow_resume = False
    await house.server.drop(guild_id=GUILD, user_id=1)
    await speaker.wait_closed()
    with pytest.raises(ConnectionError, match="4006"):
        await speaker.resume()


async def test_a_client_that_vanishes_is_gone_after_the_resume_window(house: House):
    house.server.faults.resume_window_s = 0.3
    speaker, _ = await pair(house)
    await speaker.vanish()
    assert house.room().members == [1, 2]
    await house.room().wait_until(lambda room: room.members == [2])


async def test_a_client_without_heartbeat_is_hung_up_on(house: House):
    house.server.faults.heartbeat_interval_s = 0.1
    client = await house.enter(1, heartbeats=False)
    assert await client.wait_closed() == 4009


async def test_a_heartbeat_is_answered_as_late_as_by_discord(house: House):
    client = await house.enter(1, heartbeats=False)
    sent_s = time.monotonic()
    await client._send(Op.HEARTBEAT, {"t": 5, "seq_ack": -1})
    await client.wait_for(Op.HEARTBEAT_ACK)
    assert time.monotonic() - sent_s > 0.04


async def test_a_client_with_heartbeats_stays(house: House):
    house.server.faults.heartbeat_interval_s = 0.1
    client = await house.enter(1)
    await asyncio.sleep(0.6)
    assert client.close_code is None
    await client.wait_for(Op.HEARTBEAT_ACK)
    assert house.server.session(guild_id=GUILD, user_id=1).seq_ack == client.seq_ack


@pytest.mark.parametrize("code", [4014, 4015, 4006])
async def test_a_crash_closes_everybody_with_its_code(house: House, code: int):
    speaker, _ = await pair(house)
    await house.server.crash(CHANNEL, code)
    assert await speaker.wait_closed() == code
    if code == 4015:
        await speaker.resume()
    else:
        with pytest.raises(ConnectionError, match="4006"):
            await speaker.resume()


async def test_somebody_removed_is_disconnected_and_the_others_hear_of_it(house: House):
    speaker, _ = await pair(house)
    hearer = await house.enter(3)
    await house.room().wait_settled(3)
    await house.server.remove(guild_id=GUILD, user_id=1)
    assert await speaker.wait_closed() == 4014
    gone = await hearer.wait_for(Op.CLIENT_DISCONNECT)
    assert gone["user_id"] == "1"
    await house.room().wait_settled(2)
    assert house.room().group_members == {2, 3}


async def test_wrong_tokens_sessions_and_users_are_refused_with_their_codes(house: House):
    wrong_token = house.client(1)
    house.server.admit(guild_id=GUILD, channel_id=CHANNEL, user_id=1, session_id="session-1")
    with pytest.raises(ConnectionError, match="4004"):
        await wrong_token.connect()
    house.client(2)
    token = house.server.admission(GUILD, 2).token
    wrong_session = house.client(2)
    house.server._admissions[GUILD, 2] = type(house.server.admission(GUILD, 2))(GUILD, CHANNEL, 2, "else", token)
    with pytest.raises(ConnectionError, match="400"):
        await wrong_session.connect()
    stranger = house.client(3)
    await house.server.remove(guild_id=GUILD, user_id=3)
    with pytest.raises(ConnectionError, match="4006"):
        await stranger.connect()


async def test_clients_without_dave_are_refused_where_it_is_required_and_downgrade_elsewhere(house: House):
    with pytest.raises(ConnectionError, match="4017"):
        await house.enter(1, dave_version=0)
    house.server.faults.dave_required = False
    speaker, listener = await pair(house)
    await house.enter(3, dave_version=0)
    downgrade = await speaker.wait_for(Op.PREPARE_TRANSITION)
    assert downgrade["protocol_version"] == 0
    await speaker.wait_for(Op.EXECUTE_TRANSITION, after=len(speaker.messages) - 1)
    speaker.send_opus(FRAME)
    heard = await listener.count(1)
    assert (heard[0].encrypted, heard[0].opus) == (False, FRAME)
    await house.server.remove(guild_id=GUILD, user_id=3)
    await house.room().wait_until(lambda room: room.protocol_version == 1 and room.epoch > 0 and room.settled)


async def test_dave_off_means_plain_frames(house: House):
    house.server.faults.dave = False
    listener = Listener()
    speaker = await house.enter(1)
    await house.enter(2, on_audio=listener)
    speaker.send_opus(FRAME)
    heard = await listener.count(1)
    assert heard[0].packet.payload == FRAME
    assert house.room().epoch == 0


async def test_unknown_modes_and_opcodes_are_refused(house: House):
    with pytest.raises(ConnectionError, match="4016"):
        await house.enter(1, mode="xsalsa20_poly1305")
    client = await house.enter(2)
    await client._send(99, {})  # type: ignore[arg-type]
    assert await client.wait_closed() == 4001
    rude = await house.enter(3)
    await rude._websocket.send_str("{")
    assert await rude.wait_closed() == 4002


async def test_offered_modes_can_be_limited(house: House):
    house.server.faults.modes = (XCHACHA,)
    client = await house.enter(1, mode=XCHACHA)
    assert (await client.wait_for(Op.READY))["modes"] == [XCHACHA]
    assert isinstance(client.transport, MODES[XCHACHA])


async def test_two_channels_do_not_hear_each_other(house: House):
    speaker, listener = await pair(house)
    far = await house.enter(3, channel_id=CHANNEL + 1)
    far.send_opus(FRAME)
    speaker.send_opus(FRAME)
    heard = await listener.count(1)
    await asyncio.sleep(0.05)
    assert [one.packet.ssrc for one in heard] == [speaker.ssrc]
    assert house.room(CHANNEL + 1).members == [3]


async def test_a_move_ends_the_stay_in_the_old_channel_only(house: House):
    await pair(house)
    third = await house.enter(3)
    moved = house.client(3, channel_id=CHANNEL + 1)
    await house.server.remove(guild_id=GUILD, user_id=3)
    assert await third.wait_closed() == 4014
    await moved.connect()
    assert house.room().members == [1, 2]
    assert house.room(CHANNEL + 1).members == [3]


async def test_an_empty_room_is_forgotten(house: House):
    client = await house.enter(1)
    await client.close()
    await house.until(lambda: house.server.room(CHANNEL) is None)


async def test_twenty_five_at_once_share_one_group(house: House):
    clients = [house.client(user_id) for user_id in range(1, 26)]
    await asyncio.gather(*(client.connect() for client in clients))
    await house.room().wait_settled(25, timeout=30)
    assert house.room().group_members == set(range(1, 26))
    assert {client.dave.epoch for client in clients} == {house.room().epoch}


async def test_a_room_where_people_come_go_and_vanish_ends_in_one_group_that_hears(house: House) -> None:
    house.server.faults.resume_window_s = 0.1
    dice = random.Random(3)
    inside: dict[int, VoiceClient] = {}
    for user_id in range(1, 31):
        inside[user_id] = await house.enter(user_id)
        if len(inside) > 6:
            gone = inside.pop(dice.choice(list(inside)))
            await (gone.vanish() if dice.random() < 0.5 else gone.close())
        house.server.faults.corrupt_welcomes = int(dice.random() < 0.2)
        await asyncio.sleep(dice.choice([0.0, 0.02, 0.1]))
    await house.room().wait_settled(len(inside), timeout=20)
    assert house.room().group_members == set(inside)
    speaker, *others = inside.values()
    listeners = [Listener() for _ in others]
    for client, listener in zip(others, listeners, strict=True):
        client.on_audio = listener
    await house.until(lambda: len({client.dave.epoch for client in inside.values()}) == 1)
    await speaker.speak()
    await house.until(lambda: all(speaker.ssrc in client.users for client in others))
    speaker.send_opus(FRAME)
    for listener in listeners:
        heard = await listener.count(1)
        assert (heard[0].encrypted, heard[0].opus) == (True, FRAME)

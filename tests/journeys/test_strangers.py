"""Packets of nobody who is there: malformed, truncated, replayed, foreign. They leave no trace but in the counters."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from typing import TYPE_CHECKING

from loopback.voice import rtp
from tests.journeys.sounds import voice
from tests.journeys.studio import assert_nothing_else, assert_there

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from tests.journeys.studio import Studio

PACKETS = 6000
A_TURN = 40  # packets, each 10 ms: 80 times what one person sends
STRANGERS = range(5_000_000, 5_000_020)


async def test_strangers_are_counted_and_dropped_while_a_recording_goes_on(
    studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    await studio.start()
    ada, _ben = await studio.people("Ada", "Ben")
    live = await studio.record()
    seen: deque[tuple[int, bytes]] = deque()
    studio.discord.voice.relay.capture = seen
    talking = asyncio.create_task(studio.speak(ada, voice(0, 1.8)))
    await asyncio.sleep(0.3)
    studio.discord.voice.relay.capture = None
    real = [datagram for user_id, datagram in seen if user_id == studio.bot_user.id]
    for sent, datagram in enumerate(_bad_packets(studio, real)):
        studio.discord.voice.relay.send_raw(studio.bot_user.id, datagram)
        if sent % A_TURN == 0:
            await asyncio.sleep(0.01)
    spoken = await talking
    receiver = studio.session.receiver
    assert set(receiver.stats.failed.values()) == {0}
    dropped = receiver.stats.dropped
    assert all(dropped[cause] > 0 for cause in ("short", "not_rtp", "other_payload", "forged", "replayed"))
    assert receiver.stats.held <= 100 * 64
    recorded = await studio.stop()
    assert_there(recorded, spoken, likeness=0.99)
    assert_nothing_else(recorded, ada.user.id, [spoken])
    assert [person.id for person in recorded.metadata.people] == [str(ada.user.id)]
    assert {path.name.split("_")[0] for path in live.folder.glob("*.ogg")} == {str(ada.user.id)}
    packets = recorded.person(ada.user.id).packets
    assert (packets.received, packets.lost) == (len(spoken.sent_s) + 5, 0)
    assert not [record for record in caplog.records if record.exc_info and record.name.startswith("core.")]


def _bad_packets(studio: Studio, real: list[bytes]) -> Iterator[bytes]:
    rng = random.Random(7)
    downlink = studio.endpoint.downlink
    assert downlink is not None
    for number in range(PACKETS):
        datagram = bytearray(rng.choice(real))
        kind = number % 6
        if kind == 0:
            yield rng.randbytes(rng.randrange(300))
        elif kind == 1:
            yield bytes(datagram[: rng.randrange(len(datagram))])
        elif kind == 2:
            datagram[rng.randrange(12, len(datagram))] ^= 1 << rng.randrange(8)
            yield bytes(datagram)
        elif kind == 3:
            yield bytes(datagram)
        elif kind == 4:
            datagram[:2] = rng.randbytes(2)
            yield bytes(datagram)
        else:  # authentic transport, but nobody is known by that SSRC
            packet = rtp.RtpPacket(120, False, number & 0xFFFF, number * 960, rng.choice(STRANGERS), rng.randbytes(60))
            yield downlink.seal(*rtp.header_and_body(packet))

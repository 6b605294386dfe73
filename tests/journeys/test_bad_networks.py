"""What the network takes, delays, doubles and mixes up: words stay in their place, and every packet is accounted for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from loopback.voice.faults import Network
from tests.journeys.sounds import voice
from tests.journeys.studio import assert_nothing_else, assert_there

if TYPE_CHECKING:
    from tests.journeys.studio import Recorded, Spoken, Studio


BREATH_S = 0.12  # as long as the silence that ends a spurt


def packets_sent(said: list[Spoken]) -> int:
    return sum(len(spoken.sent_s) + 5 for spoken in said)


def check(recorded: Recorded, said: list[Spoken], **limits: float) -> None:
    assert_there(recorded, *said, **limits)
    for user_id in {spoken.user_id for spoken in said}:
        assert_nothing_else(recorded, user_id, [spoken for spoken in said if spoken.user_id == user_id])


async def test_lost_packets_are_counted_and_concealed_and_nothing_moves(studio: Studio) -> None:
    await studio.start()
    ada, ben = await studio.people("Ada", "Ben")
    await studio.record()
    said = list(await asyncio.gather(studio.speak(ada, voice(0, 0.3)), studio.speak(ben, voice(1, 0.3))))
    await asyncio.sleep(BREATH_S)
    studio.faults.network_for[studio.bot_user.id] = Network(loss=0.08)
    said += await asyncio.gather(studio.speak(ada, voice(2, 2.0)), studio.speak(ben, voice(3, 2.0)))
    studio.faults.network_for.clear()
    await asyncio.sleep(BREATH_S)
    said += await asyncio.gather(studio.speak(ada, voice(4, 0.3)), studio.speak(ben, voice(5, 0.3)))
    recorded = await studio.stop()
    check(recorded, said, likeness=0.85, within_db=2)  # what is concealed fades
    for person in (ada, ben):
        lost, packets = studio.lost(person), recorded.person(person.user.id).packets
        assert lost > 0
        assert packets.lost == lost
        mine = [spoken for spoken in said if spoken.user_id == person.user.id]
        assert packets.received == packets_sent(mine) - lost
        assert 0 < packets.concealed + packets.recovered <= lost
        assert (packets.late, packets.duplicate, packets.malformed) == (0, 0, 0)


async def test_jitter_disorder_and_doubles_change_nothing(studio: Studio) -> None:
    await studio.start()
    ada, ben = await studio.people("Ada", "Ben")
    await studio.record()
    studio.faults.network_for[studio.bot_user.id] = Network(
        delay_s=0.03, jitter_s=0.015, reorder=0.1, reorder_s=0.05, duplicate=0.1
    )
    said = list(await asyncio.gather(studio.speak(ada, voice(0, 1.5)), studio.speak(ben, voice(1, 1.5))))
    await asyncio.sleep(BREATH_S)
    said.append(await studio.speak(ada, voice(2, 0.8)))
    await asyncio.sleep(0.2)
    recorded = await studio.stop()
    for spoken in said:
        spoken.sent_s = [sent + 0.03 for sent in spoken.sent_s]  # the way takes that long
    check(recorded, said, likeness=0.8, within_ms=30)  # what jitter hid at first is stretched in, a sample a frame
    assert sum(studio.endpoint.duplicated.values()) > 0
    assert studio.session.receiver.stats.dropped["replayed"] == sum(studio.endpoint.duplicated.values())
    for person in (ada, ben):
        packets = recorded.person(person.user.id).packets
        mine = [spoken for spoken in said if spoken.user_id == person.user.id]
        assert (packets.received, packets.lost, packets.late, packets.concealed) == (packets_sent(mine), 0, 0, 0)


async def test_padding_a_camera_and_a_late_introduction_cost_no_frame(studio: Studio) -> None:
    studio.faults.padding_rate = 1.0
    studio.faults.speaking_delay_s = 0.6
    await studio.start()
    ada, ben = await studio.people("Ada", "Ben")
    await studio.record()
    await ben.camera()
    said = list(await asyncio.gather(studio.speak(ada, voice(0)), studio.speak(ben, voice(1))))
    await ben.camera(on=False)
    recorded = await studio.stop()
    check(recorded, said, likeness=0.99)
    stats = studio.session.receiver.stats
    assert stats.dropped["other_payload"] > 20  # the camera's
    assert stats.users[ada.user.id].late_mapped > 0  # Ben's camera introduced him
    assert sum(person.packets.received for person in recorded.metadata.people) == packets_sent(said)
    assert sum(person.packets.lost for person in recorded.metadata.people) == 0

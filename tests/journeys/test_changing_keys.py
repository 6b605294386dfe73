"""The group changes its keys while people talk: joins, leaves, damage, delays, encryption off and on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from core.bot.recording_messages import finished_text
from tests.journeys.sounds import voice
from tests.journeys.studio import assert_there

if TYPE_CHECKING:
    from tests.journeys.studio import Recorded, Spoken, Studio


def check_counts(studio: Studio, recorded: Recorded, spoken: Spoken, *, most: int) -> None:
    """Every frame of a person is on the track or counted as undecryptable, of which there are at most so many."""
    packets = recorded.person(spoken.user_id).packets
    heard = studio.session.receiver.stats.users[spoken.user_id]
    undecryptable = sum(packets.undecryptable.values())
    assert packets.undecryptable == dict(heard.undecryptable)
    assert undecryptable <= most
    assert packets.received + undecryptable == len(spoken.sent_s) + 5


async def test_joins_and_leaves_change_keys_in_the_middle_of_a_word(studio: Studio) -> None:
    await studio.start()
    ada, ben = await studio.people("Ada", "Ben")
    await studio.record()
    talking = asyncio.create_task(studio.speak(ada, voice(0, 2.4)))
    await asyncio.sleep(0.3)
    epoch = studio.room.epoch
    cleo = await studio.person("Cleo")
    await ben.leave()
    await ben.join(studio.voice)
    await ben.until_encrypted()
    await cleo.leave()
    await studio.settled(3)
    spoken = await talking
    after = await studio.speak(ben, voice(1, 0.4))
    recorded = await studio.stop()
    assert studio.room.epoch >= epoch + 3
    assert_there(recorded, spoken, after, likeness=0.9)
    check_counts(studio, recorded, spoken, most=24)


async def test_a_damaged_welcome_is_recovered_from_and_what_it_cost_is_counted(studio: Studio) -> None:
    ada, _ben = await asyncio.gather(studio.person("Ada", alone=True), studio.person("Ben", alone=True))
    await studio.settled(2)
    studio.faults.corrupt_welcomes = 1
    let_go = studio.hold_recovery()
    await studio.start()
    await studio.record()
    talking = asyncio.create_task(studio.speak(ada, voice(0, 2.0)))
    await studio.until(lambda: studio.session.receiver.stats.undecryptable)
    let_go()
    first = await talking
    await studio.until(lambda: studio.session.client.dave.ready)
    await studio.settled(3)
    second = await studio.speak(ada, voice(1, 0.8))
    recorded = await studio.stop()
    assert studio.room.dave_counters.recoveries == 1
    assert_there(recorded, second)
    packets = recorded.person(ada.user.id).packets
    undecryptable = sum(packets.undecryptable.values())
    assert 0 < undecryptable < 100
    assert packets.received + undecryptable == len(first.sent_s) + len(second.sent_s) + 10


async def test_damaged_commits_are_recovered_from(studio: Studio) -> None:
    await studio.start()
    ada, _ben = await studio.people("Ada", "Ben")
    await studio.record()
    studio.faults.corrupt_commits = 3  # all three cannot follow: two people and the bot
    cleo = await studio.person("Cleo")
    await studio.settled(4)
    assert studio.room.dave_counters.recoveries > 0
    said = list(await asyncio.gather(studio.speak(ada, voice(0, 0.6)), studio.speak(cleo, voice(1, 0.6))))
    recorded = await studio.stop()
    assert_there(recorded, *said)


async def test_late_and_missing_transitions_cost_nothing(studio: Studio) -> None:
    await studio.start()
    ada, _ben = await studio.people("Ada", "Ben")
    await studio.record()
    talking = asyncio.create_task(studio.speak(ada, voice(0, 2.4)))
    studio.faults.transition_delay_s = 0.8
    cleo = await studio.person("Cleo")
    studio.faults.transition_delay_s = 0.0
    studio.faults.missing_transitions = 1
    await cleo.leave()
    await studio.settled(3)
    spoken = await talking
    recorded = await studio.stop()
    assert_there(recorded, spoken, likeness=0.9)
    check_counts(studio, recorded, spoken, most=24)


async def test_encryption_goes_off_and_on_in_the_middle_of_a_word(studio: Studio) -> None:
    await studio.start()
    ada, _ben = await studio.people("Ada", "Ben")
    await studio.record()
    talking = asyncio.create_task(studio.speak(ada, voice(0, 2.4)))
    await asyncio.sleep(0.4)
    studio.room.set_protocol_version(0)
    await studio.until(lambda: studio.session.client.dave.protocol_version == 0)
    await asyncio.sleep(0.4)
    studio.room.set_protocol_version(1)
    await studio.until(lambda: studio.session.client.dave.ready)
    await studio.settled(3)
    spoken = await talking
    recorded = await studio.stop()
    assert_there(recorded, spoken, likeness=0.9)
    check_counts(studio, recorded, spoken, most=24)
    assert studio.session.receiver.stats.users[ada.user.id].plain > 10


async def test_what_was_encrypted_before_we_had_the_keys_stands_in_the_persons_line_and_in_nobody_elses(
    studio: Studio,
) -> None:
    ada, ben = await asyncio.gather(studio.person("Ada", alone=True), studio.person("Ben", alone=True))
    await studio.settled(2)
    studio.faults.proposal_delay_s = 1.5  # the bot is let into their group so late
    await studio.start()
    await studio.record()
    early = await studio.speak(ada, voice(0, 0.8))
    await studio.until(lambda: studio.session.client.dave.ready)
    await studio.settled(3)
    late, other = await studio.speak(ada, voice(0, 0.6)), await studio.speak(ben, voice(1, 0.6))
    recorded = await studio.stop()
    assert_there(recorded, late, other)
    assert recorded.person(ben.user.id).packets.undecryptable == {}
    packets = recorded.person(ada.user.id).packets
    unheard = sum(packets.undecryptable.values())
    assert unheard >= len(early.sent_s)
    assert packets.received + unheard == len(early.sent_s) + len(late.sent_s) + 10
    (line,) = [line for line in finished_text(recorded.metadata).splitlines() if str(unheard) in line]
    assert f"<@{ada.user.id}>" in line

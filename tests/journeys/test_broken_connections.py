"""Gateways drop, servers crash, people go and come back, the bot is moved, a cog is reloaded: the recording goes on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from loopback.voice.load import SyntheticSpeaker, encode
from tests.journeys.sounds import voice
from tests.journeys.studio import Spoken, assert_nothing_else, assert_there

if TYPE_CHECKING:
    from tests.journeys.studio import Studio


async def test_a_resumed_gateway_costs_no_frame(studio: Studio) -> None:
    await studio.start()
    (ada,) = await studio.people("Ada")
    await studio.record()
    talking = asyncio.create_task(studio.speak(ada, voice(0, 2.0)))
    await asyncio.sleep(0.4)
    await studio.discord.faults.drop_gateway(studio.bot_user)
    spoken = await talking
    recorded = await studio.stop()
    assert_there(recorded, spoken)
    assert recorded.person(ada.user.id).packets.received == len(spoken.sent_s) + 5
    assert recorded.metadata.gaps == []


async def test_a_lost_gateway_session_leaves_a_gap_that_is_told_and_the_track_goes_on(studio: Studio) -> None:
    await studio.start()
    (ada,) = await studio.people("Ada")
    await studio.record()
    first = await studio.speak(ada, voice(0, 0.5))
    await studio.calm()
    session = studio.session
    await studio.discord.faults.drop_gateway(studio.bot_user, resumable=False)
    await studio.until(lambda: session.interruptions and session.connected)
    await studio.settled(2)
    assert studio.session is session
    second = await studio.speak(ada, voice(1, 0.5))
    await studio.until(lambda: not studio.runtime.recordings.required(studio.guild.id).recorder.log.in_gap)
    recorded = await studio.stop()
    assert_there(recorded, first, second)
    assert_nothing_else(recorded, ada.user.id, [first, second])
    (gap,) = recorded.metadata.gaps
    assert first.began_s - recorded.started_s + 0.5 < gap.start_s < second.began_s - recorded.started_s
    assert gap.start_s + gap.duration_s < second.began_s - recorded.started_s + 1


@pytest.mark.parametrize("code", [4015, 4006])
async def test_a_crashed_voice_server_is_come_back_to(studio: Studio, code: int) -> None:
    await studio.start()
    ada, ben = await studio.people("Ada", "Ben")
    await studio.record()
    first = await studio.speak(ada, voice(0, 0.5))
    await studio.calm()
    epoch = studio.room.epoch
    before = {client: client.ws for client in (ada.voice, ben.voice, studio.session.client)}
    await studio.discord.voice.crash(studio.voice.id, code)
    await studio.until(lambda: all(client.is_connected() and client.ws is not ws for client, ws in before.items()))
    await studio.until(lambda: (room := studio.discord.voice.room(studio.voice.id)) and len(room.sessions) == 3)
    await studio.settled(3)
    await asyncio.gather(ada.until_encrypted(), ben.until_encrypted())
    assert code == 4006 or studio.room.epoch >= epoch
    said = [await studio.speak(ada, voice(1, 0.5)), await studio.speak(ben, voice(2, 0.5))]
    recorded = await studio.stop()
    assert_there(recorded, first, *said)
    assert len(recorded.metadata.people) == 2


async def test_a_voice_websocket_that_is_cut_in_the_middle_of_a_word_costs_hardly_a_frame(studio: Studio) -> None:
    await studio.start()
    (ada,) = await studio.people("Ada")
    await studio.record()
    talking = asyncio.create_task(studio.speak(ada, voice(0, 2.0)))
    await asyncio.sleep(0.4)
    await studio.discord.voice.drop(guild_id=studio.guild.id, user_id=studio.bot_user.id)
    spoken = await talking
    recorded = await studio.stop()
    assert_there(recorded, spoken, likeness=0.9)  # media does not pass through the websocket
    packets = recorded.person(ada.user.id).packets
    assert packets.received > 0.8 * len(spoken.sent_s)
    missing_s = (len(spoken.sent_s) + 5 - packets.received) * 0.02  # only that is a gap: the rest was heard
    assert sum(gap.duration_s for gap in recorded.metadata.gaps) < missing_s + 0.25 + spoken.unrest_s


async def test_a_bot_that_is_moved_goes_on_recording_where_it_is(studio: Studio) -> None:
    await studio.start()
    ada, ben = await studio.people("Ada", "Ben")
    await studio.record()
    first = await studio.speak(ada, voice(0, 0.5))
    await studio.calm()
    other = studio.discord.world.add_voice_channel(studio.guild, "Library")
    await studio.until(lambda: studio.bot.get_channel(other.id) is not None)
    studio.discord.world.voice.move(studio.guild, studio.bot_user.id, other)
    await ada.move(other)
    studio.voice = other
    await studio.until(lambda: studio.session.connected and studio.discord.voice.room(other.id))
    await studio.settled(2)
    await ada.until_encrypted()
    unheard, second = await asyncio.gather(studio.speak(ben, voice(1, 0.5)), studio.speak(ada, voice(2, 0.5)))
    recorded = await studio.stop()
    assert_there(recorded, first, second)
    assert recorded.metadata.person(unheard.user_id) is None
    assert [note.text for note in recorded.metadata.notes] == ["The recording goes on in “Library”."]


async def test_who_leaves_and_comes_back_or_changes_devices_stays_on_one_track(studio: Studio) -> None:
    await studio.start()
    ada, ben = await studio.people("Ada", "Ben")
    await studio.record()
    said = [await studio.speak(ada, voice(0, 0.4))]
    await studio.calm()
    ssrcs = {ada.voice.ssrc}
    await ada.leave()
    said.append(await studio.speak(ben, voice(1, 0.4)))
    await ada.join(studio.voice)
    await ada.until_encrypted()
    ssrcs.add(ada.voice.ssrc)
    said.append(await studio.speak(ada, voice(2, 0.4)))
    telephone = SyntheticSpeaker(studio.discord.gateway, studio.discord.certificates.client_context(), ada.token)
    await telephone.enter(studio.guild.id, studio.voice.id)
    await telephone.wait_encrypted()
    ssrcs.add(telephone.voice.ssrc)
    said.append(await _call(telephone, voice(3, 0.4), ada.user.id))
    recorded = await studio.stop()
    await telephone.leave()
    assert len(ssrcs) == 3
    assert_there(recorded, *said)
    assert len(recorded.metadata.people) == 2
    assert_nothing_else(recorded, ada.user.id, [spoken for spoken in said if spoken.user_id == ada.user.id])


async def test_a_reload_in_the_middle_of_a_word_loses_no_frame(studio: Studio) -> None:
    await studio.start(cogs=("cogs.voice", "cogs.recorder"))
    ada = await studio.person("Ada", roles=[studio.hosts])
    started = await ada.slash(studio.text, "voice record")
    assert "Recording" in (await started.answered()).content
    live = studio.runtime.recordings.required(studio.guild.id)
    talking = asyncio.create_task(studio.speak(ada, voice(0, 2.0)))
    for _ in range(3):
        await asyncio.sleep(0.3)
        await studio.bot.reload_extension("cogs.recorder")
    spoken = await talking
    assert studio.runtime.recordings.required(studio.guild.id) is live
    recorded = await studio.stop()
    assert_there(recorded, spoken, likeness=0.99)
    packets = recorded.person(ada.user.id).packets
    assert (packets.received, packets.lost) == (len(spoken.sent_s) + 5, 0)
    assert recorded.metadata.started_by.name == "Ada"


async def _call(speaker: SyntheticSpeaker, sound: object, user_id: int) -> Spoken:
    """Say something through a client that is not a person's usual one."""
    loop = asyncio.get_running_loop()
    spoken = Spoken(user_id, sound)
    begin_s = loop.time()
    for number, frame in enumerate(encode(sound)):
        await asyncio.sleep(begin_s + number * 0.02 - loop.time())
        spoken.sent_s.append(loop.time())
        speaker.say(frame)
    return spoken

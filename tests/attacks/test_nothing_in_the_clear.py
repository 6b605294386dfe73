"""The promise: in a channel that is encrypted end to end, nothing of the bot leaves without, and nothing is lost by waiting."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import core.voice.keys as keys_module
from core.voice.connection.client import NotSealed
from core.voice.session import KEYS, NO_KEYS, NO_KEYS_LEFT

if TYPE_CHECKING:
    from loopback.people.person import Person

STORY = "The lamp is lit at seven, and the boats come home before the night."


def plain(scene: Any) -> int:
    """Frames of the bot that reached the voice server without end-to-end encryption."""
    return scene.discord.voice.relay.counters.plain[scene.bot_user.id]


def sealed(scene: Any) -> int:
    return scene.discord.voice.relay.counters.sealed[scene.bot_user.id]


async def said_whole(scene: Any, turn: Any) -> None:
    await asyncio.wait_for(scene.runtime.conversation.finished(turn), 60)
    assert turn.outcome == "spoken"
    assert turn.line.heard_samples == turn.line.written_samples > 0


async def heard_whole(scene: Any, person: Person, turn: Any) -> None:
    """Every frame of a turn reached a person's ears, encrypted."""
    await said_whole(scene, turn)
    frames = -(-turn.line.written_samples // 960)
    await scene.until(lambda: sum(not f.silence for f in person.ears.heard(scene.bot_user.id)) >= frames, 5)
    assert person.ears.plain_frames == 0
    assert person.ears.lost(scene.bot_user.id) == 0
    assert plain(scene) == 0


async def test_while_a_ghost_holds_the_group_up_a_sentence_waits_and_is_then_heard_whole(scene: Any) -> None:
    await scene.start()
    ada = await scene.person()
    await ada.join(scene.voice)
    scene.discord.voice.faults.proposal_delay_s = 6.0
    await scene.run(ada, "voice join")
    turn = scene.runtime.conversation.say(scene.session, STORY)
    await asyncio.sleep(3.5)
    assert sealed(scene) == plain(scene) == 0
    assert turn.line.heard_samples == 0
    await heard_whole(scene, ada, turn)
    assert scene.notices() == [NO_KEYS, KEYS]


async def test_a_wait_of_a_moment_is_not_even_told(scene: Any) -> None:
    await scene.start()
    ada = await scene.person()
    await ada.join(scene.voice)
    scene.discord.voice.faults.proposal_delay_s = 0.8
    await scene.run(ada, "voice join")
    await heard_whole(scene, ada, scene.runtime.conversation.say(scene.session, STORY))
    assert scene.notices() == []


async def test_a_group_that_begins_anew_in_mid_sentence_costs_time_and_nothing_else(scene: Any) -> None:
    await scene.start()
    ada = await scene.joined()
    await scene.discord.voice.room(scene.voice.id).wait_settled(2)
    turn = scene.runtime.conversation.say(scene.session, STORY)
    await ada.ears.wait_for_voice(scene.bot_user.id)
    for _ in range(3):
        await scene.session.client.lasting.recover()  # op 31: our membership begins anew
        await asyncio.sleep(0.3)
    await said_whole(scene, turn)
    assert plain(scene) == 0
    await scene.until(lambda: sealed(scene) >= turn.line.written_samples // 960)


async def test_encryption_switched_on_in_mid_sentence_holds_what_comes_before_the_keys(scene: Any) -> None:
    await scene.start()
    ada = await scene.joined()
    room = scene.discord.voice.room(scene.voice.id)
    await room.wait_settled(2)
    room.set_protocol_version(0)
    await scene.until(lambda: scene.session.client.dave.protocol_version == 0)
    turn = scene.runtime.conversation.say(scene.session, f"{STORY} {STORY}")
    await ada.ears.wait_for_voice(scene.bot_user.id)
    scene.discord.voice.faults.proposal_delay_s = 1.0
    room.set_protocol_version(1)
    await scene.until(lambda: scene.session.client.dave.protocol_version == 1)
    await asyncio.sleep(0.05)  # what is on its way
    before = plain(scene)
    assert before > 0  # without DAVE, plain is right
    await said_whole(scene, turn)
    assert plain(scene) == before
    assert sealed(scene) > 20


async def test_after_a_crash_of_the_voice_server_it_waits_for_new_keys(scene: Any) -> None:
    await scene.start()
    ada = await scene.joined()
    turn = scene.runtime.conversation.say(scene.session, f"{STORY} {STORY}")
    await ada.ears.wait_for_voice(scene.bot_user.id)
    scene.discord.voice.faults.allow_resume = False
    scene.discord.voice.faults.proposal_delay_s = 2.5
    scene.hang_up(4006)
    await said_whole(scene, turn)
    assert plain(scene) == 0


async def test_alone_nothing_is_sent_and_a_newcomer_hears_the_rest_encrypted(scene: Any) -> None:
    await scene.start()
    ada = await scene.person()
    await scene.run(ada, "voice join", channel=scene.voice)
    alone = scene.runtime.conversation.say(scene.session, "Is anybody here?")
    await said_whole(scene, alone)
    assert sealed(scene) == plain(scene) == 0
    scene.runtime.conversation.say(scene.session, f"{STORY} {STORY}")
    await asyncio.sleep(0.5)
    await ada.join(scene.voice)
    await ada.ears.wait_for_voice(scene.bot_user.id)
    await scene.turns_over()
    assert plain(scene) == 0
    await scene.until(lambda: sealed(scene) > 50)
    assert ada.ears.plain_frames == 0
    assert scene.notices() == []


async def test_music_waits_too(scene: Any) -> None:
    await scene.start()
    ada = await scene.person()
    await ada.join(scene.voice)
    scene.discord.voice.faults.proposal_delay_s = 1.5
    await scene.run(ada, "voice join")
    line = scene.session.player.line("tune", bus="media")
    line.write(np.full(48_000, 0.1, np.float32))
    line.end()
    assert (await asyncio.wait_for(line.finished(), 30)).heard_samples == 48_000
    assert plain(scene) == 0
    await scene.until(lambda: sealed(scene) >= 50)


async def test_keys_that_never_come_are_fought_for_and_then_it_only_writes(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("TELL_S", 0.3), ("RENEW_S", 0.6), ("RECONNECT_S", 1.2), ("GIVE_UP_S", 3.0)):
        monkeypatch.setattr(keys_module, name, value)
    await scene.start()
    ada = await scene.person()
    await ada.join(scene.voice)
    voice = scene.discord.voice
    voice.faults.proposal_delay_s = 600.0
    await scene.run(ada, "voice join")
    stay = voice.session(guild_id=scene.guild.id, user_id=scene.bot_user.id)
    message = await ada.type(scene.text, "Hello?")
    await scene.until(lambda: NO_KEYS_LEFT in scene.notices(), 20)
    assert NO_KEYS in scene.notices()
    assert voice.session(guild_id=scene.guild.id, user_id=scene.bot_user.id) is not stay  # it came anew
    await scene.turns_over()
    assert await scene.reply(ada, message)  # in writing, as ever
    scene.runtime.conversation.say(scene.session, "Nobody hears this.")
    await scene.until(lambda: any("Nobody hears this." in told for told in scene.notices()))
    assert sealed(scene) == plain(scene) == 0
    voice.faults.proposal_delay_s = 0.0
    voice.room(scene.voice.id)._dave._restart(everybody=True)  # the ghost is gone
    await scene.until(lambda: scene.session.client.dave.ready)
    await said_whole(scene, scene.runtime.conversation.say(scene.session, "I am back."))
    assert plain(scene) == 0
    assert KEYS in scene.notices()


async def test_not_even_discord_py_own_way_sends_plain_sound(scene: Any) -> None:
    await scene.start()
    ada = await scene.person()
    await ada.join(scene.voice)
    scene.discord.voice.faults.proposal_delay_s = 1.0
    await scene.run(ada, "voice join")
    client = scene.session.client
    with pytest.raises(NotSealed):
        client.send_audio_packet(b"\x78" * 50, encode=False)
    assert not client.send_frame(b"\x78" * 50)
    await scene.until(lambda: client.dave.ready)
    client.send_audio_packet(b"\x78" * 50, encode=False)
    await scene.until(lambda: sealed(scene) == 1)
    assert plain(scene) == 0


async def test_without_dave_plain_is_right(scene: Any) -> None:
    scene.discord.voice.faults.dave = False
    await scene.start()
    ada = await scene.joined()
    turn = scene.runtime.conversation.say(scene.session, "One two three.")
    await ada.ears.wait_for_voice(scene.bot_user.id)
    await said_whole(scene, turn)
    assert sealed(scene) == 0
    assert plain(scene) > 20


async def test_moved_between_channels_in_mid_sentence_it_sends_nothing_in_the_clear(scene: Any) -> None:
    other = scene.world.add_voice_channel(scene.guild, "Attic")
    empty = scene.world.add_voice_channel(scene.guild, "Cellar")
    await scene.start()
    ada = await scene.joined()
    bob = await scene.person("Bob")
    await bob.join(other)
    scene.discord.voice.faults.proposal_delay_s = 0.5
    turn = scene.runtime.conversation.say(scene.session, " ".join([STORY] * 4))
    await ada.ears.wait_for_voice(scene.bot_user.id)
    for place in (other, empty, scene.voice, other):
        scene.world.voice.move(scene.guild, scene.bot_user.id, place)
        await asyncio.sleep(1.0)
    await bob.ears.wait_for_voice(scene.bot_user.id)
    await said_whole(scene, turn)
    assert plain(scene) == 0
    assert ada.ears.plain_frames == bob.ears.plain_frames == 0


async def test_people_who_come_and_go_while_it_speaks_hear_nothing_in_the_clear(scene: Any) -> None:
    await scene.start()
    ada = await scene.joined()
    bob = await scene.person("Bob")
    turn = scene.runtime.conversation.say(scene.session, " ".join([STORY] * 3))
    await ada.ears.wait_for_voice(scene.bot_user.id)
    for _ in range(3):
        await bob.join(scene.voice)
        await asyncio.sleep(0.6)
        await bob.leave()
        await asyncio.sleep(0.3)
    await said_whole(scene, turn)
    assert plain(scene) == 0
    assert ada.ears.plain_frames == bob.ears.plain_frames == 0

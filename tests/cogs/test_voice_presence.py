"""Who is there, who really speaks, what other code can ask and do, and what the bot's status line says."""

from __future__ import annotations

import asyncio
import time

import discord
import numpy as np
import pytest

from core.errors import VoiceError
from core.events import PersonJoined, PersonLeft, RecordingStarted, RecordingStopped, SpeakingStarted, SpeakingStopped
from tests.cogs.sounds import pitch_hz, tone, voiced, wav


def stereo(samples):
    return samples.repeat(2).reshape(-1, 2)


async def test_people_who_come_change_channel_and_go_are_published(scene):
    other = scene.world.add_voice_channel(scene.guild, "Other")
    await scene.start()
    events = scene.events(PersonJoined, PersonLeft)
    ada = await scene.person()
    await ada.join(scene.voice)
    await ada.mute()
    await ada.move(other)
    await ada.leave()
    await scene.until(lambda: len(events) == 4)
    assert [(type(event), event.channel_id) for event in events] == [
        (PersonJoined, scene.voice.id),
        (PersonLeft, scene.voice.id),
        (PersonJoined, other.id),
        (PersonLeft, other.id),
    ]
    assert {(event.guild_id, event.user_id, event.name) for event in events} == {(scene.guild.id, ada.user.id, "Ada")}


async def test_who_is_there_muted_and_deafened_is_known(scene):
    await scene.start()
    ada, bob, eve = await scene.joined(), await scene.person("Bob"), await scene.person("Eve")
    await bob.join(scene.voice)
    await bob.mute()
    await eve.join(scene.voice)
    await eve.deafen()
    scene.world.edit_member(scene.guild, scene.guild.members[ada.user.id], muted=True)
    voice = scene.runtime.voice
    await scene.until(lambda: any(person.deafened for person in voice.connected_users(scene.guild.id)))
    await scene.until(lambda: all(person.muted for person in voice.connected_users(scene.guild.id)))
    found = {person.name: (person.muted, person.deafened) for person in voice.connected_users(scene.guild.id)}
    assert found == {"Ada": (True, False), "Bob": (True, False), "Eve": (True, True)}


async def test_speaking_is_what_is_heard_not_what_is_claimed(scene):
    await scene.start()
    ada = await scene.joined()
    await ada.until_encrypted()
    voice = scene.runtime.voice
    events = scene.events(SpeakingStarted, SpeakingStopped)
    await ada.voice.ws.speak(discord.SpeakingState.voice)
    await asyncio.sleep(0.2)
    assert voice.speaking_users(scene.guild.id) == set()
    playing = asyncio.create_task(ada.play(stereo(tone(300, 1.0))))
    await scene.until(lambda: voice.speaking_users(scene.guild.id) == {ada.user.id})
    await playing
    await scene.until(lambda: len(events) == 2)
    assert voice.speaking_users(scene.guild.id) == set()
    began, ended = events
    assert (type(began), type(ended)) == (SpeakingStarted, SpeakingStopped)
    assert (began.guild_id, began.channel_id, began.user_id) == (scene.guild.id, scene.voice.id, ada.user.id)
    assert ended.duration_s == pytest.approx(1.0, abs=0.25)


async def test_digital_silence_is_not_speaking(scene):
    await scene.start()
    ada = await scene.joined()
    await ada.until_encrypted()
    events = scene.events(SpeakingStarted)
    await ada.voice.ws.speak(discord.SpeakingState.voice)
    for _ in range(20):
        ada.voice.send_audio_packet(b"\xf8\xff\xfe", encode=False)
        await asyncio.sleep(0.005)
    await scene.until(lambda: scene.session.receiver.stats.delivered >= 15)
    assert events == []


async def test_who_leaves_in_the_middle_of_a_word_has_stopped_speaking(scene):
    await scene.start()
    ada = await scene.joined()
    await ada.until_encrypted()
    events = scene.events(SpeakingStarted, SpeakingStopped)
    playing = asyncio.create_task(ada.play(stereo(tone(300, 3.0))))
    await scene.until(lambda: events)
    await ada.leave()
    await scene.until(lambda: len(events) == 2)
    playing.cancel()
    await asyncio.wait([playing])
    assert isinstance(events[1], SpeakingStopped)


async def test_other_code_can_do_all_of_it_without_a_command(scene):
    await scene.start(cogs=("cogs.voice",))
    ada = await scene.person()
    await ada.join(scene.voice)
    runtime, guild_id = scene.runtime, scene.guild.id
    session = await runtime.voice.join(
        scene.bot.get_channel(scene.voice.id), prompt_channel=scene.bot.get_channel(scene.text.id)
    )
    assert runtime.voice.session(guild_id) is session
    turn = runtime.say(guild_id, "One two three.")
    await runtime.conversation.finished(turn)
    assert turn.outcome == "spoken"
    ada.ears.forget()
    track = await runtime.play(guild_id, wav(tone(1000, 0.5)), title="gong")
    assert [waiting.title for waiting in session.media.tracks] == ["gong"]
    await scene.until(lambda: track not in session.media.tracks)
    assert pitch_hz(voiced(ada, scene.bot_user)) == pytest.approx(1000, abs=10)
    message = await runtime.voice.send_message(guild_id, "@everyone Tea is ready.")
    assert scene.notices() == ["@everyone Tea is ready."]
    assert not scene.text.messages[message.id].mentions.everyone
    assert [person.name for person in runtime.voice.connected_users(guild_id)] == ["Ada"]
    assert "Channel" in [field.title for field in runtime.status(guild_id)]
    runtime.say(guild_id, "This is never said to its end, because somebody stops it.")
    assert runtime.stop(guild_id) == 1
    await runtime.voice.leave(guild_id)
    assert runtime.voice.session(guild_id) is None


async def test_without_a_session_other_code_gets_the_same_sentence(scene):
    await scene.start()
    runtime, nobody = scene.runtime, scene.guild.id
    for call in (
        lambda: runtime.say(nobody, "Hello."),
        lambda: runtime.stop(nobody),
        lambda: runtime.status(nobody),
        lambda: runtime.voice.connected_users(nobody),
        lambda: runtime.voice.speaking_users(nobody),
    ):
        with pytest.raises(VoiceError, match="I am in no voice channel here"):
            call()
    for wait in (
        runtime.play(nobody, b"x"),
        runtime.voice.leave(nobody),
        runtime.voice.send_message(nobody, "Hello."),
    ):
        with pytest.raises(VoiceError, match="I am in no voice channel here"):
            await wait


async def test_a_message_that_discord_refuses_is_a_sentence(scene):
    await scene.start()
    await scene.joined()
    scene.discord.faults.fail("POST /channels/*/messages", status=403)
    with pytest.raises(VoiceError, match="could not write"):
        await scene.runtime.voice.send_message(scene.guild.id, "Hello.")
    with pytest.raises(VoiceError, match="2000 characters at most"):
        await scene.runtime.voice.send_message(scene.guild.id, "Hello. " * 400)


# The status line ------------------------------------------------------------------------------------------------------------


def line_of(scene):
    return [activity.get("state") or activity["name"] for activity in scene.bot_user.activities]


async def test_the_status_line_shows_the_voice_chat_and_goes_back_to_nothing(scene):
    await scene.start(cogs=("cogs.voice",))
    assert line_of(scene) == []
    await scene.joined()
    await scene.until(lambda: line_of(scene) == ["In voice chat"])
    hub, guild_id = scene.runtime.hub, scene.guild.id
    hub.publish(RecordingStarted(guild_id, "r1", scene.voice.id, "somewhere", None))
    await scene.until(lambda: line_of(scene) == ["In voice chat, recording"])
    hub.publish(RecordingStopped(guild_id, "r1", scene.voice.id, "somewhere", "asked"))
    await scene.until(lambda: line_of(scene) == ["In voice chat"])
    await scene.runtime.voice.leave(guild_id)
    await scene.until(lambda: line_of(scene) == [])


async def test_a_hosts_own_status_line_comes_back(scene):
    await scene.start(cogs=("cogs.voice",))
    scene.bot.activity = discord.Game("chess")
    await scene.joined()
    await scene.until(lambda: line_of(scene) == ["In voice chat"])
    await scene.runtime.voice.leave(scene.guild.id)
    await scene.until(lambda: line_of(scene) == ["chess"])


async def test_after_a_new_login_the_status_line_is_shown_again(scene):
    await scene.start(cogs=("cogs.voice",))
    await scene.joined()
    await scene.until(lambda: line_of(scene) == ["In voice chat"])
    scene.discord.faults.invalidate_session(scene.bot_user)
    await scene.until(lambda: line_of(scene) == [])
    await scene.until(lambda: line_of(scene) == ["In voice chat"])


async def test_the_status_line_can_be_left_alone(scene):
    await scene.start(cogs=("cogs.voice",), voice={"show_status": False})
    await scene.joined()
    await asyncio.sleep(0.8)
    assert line_of(scene) == []


# What it costs --------------------------------------------------------------------------------------------------------------


async def test_the_cost_of_the_process_is_measured_between_two_looks(monkeypatch):
    from core.machine.usage import Usage

    monkeypatch.setattr("core.machine.usage.SHORTEST_S", 0.05)
    usage = Usage()
    await asyncio.sleep(0.1)
    idle = usage.read()
    shares: list[float] = []
    costs = []
    for work_s in (0.3, 0.0):
        began_s, spent_s = time.monotonic(), time.process_time()
        while time.process_time() - spent_s < work_s:
            np.sort(np.random.default_rng(1).random(50_000))
        await asyncio.sleep(0.2)
        costs.append(usage.read())
        shares.append((time.process_time() - spent_s) / (time.monotonic() - began_s))
    busy, again = costs
    assert [busy.cpu, again.cpu] == pytest.approx(shares, abs=0.1)  # the system counts in hundredths of a second
    assert again.cpu < busy.cpu
    assert idle.memory_bytes > 20_000_000
    assert busy.threads >= 1

"""What Discord, the network and the speech server do to a session, and what people hear and read of it."""

from __future__ import annotations

import asyncio
import time

import discord
import pytest

from core.events import EncryptionChanged, SessionEnded, SessionInterrupted, SessionMoved, SessionResumed
from core.speech.speaker import Speaker
from core.voice import absence
from core.voice.connection.changes import CameUp, ConnectionOver, WentDown
from core.voice.session import DEAFENED
from loopback.services.speech_http import SpeechHttp
from loopback.voice.faults import Network

LINES = (SessionInterrupted, SessionResumed, SessionMoved, SessionEnded)
STORY = "The lamp is lit at seven, and the boats come home before the night."


def kinds(events):
    return [type(event).__name__ for event in events]


def heard_s(person, speaker):
    """Seconds of voice of somebody that a person heard."""
    return sum(frame.voiced for frame in person.ears.heard(speaker.id)) * 0.02


def stay_of(scene):
    """The bot's stay at the voice server."""
    return scene.discord.voice.session(guild_id=scene.guild.id, user_id=scene.bot_user.id)


async def begin_story(scene, person, text=STORY):
    """The bot says something; returns once the person hears it, with the turn."""
    turn = scene.runtime.conversation.say(scene.session, text)
    await person.ears.wait_for_voice(scene.bot_user.id)
    return turn


async def whole(scene, turn):
    """The turn is said to its end, without a sample left out."""
    await scene.runtime.conversation.finished(turn)
    assert turn.outcome == "spoken"
    assert turn.line.heard_samples == turn.line.written_samples


async def test_kicked_the_session_ends_says_so_and_can_begin_again(scene, monkeypatch):
    closed = []
    close = Speaker.close

    async def count(speaker):
        closed.append(speaker)
        await close(speaker)

    monkeypatch.setattr(Speaker, "close", count)
    await scene.start()
    ada = await scene.joined()
    events = scene.events(*LINES)
    session = scene.session
    turn = await begin_story(scene, ada)
    scene.world.voice.leave(scene.guild, scene.bot_user.id)
    await scene.ended(session)
    await scene.until(lambda: scene.notices())
    assert scene.notices() == ["I was disconnected from the voice channel. The voice session is over."]
    assert kinds(events) == ["SessionEnded"]
    assert events[0].reason == "I was disconnected from the voice channel."
    assert closed == [session.speaker]
    await scene.runtime.conversation.finished(turn)
    assert "I am in" in await scene.run(ada, "voice join")
    await begin_story(scene, ada, "Here I am again.")


async def test_moved_by_an_admin_and_back_it_goes_on_there(scene):
    other = scene.world.add_voice_channel(scene.guild, "Other")
    await scene.start()
    ada = await scene.joined()
    bob = await scene.person("Bob")
    await bob.join(other)
    events = scene.events(*LINES)
    session = scene.session
    turn = await begin_story(scene, ada)
    scene.world.voice.move(scene.guild, scene.bot_user.id, other)
    await bob.ears.wait_for_voice(scene.bot_user.id)
    assert session.channel.id == other.id
    assert scene.runtime.voice.session_of_prompt_channel(other.id) is session
    scene.world.voice.move(scene.guild, scene.bot_user.id, scene.voice)
    await ada.ears.wait_for_voice(scene.bot_user.id)
    await whole(scene, turn)
    assert session.connected
    assert kinds(events) == ["SessionMoved", "SessionMoved"]
    assert [(event.from_channel_id, event.channel_id) for event in events] == [
        (scene.voice.id, other.id),
        (other.id, scene.voice.id),
    ]
    assert scene.notices() == [f"I was moved to <#{room.id}> and go on there." for room in (other, scene.voice)]


async def test_a_deleted_channel_ends_the_session_with_that_reason(scene):
    await scene.start()
    await scene.joined()
    session = scene.session
    scene.world.delete_channel(scene.voice)
    await scene.ended(session)
    await scene.until(lambda: scene.notices())
    assert scene.notices() == ["The voice channel was deleted. The voice session is over."]


async def test_without_its_prompt_channel_it_takes_prompts_in_the_voice_channels_chat(scene):
    await scene.start()
    await scene.joined()
    scene.world.delete_channel(scene.text)
    await scene.until(lambda: scene.notices(scene.voice))
    assert scene.notices(scene.voice) == ["The prompt channel was deleted; from now on I take prompts here."]
    assert scene.session.prompt_channel_id == scene.voice.id


@pytest.mark.parametrize("code", [4015, 4006, 1001, 1000])
async def test_the_voice_server_hangs_up_and_the_sentence_is_still_said_whole(scene, code):
    await scene.start()
    ada = await scene.joined()
    events = scene.events(*LINES)
    turn = await begin_story(scene, ada)
    player, receiver = scene.session.player, scene.session.receiver
    scene.discord.voice.faults.allow_resume = code == 4015
    scene.hang_up(code)
    await whole(scene, turn)
    assert kinds(events) == ["SessionInterrupted", "SessionResumed"]
    assert scene.session.interruptions == 1
    assert (scene.session.player, scene.session.receiver) == (player, receiver)
    assert heard_s(ada, scene.bot_user) > 0.9 * turn.line.heard_samples / 48000 * 0.75
    assert ada.ears.plain_frames == 0


async def test_hung_up_on_without_any_news_it_asks_by_itself(scene, monkeypatch):
    monkeypatch.setattr(absence, "PATIENCE_S", 0.6)
    monkeypatch.setattr(absence, "TELL_S", 0.3)
    await scene.start()
    ada = await scene.joined()
    events = scene.events(*LINES)
    turn = await begin_story(scene, ada)
    scene.hang_up(4014)
    await whole(scene, turn)
    assert kinds(events) == ["SessionInterrupted", "SessionResumed"]
    assert scene.notices()[0] == "The voice connection broke; I am trying to come back."


async def test_a_voice_server_that_never_comes_back_ends_the_session(scene, monkeypatch):
    for name, value in (("GIVE_UP_S", 2.0), ("TELL_S", 0.3)):
        monkeypatch.setattr(absence, name, value)
    await scene.start(voice={"connect_timeout_s": 1})
    ada = await scene.joined()
    events = scene.events(*LINES)
    session = scene.session
    turn = await begin_story(scene, ada)
    await scene.discord.voice.close()
    await scene.ended(session)
    await scene.until(lambda: len(scene.notices()) == 2)
    assert scene.notices() == [
        "The voice connection broke; I am trying to come back.",
        "The voice connection was lost and did not come back. The voice session is over.",
    ]
    assert kinds(events) == ["SessionInterrupted", "SessionEnded"]
    await asyncio.wait_for(scene.runtime.conversation.finished(turn), 30)


async def test_what_changed_before_anybody_looked_after_the_connection_is_told_then(scene):
    await scene.start()
    await scene.joined()
    client, seen = scene.session.client, []
    client.watch(seen.append)
    assert seen == []
    scene.hang_up(4015)
    await scene.until(lambda: CameUp() in seen)
    assert [type(change) for change in seen] == [WentDown, WentDown, CameUp]  # hung up on, then resuming
    seen.clear()
    scene.discord.voice.faults.allow_resume = False
    scene.hang_up(4006)
    await scene.until(lambda: not client.is_connected())
    late = []
    client.watch(late.append)
    assert [type(change) for change in late] == [WentDown]
    await scene.until(lambda: CameUp() in late)
    await client.hang_up()
    last = []
    client.watch(last.append)
    assert last[-1] == ConnectionOver()


async def test_leave_while_reconnecting_really_leaves(scene):
    await scene.start()
    ada = await scene.joined()
    session = scene.session
    scene.discord.voice.faults.allow_resume = False
    scene.hang_up(4006)
    await scene.until(lambda: not session.connected)
    assert "I left" in await scene.run(ada, "voice leave")
    await scene.ended(session)
    await asyncio.sleep(2.5)  # discord.py alone would be back by now
    assert scene.bot_user.id not in scene.guild.voice_states


async def test_a_gateway_drop_with_resume_is_not_even_heard(scene):
    await scene.start()
    ada = await scene.joined()
    events = scene.events(*LINES)
    turn = await begin_story(scene, ada)
    stay = stay_of(scene)
    resumed = asyncio.create_task(scene.bot.wait_for("resumed", timeout=30))
    await scene.discord.faults.drop_gateway(scene.bot_user, resumable=True)
    await whole(scene, turn)
    await resumed
    assert events == []
    assert ada.ears.lost(scene.bot_user.id) == 0
    assert stay_of(scene) is stay, "media goes its own way: nothing was connected anew"


async def test_after_a_new_login_it_takes_its_place_again(scene, monkeypatch):
    monkeypatch.setattr(absence, "PATIENCE_S", 1000)  # it knows at once, and does not just grow impatient
    await scene.start()
    ada = await scene.joined()
    events = scene.events(*LINES)
    turn = await begin_story(scene, ada)
    old = scene.session.guild
    scene.discord.faults.invalidate_session(scene.bot_user)
    await scene.until(lambda: scene.session.guild is not old and scene.session.connected)
    await whole(scene, turn)
    assert kinds(events) == ["SessionInterrupted", "SessionResumed"]
    assert scene.guild.voice_states[scene.bot_user.id].channel is scene.voice
    assert scene.session.guild.voice_client is scene.session.client
    session = scene.session
    assert "I left" in await scene.run(ada, "voice leave")
    await scene.ended(session)


async def test_a_channel_deleted_during_a_new_login_ends_the_session(scene, caplog):
    await scene.start()
    await scene.joined()
    session = scene.session
    scene.discord.faults.invalidate_session(scene.bot_user)
    scene.world.delete_channel(scene.voice)
    await scene.until(lambda: session not in scene.runtime.voice.sessions)
    await scene.until(lambda: "The voice channel was deleted. The voice session is over." in scene.notices())
    await scene.ended(session)
    assert "did not confirm" not in caplog.text  # nobody waits for Discord to say that we left what is gone


async def test_a_corrupt_welcome_is_recovered_from(scene):
    scene.discord.voice.faults.corrupt_welcomes = 1
    await scene.start()
    ada = await scene.joined()
    await begin_story(scene, ada, "One two three.")
    await scene.until(lambda: scene.session.client.dave.ready)
    assert ada.ears.dave_frames > 0


async def test_a_transition_that_is_late_or_never_comes_does_not_silence_the_bot(scene):
    scene.discord.voice.faults.transition_delay_s = 0.5
    scene.discord.voice.faults.missing_transitions = 1
    await scene.start()
    ada = await scene.joined()
    bob = await scene.person("Bob")
    await bob.join(scene.voice)
    turn = await begin_story(scene, bob, "One two three.")
    await whole(scene, turn)
    assert heard_s(ada, scene.bot_user) > 0.5
    assert bob.ears.dave_frames > 0


async def test_without_end_to_end_encryption_it_speaks_and_says_how_it_is(scene):
    scene.discord.voice.faults.dave = False
    await scene.start()
    ada = await scene.joined()
    turn = await begin_story(scene, ada, "One two three.")
    await whole(scene, turn)
    assert ada.ears.dave_frames == 0
    assert ada.ears.plain_frames > 20
    interaction = await ada.slash(scene.text, "voice status")
    (embed,) = (await interaction.answered()).embeds
    assert {field["name"]: field["value"] for field in embed["fields"]}["Encryption"] == "transport only"


async def test_a_bad_line_costs_frames_but_no_words(scene):
    await scene.start()
    ada = await scene.joined()
    scene.discord.voice.faults.network_for[ada.user.id] = Network(loss=0.05, jitter_s=0.01, duplicate=0.02)
    turn = await begin_story(scene, ada)
    await whole(scene, turn)
    await asyncio.sleep(0.1)
    sent = scene.session.player.stats.frames_sent
    assert 0.85 * sent < len(ada.ears.heard(scene.bot_user.id)) < sent


async def test_slow_and_failing_message_servers_do_not_harm_the_sound(scene):
    await scene.start()
    ada = await scene.joined()
    scene.discord.faults.slow("* /channels/*/messages*", 0.5)
    scene.discord.faults.fail("POST /channels/*/messages", status=503, times=1)
    scene.chat.script(text="All is well at the lighthouse.")
    message = await ada.type(scene.text, "How is it?")
    reply = await scene.reply(ada, message)
    assert reply.content == "All is well at the lighthouse."
    assert scene.runtime.conversation.recent[-1].outcome == "spoken"
    assert scene.session.player.stats.underruns == 0


async def test_a_speech_server_that_dies_costs_the_voice_of_a_turn_and_no_more(scene):
    async with SpeechHttp() as speech:
        await scene.start(
            speech={"engine": "openai", "retries": 0, "openai": {"base_url": speech.base_url, "model": "tts-1"}}
        )
        ada = await scene.joined()
        turn = await begin_story(scene, ada, "One two three.")
        await whole(scene, turn)
        await speech.close()
        scene.chat.script(text="You will read this.")
        message = await ada.type(scene.text, "Still there?")
        assert (await scene.reply(ada, message)).content == "You will read this."
        await scene.until(lambda: len(scene.notices()) == 2)
        told = scene.notices()[1]
        assert told.startswith("My voice failed")
        assert "openai" in told
        assert str(speech.port) in told
        await speech.start()
        turn = await begin_story(scene, ada, "Here I am.")
        await whole(scene, turn)


async def test_muted_by_a_moderator_it_says_why_nobody_hears_it(scene):
    await scene.start()
    await scene.joined()
    member = scene.guild.members[scene.bot_user.id]
    scene.world.edit_member(scene.guild, member, muted=True)
    await scene.until(lambda: scene.notices())
    assert scene.notices() == ["A moderator muted me: nobody hears me until that is undone."]


async def test_a_host_bots_own_player_in_the_guild_is_respected(scene):
    await scene.start()
    ada = await scene.person()
    await ada.join(scene.voice)
    own = await scene.bot.get_channel(scene.voice.id).connect(cls=discord.VoiceClient)
    assert "Another part of this bot" in await scene.run(ada, "voice join")
    assert own.is_connected()
    assert scene.session is None
    await own.disconnect()
    assert "I am in" in await scene.run(ada, "voice join")


async def test_end_to_end_encryption_that_goes_off_and_on_is_told_on_the_hub(scene):
    await scene.start()
    await scene.joined()
    room = scene.discord.voice.room(scene.voice.id)
    await room.wait_settled(2)
    events = scene.events(EncryptionChanged)
    before_s = time.monotonic()
    room.set_protocol_version(0)
    await scene.until(lambda: len(events) == 1)
    room.set_protocol_version(1)
    await scene.until(lambda: len(events) == 2)
    assert [(event.before, event.protocol_version, event.weaker) for event in events] == [(1, 0, True), (0, 1, False)]
    assert {(event.session_id, event.channel_id) for event in events} == {(scene.session.id, scene.voice.id)}
    assert before_s < events[0].at_s < events[1].at_s < time.monotonic()


async def test_a_bot_that_comes_deafened_says_so(scene):
    await scene.start()
    scene.world.edit_member(scene.guild, scene.guild.members[scene.bot_user.id], deafened=True)
    await scene.joined()
    await scene.until(lambda: DEAFENED in scene.notices())

"""Who comes first, who comes alone, and what is left when a join or the bot itself is stopped half way."""

from __future__ import annotations

import asyncio

import pytest

from core.errors import ParleyError, SpeechError, VoiceError
from core.events import SessionEnded, SessionStarted
from core.speech.engines.espeak import EspeakEngine
from core.speech.speaker import Speaker


@pytest.fixture
def speakers(monkeypatch):
    """The speakers that are open right now."""
    there = []
    open_, close = Speaker.open, Speaker.close

    async def opened(speaker):
        there.append(speaker)
        await open_(speaker)

    async def closed(speaker):
        if speaker in there:
            there.remove(speaker)
        await close(speaker)

    monkeypatch.setattr(Speaker, "open", opened)
    monkeypatch.setattr(Speaker, "close", closed)
    return there


class Gate:
    """Counts who holds it."""

    def __init__(self, refusal=None):
        self.held = []
        self.refusal = refusal

    async def engage(self, session_id, *, guild_id, channel_id):
        del guild_id, channel_id
        if self.refusal is not None:
            raise self.refusal
        self.held.append(session_id)

    async def release(self, session_id):
        self.held.remove(session_id)


def room_of(scene, channel=None):
    return scene.bot.get_channel((channel or scene.voice).id)


def nowhere(scene, guild=None):
    """Whether the bot is in no voice channel, by Discord's and by its own account."""
    guild = guild or scene.guild
    return scene.bot_user.id not in guild.voice_states and scene.bot.get_guild(guild.id).voice_client is None


async def test_two_people_press_join_at_once_and_one_of_them_is_told(scene):
    await scene.start()
    ada, bob = await scene.person(), await scene.person("Bob")
    await ada.join(scene.voice)
    await bob.join(scene.voice)
    answers = await asyncio.gather(scene.run(ada, "voice join"), scene.run(bob, "voice join"))
    assert sorted("I am in" in answer for answer in answers) == [False, True]
    assert any("on my way" in answer for answer in answers)
    assert len(scene.runtime.voice.sessions) == 1


async def test_join_while_leaving_waits_for_the_leaving(scene, speakers):
    await scene.start()
    await scene.joined()
    voice = scene.runtime.voice
    first = scene.session
    leaving = asyncio.create_task(voice.leave(scene.guild.id))
    await asyncio.sleep(0)
    second = await voice.join(room_of(scene))
    await leaving
    assert second is not first
    assert voice.sessions == (second,)
    assert second.connected
    assert speakers == [second.speaker]
    await scene.until(lambda: scene.guild.voice_states.get(scene.bot_user.id) is not None)


async def test_leaving_twice_at_once_ends_it_once(scene):
    await scene.start()
    await scene.joined()
    ends = scene.events(SessionEnded)
    session = scene.session
    await asyncio.gather(scene.runtime.voice.leave(scene.guild.id), scene.runtime.voice.leave(scene.guild.id))
    await scene.ended(session)
    assert len(ends) == 1


@pytest.mark.parametrize("where", ["engine", "gate", "connection", "settings"])
async def test_a_join_that_is_cancelled_half_way_leaves_nothing(scene, speakers, monkeypatch, where):
    await scene.start()
    voice, gate, reached = scene.runtime.voice, Gate(), asyncio.Event()

    async def halt(*_args, **_options):
        reached.set()
        await asyncio.Event().wait()

    voice.add_gate(gate)
    with monkeypatch.context() as halted:
        if where == "engine":
            halted.setattr(Speaker, "open", halt)
        elif where == "gate":
            gates = [gate, Gate()]
            voice.add_gate(gates[1])
            halted.setattr(gates[1], "engage", halt)
        elif where == "connection":
            halted.setattr(scene.world.voice, "may_join", lambda *_: reached.set())
        else:
            halted.setattr(scene.runtime.settings, "guild", halt)
        joining = asyncio.create_task(voice.join(room_of(scene)))
        await reached.wait()
        joining.cancel()
        with pytest.raises(asyncio.CancelledError):
            await joining
    assert voice.sessions == ()
    await scene.until(lambda: nowhere(scene))
    assert gate.held == []
    assert speakers == []
    await voice.join(room_of(scene))
    assert scene.session.connected


async def test_a_gate_that_refuses_undoes_the_gates_before_it(scene, speakers):
    await scene.start()
    first, last = Gate(), Gate(ParleyError("Not while the model sleeps."))
    for gate in (first, last):
        scene.runtime.voice.add_gate(gate)
    ada = await scene.person()
    await ada.join(scene.voice)
    assert await scene.run(ada, "voice join") == "Not while the model sleeps."
    assert first.held == []
    assert speakers == []
    assert nowhere(scene)


async def test_a_gate_that_breaks_does_not_keep_the_others_shut(scene):
    class Broken(Gate):
        async def release(self, session_id):
            raise RuntimeError(session_id)

    await scene.start()
    gates = [Gate(), Broken(), Gate()]
    for gate in gates:
        scene.runtime.voice.add_gate(gate)
    await scene.runtime.voice.join(room_of(scene))
    assert [len(gate.held) for gate in gates] == [1, 1, 1]
    await scene.runtime.voice.leave(scene.guild.id)
    assert [len(gate.held) for gate in gates] == [0, 1, 0]


async def test_closing_the_bot_ends_the_session_first(scene, speakers):
    await scene.start()
    await scene.joined()
    gate = Gate()
    session = scene.session
    gate.held.append(session.id)
    scene.runtime.voice.add_gate(gate)
    ends = scene.events(SessionEnded)
    voice = scene.runtime.voice
    scene.runtime.conversation.say(session, "A long farewell that nobody will hear to its end, I fear.")
    await asyncio.wait_for(scene.bot.close(), 30)
    assert [event.reason for event in ends] == ["I am shutting down."]
    assert voice.sessions == ()
    assert speakers == gate.held == []
    await scene.until(lambda: scene.bot_user.id not in scene.guild.voice_states)
    with pytest.raises(VoiceError, match="shutting down"):
        await voice.join(session.channel)


async def test_closing_the_bot_during_a_join_undoes_the_join(scene, speakers):
    await scene.start()
    gate = Gate()
    voice = scene.runtime.voice
    voice.add_gate(gate)
    joining = asyncio.create_task(voice.join(room_of(scene)))
    await scene.until(lambda: scene.bot.get_guild(scene.guild.id).voice_client is not None)
    await asyncio.wait_for(scene.bot.close(), 30)
    with pytest.raises(asyncio.CancelledError):
        await joining
    await scene.until(lambda: scene.bot_user.id not in scene.guild.voice_states)
    assert speakers == gate.held == []
    assert voice.sessions == ()


async def test_alone_it_leaves_after_the_configured_while(scene):
    await scene.start(voice={"leave_when_alone_s": 0.3})
    ada = await scene.joined()
    session = scene.session
    await ada.leave()
    await scene.ended(session)
    await scene.until(lambda: scene.notices())
    assert scene.notices() == ["Everybody left. The voice session is over."]


async def test_somebody_who_comes_back_in_time_keeps_it_there(scene):
    await scene.start(voice={"leave_when_alone_s": 3})
    ada = await scene.joined()
    await ada.leave()
    await asyncio.sleep(0.1)
    await ada.join(scene.voice)
    await asyncio.sleep(3.2)
    assert scene.session is not None


async def test_a_channel_that_is_joined_on_start_is_not_left_when_empty_and_not_joined_again(scene):
    await scene.start(voice={"auto_join": [scene.voice.id], "leave_when_alone_s": 0.1})
    await scene.until(lambda: scene.session is not None)
    await asyncio.sleep(0.4)
    assert scene.session is not None
    assert scene.session.prompt_channel_id == scene.voice.id
    await scene.runtime.voice.leave(scene.guild.id)
    await scene.runtime.voice._on_ready()
    assert scene.runtime.voice.sessions == ()


async def test_an_impossible_channel_does_not_keep_the_next_from_being_joined(scene, caplog):
    await scene.start(voice={"auto_join": [scene.text.id, scene.voice.id]})
    await scene.until(lambda: scene.session is not None)
    assert f"{scene.text.id} is no voice channel" in caplog.text


async def test_two_guilds_have_a_session_each_when_two_may_run(scene):
    await scene.start(voice={"max_sessions": 2})
    ada = await scene.joined()
    starts, ends = scene.events(SessionStarted), scene.events(SessionEnded)
    elsewhere = scene.world.add_guild("Elsewhere")
    scene.world.add_member(elsewhere, scene.bot_user)
    text, room = scene.world.add_text_channel(elsewhere, "chat"), scene.world.add_voice_channel(elsewhere, "Room")
    async with await scene.discord.person("Bob", elsewhere) as bob:
        await bob.join(room)
        interaction = await bob.slash(text, "voice join")
        assert "I am in" in (await interaction.answered()).content
        assert [event.guild_id for event in starts] == [elsewhere.id]
        here, there = scene.session, scene.runtime.voice.session(elsewhere.id)
        scene.runtime.conversation.say(here, "This is for Ada.")
        scene.runtime.conversation.say(there, "And this for Bob.")
        await asyncio.gather(ada.ears.wait_for_voice(scene.bot_user.id), bob.ears.wait_for_voice(scene.bot_user.id, 10))
        await scene.turns_over()
        await scene.runtime.voice.leave(elsewhere.id)
        assert nowhere(scene, elsewhere)
        assert scene.session is here
        assert here.connected
        assert [event.guild_id for event in ends] == [elsewhere.id]


async def test_a_join_that_discord_does_not_answer_is_given_up_in_time(scene, monkeypatch, speakers):
    await scene.start(voice={"connect_timeout_s": 0.5})
    ada = await scene.person()
    await ada.join(scene.voice)
    monkeypatch.setattr(scene.world.voice, "may_join", lambda *_: False)
    started = asyncio.get_running_loop().time()
    assert "did not let me into" in await scene.run(ada, "voice join")
    assert asyncio.get_running_loop().time() - started < 5
    assert nowhere(scene)
    assert speakers == []


async def test_a_voice_server_that_talks_nonsense_is_a_sentence_and_nothing_stays(scene, speakers):
    await scene.start()
    ada = await scene.person()
    await ada.join(scene.voice)
    scene.discord.voice.faults.modes = ()
    assert "I could not join" in await scene.run(ada, "voice join")
    await scene.until(lambda: nowhere(scene))
    assert speakers == []


async def test_the_last_word_of_a_player_that_outlives_its_connection_begins_nothing(scene):
    await scene.start()
    await scene.joined()
    client = scene.session.client
    await scene.runtime.voice.leave(scene.guild.id)
    client.announce(False)
    await asyncio.sleep(0)
    assert "voice: speaking" not in [task.get_name() for task in asyncio.all_tasks()]


@pytest.fixture
def order(monkeypatch):
    """What engine and gate were asked, in order; the engine's faults can be set by the step."""
    steps, faults = [], {}

    def follow(step):
        original = getattr(EspeakEngine, step)

        async def followed(engine):
            steps.append(step)
            if step in faults:
                raise faults[step]
            await original(engine)

        monkeypatch.setattr(EspeakEngine, step, followed)

    for step in ("check", "open", "close"):
        follow(step)

    class Noted(Gate):
        async def engage(self, session_id, *, guild_id, channel_id):
            await super().engage(session_id, guild_id=guild_id, channel_id=channel_id)
            steps.append("engage")

        async def release(self, session_id):
            await super().release(session_id)
            steps.append("release")

    return steps, faults, Noted()


async def test_the_engine_is_looked_at_before_the_gates_and_loaded_behind_them(scene, order):
    steps, _, gate = order
    await scene.start()
    scene.runtime.voice.add_gate(gate)
    await scene.runtime.voice.join(room_of(scene))
    assert steps == ["check", "engage", "open"]
    await scene.runtime.voice.leave(scene.guild.id)
    assert steps[3:] == ["close", "release"], "its memory is free before the others come back"


async def test_nothing_gives_way_for_an_engine_that_is_not_there(scene, order):
    steps, faults, gate = order
    await scene.start()
    scene.runtime.voice.add_gate(gate)
    faults["check"] = SpeechError("The speech engine is away.")
    with pytest.raises(SpeechError, match="away"):
        await scene.runtime.voice.join(room_of(scene))
    assert steps == ["check", "close"]
    assert nowhere(scene)


async def test_an_engine_that_cannot_load_is_closed_before_the_gates_open_again(scene, order):
    steps, faults, gate = order
    await scene.start()
    scene.runtime.voice.add_gate(gate)
    faults["open"] = SpeechError("The speech engine takes too much memory.")
    with pytest.raises(SpeechError, match="memory"):
        await scene.runtime.voice.join(room_of(scene))
    assert steps[:5] == ["check", "engage", "open", "close", "release"]
    assert gate.held == []
    assert nowhere(scene)

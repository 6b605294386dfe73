"""On a stage the bot comes up to speak if it may, asks if it may not, and says what it waits for."""

from __future__ import annotations

import pytest

from core.events import SessionImpaired
from core.voice.service import SUPPRESSED, UNSUPPRESSED
from loopback.world.guilds import ChannelKind
from loopback.world.permissions import Permission


@pytest.fixture
async def stage(scene):
    channel = scene.world.add_channel(scene.guild, ChannelKind.STAGE, "Theatre")
    await scene.start()
    ada = await scene.person()
    await ada.join(channel)
    return channel, ada


def state_of(scene):
    return scene.guild.voice_states[scene.bot_user.id]


def demote(scene, *, asks):
    """The bot is nobody special, and may ask to speak or not."""
    scene.strip_bot()
    everyone = scene.guild.roles[scene.guild.id]
    usual = everyone.permissions & ~(Permission.MUTE_MEMBERS | Permission.REQUEST_TO_SPEAK)
    scene.world.edit_role(scene.guild, everyone, permissions=usual | Permission.REQUEST_TO_SPEAK if asks else usual)


async def test_a_bot_that_moderates_the_stage_comes_up_and_is_heard(scene, stage):
    _, ada = stage
    assert "I am in" in await scene.run(ada, "voice join")
    await scene.until(lambda: not state_of(scene).suppress)
    scene.runtime.say(scene.guild.id, "Good evening.")
    await ada.ears.wait_for_voice(scene.bot_user.id)
    await scene.until(lambda: scene.notices() == ["I am on the stage now, and can be heard."])


async def test_one_that_may_only_ask_asks_and_says_so(scene, stage):
    channel, ada = stage
    demote(scene, asks=True)
    await scene.run(ada, "voice join")
    await scene.until(lambda: scene.notices())
    assert "have asked to speak" in scene.notices()[0]
    assert state_of(scene).asked_to_speak is not None
    status = {field.title: field.value for field in scene.runtime.status(scene.guild.id)}
    assert "audience" in status["Trouble"]
    scene.world.voice.on_stage(state_of(scene), suppress=False)
    await scene.until(lambda: len(scene.notices()) == 2)
    assert "can be heard" in scene.notices()[1]
    scene.world.voice.on_stage(state_of(scene), suppress=True)
    await scene.until(lambda: len(scene.notices()) == 3)
    assert "moved to the audience" in scene.notices()[2]
    assert channel.mention in scene.notices()[0]


async def test_one_that_may_not_even_ask_says_what_it_takes(scene, stage):
    _, ada = stage
    demote(scene, asks=False)
    await scene.run(ada, "voice join")
    await scene.until(lambda: scene.notices())
    assert "“Request to Speak”" in scene.notices()[0]
    assert state_of(scene).asked_to_speak is None


async def test_moved_to_a_stage_it_comes_up_there(scene, stage):
    channel, _ = stage
    await scene.joined("Bob")
    scene.world.voice.move(scene.guild, scene.bot_user.id, channel)
    await scene.until(lambda: state_of(scene).channel is channel and not state_of(scene).suppress)


async def test_in_a_channel_whose_speak_is_taken_it_says_that_nobody_hears_it_and_when_that_is_over(scene):
    await scene.start()
    ada = await scene.joined()
    scene.strip_bot()
    everyone = scene.guild.roles[scene.guild.id]
    usual = everyone.permissions
    impaired = scene.events(SessionImpaired)
    for permissions, silenced in ((usual & ~Permission.SPEAK, True), (usual, False)):
        told = len(scene.notices())
        scene.world.edit_role(scene.guild, everyone, permissions=permissions)
        scene.world.voice.refresh(scene.guild, scene.bot_user.id)
        await scene.until(lambda told=told: len(scene.notices()) > told)
        assert scene.session.silenced is silenced
        assert scene.notices()[told:] == [SUPPRESSED if silenced else UNSUPPRESSED]
        trouble = {field.title: field.value for field in scene.runtime.status(scene.guild.id)}.get("Trouble", "")
        assert bool(trouble) is silenced
        assert "audience" not in trouble, "that is a stage's word"
    assert [(event.deafened, event.silenced) for event in impaired] == [(False, True), (False, False)]
    scene.runtime.say(scene.guild.id, "Good evening.")
    await ada.ears.wait_for_voice(scene.bot_user.id)

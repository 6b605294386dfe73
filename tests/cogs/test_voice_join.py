"""Joining and leaving: what works, and what is said when it does not."""

from __future__ import annotations

import pytest

from loopback.world.permissions import Permission


async def test_join_takes_the_callers_channel_and_leave_ends_it(scene):
    await scene.start()
    ada = await scene.person()
    await ada.join(scene.voice)
    said = await scene.run(ada, "voice join")
    assert f"<#{scene.voice.id}>" in said
    assert "answer aloud" in said
    assert scene.session.connected
    assert scene.session.prompt_channel_id == scene.text.id
    said = await scene.run(ada, "voice leave")
    assert f"I left <#{scene.voice.id}>" in said
    assert scene.session is None
    assert scene.bot_user.id not in scene.guild.voice_states


async def test_a_channel_can_be_named_without_being_in_one(scene):
    await scene.start()
    ada = await scene.person()
    assert "I am in" in await scene.run(ada, "voice join", channel=scene.voice)


async def test_without_a_channel_the_caller_is_told_what_to_do(scene):
    await scene.start()
    ada = await scene.person()
    assert "You are in no voice channel" in await scene.run(ada, "voice join")
    assert scene.session is None


async def test_a_full_channel_is_refused_with_its_limit(scene):
    room = scene.world.add_voice_channel(scene.guild, "Booth", user_limit=1)
    scene.strip_bot()
    await scene.start()
    ada = await scene.person()
    await ada.join(room)
    said = await scene.run(ada, "voice join")
    assert "is full (1 people)" in said
    assert scene.session is None


@pytest.mark.parametrize(
    ("permission", "sentence"),
    [
        (Permission.VIEW_CHANNEL, "“View Channel”"),
        (Permission.CONNECT, "“Connect”"),
        (Permission.SPEAK, "“Speak”"),
    ],
)
async def test_a_missing_permission_is_named(scene, permission, sentence):
    scene.strip_bot()
    scene.world.set_overwrite(scene.voice, scene.bot_user, deny=permission)
    await scene.start()
    ada = await scene.person()
    await ada.join(scene.voice)
    assert sentence in await scene.run(ada, "voice join")
    assert scene.session is None


async def test_a_channel_that_the_bot_may_not_write_in_is_named_at_once(scene):
    await scene.start()
    scene.strip_bot()
    everyone = scene.guild.roles[scene.guild.id]
    scene.world.set_overwrite(scene.text, everyone, deny=Permission.SEND_MESSAGES)
    ada = await scene.person(roles=[scene.admin_role])
    await ada.join(scene.voice)
    said = await scene.run(ada, "voice join")
    assert "I am in" in said
    assert f"I may not write in <#{scene.text.id}>" in said
    assert "“Send Messages”" in said
    assert "“Send Messages”" in await scene.run(ada, "prompt channel")


async def test_a_second_join_says_where_the_bot_is_and_how_to_free_it(scene):
    other = scene.world.add_voice_channel(scene.guild, "Other")
    await scene.start()
    ada = await scene.joined()
    said = await scene.run(ada, "voice join", channel=other)
    assert f"already in <#{scene.voice.id}>" in said
    assert "/voice leave" in said


async def test_a_session_elsewhere_is_named_when_only_one_may_run(scene):
    await scene.start()
    await scene.joined()
    guild = scene.world.add_guild("Elsewhere")
    scene.world.add_member(guild, scene.bot_user)
    text, room = scene.world.add_text_channel(guild, "chat"), scene.world.add_voice_channel(guild, "Room")
    bob = await scene.discord.person("Bob", guild)
    async with bob:
        await bob.join(room)
        interaction = await bob.slash(text, "voice join")
        said = (await interaction.answered()).content
    assert "another server" in said
    assert len(scene.runtime.voice.sessions) == 1


async def test_an_engine_that_is_not_there_refuses_the_join_and_leaves_nothing_behind(scene):
    await scene.start(speech={"engine": "openai", "openai": {"base_url": "http://127.0.0.1:9/v1"}})
    ada = await scene.person()
    await ada.join(scene.voice)
    said = await scene.run(ada, "voice join")
    assert "openai" in said
    assert "127.0.0.1:9" in said
    assert scene.session is None
    assert scene.bot_user.id not in scene.guild.voice_states


@pytest.mark.parametrize("command", ["voice leave", "voice status", "voice stop", "voice skip", "voice volume"])
async def test_without_a_session_every_command_says_so(scene, command):
    await scene.start()
    ada = await scene.person()
    assert "I am in no voice channel here. Use `/voice join` first." in await scene.run(ada, command)

"""People command the bot by voice: with the rights of what they may type, answered aloud."""

from __future__ import annotations

import asyncio

import pytest

from core.hearing.models import embedded_folder
from core.hearing.text import Segment, Transcription

COGS = ("cogs.prompt", "cogs.recorder", "cogs.voice")
needs_model = pytest.mark.skipif(embedded_folder() is None, reason="the embedded speech model is not installed")


async def told(scene, person, command: str) -> str:
    """Have a command carried out as if the person had said it; gives what the bot said then."""
    before = list(scene.runtime.conversation.recent)
    scene.runtime.spoken.carry_out(scene.session, person.user.id, command)
    await scene.until(lambda: len(scene.runtime.conversation.recent) > len(before))
    return scene.runtime.conversation.recent[-1].prompt.text


async def said_aloud(scene, person, words: str) -> str:
    """Say something to the bot; gives what it said then."""
    before = len(scene.runtime.conversation.recent)
    await person.say(words, voice="en-us")
    await scene.until(lambda: len(scene.runtime.conversation.recent) > before, 40)
    turn = scene.runtime.conversation.recent[-1]
    await scene.until(lambda: turn.outcome is not None)
    assert turn.outcome == "spoken"
    return turn.prompt.text


@needs_model
async def test_what_is_said_to_it_is_done_confirmed_or_refused_aloud_and_is_no_prompt(scene):
    await scene.start(cogs=COGS, hearing={"engine": "embedded"})
    ada = await scene.joined()
    await scene.until(lambda: any("I listen here" in text for text in scene.notices()), 60)
    await ada.until_encrypted()
    heard = asyncio.create_task(ada.ears.wait_for_voice(scene.bot_user.id, 60))
    assert await said_aloud(scene, ada, "Parley, turn it down.") == "Volume 80 percent."
    assert (await heard).encrypted
    assert scene.session.player.volume == 0.8
    refused = await said_aloud(scene, ada, "Parley, start recording.")
    assert refused.startswith("Only people with") and scene.runtime.recordings.live(scene.guild.id) is None
    session = scene.session
    await ada.say("Parley, leave us.", voice="en-us")
    await scene.until(lambda: scene.session is None, 40)
    await scene.ended(session)
    assert scene.runtime.conversation.recent[-1].prompt.text == "Goodbye."
    assert not scene.chat.prompts, "a command is no prompt"


async def test_each_command_asks_for_the_right_that_its_slash_command_asks_for(scene):
    await scene.start(cogs=COGS)
    ada = await scene.joined()
    host = await scene.person("Host", roles=[scene.admin_role])
    await host.join(scene.voice)
    assert await told(scene, ada, "who") == "Ada and Host are here."
    assert (await told(scene, ada, "record")).startswith("Only people with")
    assert await told(scene, host, "record") == "Recording."
    live = scene.runtime.recordings.live(scene.guild.id)
    assert live is not None and any("is being recorded" in text for text in scene.notices(scene.voice))
    assert (await told(scene, ada, "stop_recording")).startswith("Only people with")
    assert scene.runtime.recordings.live(scene.guild.id) is live
    assert await told(scene, host, "stop_recording") == "The recording is over."
    assert scene.runtime.recordings.live(scene.guild.id) is None
    await scene.turns_over()
    assert await told(scene, host, "stop") == "I was not saying or playing anything."
    assert await told(scene, host, "louder") == "Volume 120 percent."


async def test_who_was_away_is_told_what_was_said_meanwhile_and_nothing_else(scene):
    await scene.start()
    ada = await scene.joined()
    assert await told(scene, ada, "missed") == "Nothing: you have been here all the time."
    scene.chat.script(text="Before.")
    await scene.reply(ada, await ada.type(scene.text, "Is the ferry blue?"))
    bob = await scene.person("Bob")
    await bob.join(scene.voice)
    await bob.leave()
    scene.chat.script(text="Meanwhile.")
    await scene.reply(ada, await ada.type(scene.text, "Is the castle haunted?"))
    await bob.join(scene.voice)
    scene.chat.script(text="Ada asked about a castle.")
    assert await told(scene, bob, "missed") == "Ada asked about a castle."
    material = scene.chat.prompts[-1][-1]["content"]
    assert "castle" in material and "Meanwhile." in material and "ferry" not in material
    scene.chat.script(status=500)
    assert "model" in await told(scene, bob, "missed")


async def test_without_its_cog_or_where_it_is_switched_off_nothing_is_a_command(scene):
    await scene.start(cogs=("cogs.prompt", "cogs.voice"), hearing={"engine": "off", "commands": {"stop": ["ruhe"]}})
    spoken = scene.runtime.spoken

    def heard(text: str) -> Transcription:
        return Transcription((Segment(text, 0.0, 1.0),), "en", "whisper", "tiny.en", text)

    assert spoken.find(heard("Parley, record."), ["Parley"]) is None
    assert spoken.find(heard("Parley, Ruhe!"), ["Parley"]) == "stop"
    await scene.bot.unload_extension("cogs.voice")
    assert spoken.find(heard("Parley, Ruhe!"), ["Parley"]) is None

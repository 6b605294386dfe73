"""What is said in a voice channel appears in a thread as it is said, with the rights of being heard, until the session ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core.hearing.models import embedded_folder
from loopback.world.guilds import ChannelKind
from tests.core.hearing.transcripts.speech import Scripted

BREAD = "There is fresh bread in the kitchen, and a pot of tea for everybody."
HEARD = "There is fresh bread in the kitchen."
needs_model = pytest.mark.skipif(embedded_folder() is None, reason="the recogniser's weights are not installed")


async def begin(scene: Any, *lines: Any, real: bool = False, name: str = "Ada", **hearing: Any) -> Any:
    """Somebody in the voice channel with the bot, who answers nothing that is said unless asked to."""
    await scene.start(hearing={"engine": "embedded", "answer": "never", **hearing})
    if not real:
        scene.runtime.hearing._transcriber = Scripted(list(lines) or [HEARD])
    ada = await scene.joined(name)
    await ada.until_encrypted()
    return ada


def thread_of(scene: Any) -> Any:
    return next((each for each in scene.guild.channels.values() if each.kind is ChannelKind.THREAD), None)


def captions(scene: Any, channel: Any = None) -> list[str]:
    place = channel or thread_of(scene)
    return [message.content for message in place.messages.values() if message.content.startswith("**")]


@needs_model
async def test_words_appear_while_they_are_said_and_are_final_afterwards(scene: Any) -> None:
    ada = await begin(scene, real=True)
    assert "is written down in <#" in await scene.run(ada, "voice captions", on=True)
    thread = thread_of(scene)
    assert thread.parent is scene.text
    announced = next(text for text in scene.notices() if "is written down" in text)
    assert f"<#{thread.id}>" in announced and "/privacy opt-out" in announced
    shown: list[str] = []

    async def watch() -> None:
        while True:
            for text in captions(scene, thread):
                if not shown or shown[-1] != text:
                    shown.append(text)
            await asyncio.sleep(0.02)

    watching = asyncio.create_task(watch())
    await ada.say(BREAD, voice="en-us")
    await scene.until(lambda: any(not text.endswith("…") and "everybody" in text for text in shown), 60)
    watching.cancel()
    assert len(captions(scene, thread)) == 1, "changed in its place"
    assert captions(scene, thread)[0].startswith("**Ada:** ")
    assert any(text.endswith("…") for text in shown), shown


async def test_captions_need_no_session_that_answers_and_end_with_it(scene: Any) -> None:
    ada = await begin(scene)
    await scene.run(ada, "voice captions", on=True)
    thread = thread_of(scene)
    await ada.say(BREAD, voice="en-us")
    await scene.until(lambda: captions(scene, thread) == [f"**Ada:** {HEARD}"])
    assert not scene.chat.prompts
    assert not scene.runtime.voice_hearing.hears(scene.session)
    await scene.run(ada, "voice leave")
    await scene.until(lambda: any("captions end here" in message.content for message in thread.messages.values()))
    assert not scene.runtime.hearing.sessions


async def test_they_are_switched_off_and_nobody_is_heard_any_more(scene: Any) -> None:
    ada = await begin(scene)
    assert await scene.run(ada, "voice captions") == "What is said here is not written down."
    await scene.run(ada, "voice captions", on=True)
    thread = thread_of(scene)
    assert await scene.run(ada, "voice captions", on=False) == "What is said here is not written down."
    assert not scene.runtime.hearing.sessions
    await ada.say(BREAD, voice="en-us")
    await asyncio.sleep(1.5)
    assert not captions(scene, thread)


async def test_answering_and_captions_share_one_ear_whichever_ends_first(scene: Any) -> None:
    ada = await begin(scene)
    session = scene.session
    await scene.run(ada, "voice captions", on=True)
    assert "I listen" in await scene.run(ada, "voice listen", on=True)
    assert len(scene.runtime.hearing.sessions) == 1
    assert "do not listen" in await scene.run(ada, "voice listen", on=False)
    assert len(scene.runtime.hearing.sessions) == 1, "captions go on"
    await ada.say(BREAD, voice="en-us")
    await scene.until(lambda: captions(scene))
    await scene.run(ada, "voice listen", on=True)
    await scene.run(ada, "voice captions", on=False)
    assert scene.runtime.voice_hearing.hears(session)
    assert len(scene.runtime.hearing.sessions) == 1


async def test_who_refuses_to_be_heard_has_no_captions_and_loses_those_there_were(scene: Any) -> None:
    ada = await begin(scene)
    bob = await scene.person("Bob")
    await bob.join(scene.voice)
    await bob.until_encrypted()
    await scene.run(ada, "voice captions", on=True)
    await ada.say(BREAD, voice="en-us")
    await scene.until(lambda: any("Ada" in text for text in captions(scene)))
    await scene.runtime.privacy.decide(ada.user.id, "out", ("heard",))
    await ada.say(BREAD, voice="en-us")
    await bob.say(BREAD, voice="en-us+m7")
    await scene.until(lambda: any("Bob" in text and not text.endswith("…") for text in captions(scene)))
    assert not any("Ada" in text for text in captions(scene))


async def test_who_is_deleted_loses_their_captions_also_those_of_a_session_that_is_over(scene: Any) -> None:
    ada = await begin(scene)
    bob = await scene.person("Bob")
    await scene.run(ada, "voice captions", on=True)
    thread = thread_of(scene)
    await bob.join(scene.voice)
    await scene.until(lambda: any("I listen here" in text and bob.user.mention in text for text in scene.notices()))
    await bob.until_encrypted()
    for person in (ada, bob):
        await person.say(BREAD, voice="en-us")
        name = person.user.name
        await scene.until(lambda name=name: any(name in text and "…" not in text for text in captions(scene, thread)))
    await scene.run(ada, "voice leave")
    deletion = await scene.runtime.privacy.delete_person(ada.user.id)
    assert any("captions of what you said were taken off" in told for told in deletion.done)
    shown = "\n".join(captions(scene, thread))
    assert "Ada" not in shown and "Bob" in shown


async def test_names_and_words_in_captions_ping_nobody(scene: Any) -> None:
    ada = await begin(scene, "@everyone look at https://example.org", name="*Ada* @here")
    await scene.run(ada, "voice captions", on=True)
    await ada.say(BREAD, voice="en-us")
    await scene.until(lambda: captions(scene))
    (text,) = captions(scene)
    assert "@everyone" not in text and "@here" not in text and "https://" not in text


async def test_without_the_right_to_threads_they_come_into_the_channel(scene: Any) -> None:
    ada = await begin(scene)
    scene.strip_bot()
    everyone = scene.guild.roles[scene.guild.id]
    scene.world.edit_role(scene.guild, everyone, permissions=everyone.permissions & ~(1 << 35))
    await scene.run(ada, "voice captions", on=True)
    assert thread_of(scene) is None
    assert any("I may not open a thread here" in text for text in scene.notices())
    await ada.say(BREAD, voice="en-us")
    await scene.until(lambda: f"**Ada:** {HEARD}" in captions(scene, scene.text))


async def test_a_thread_that_is_deleted_ends_them_with_a_sentence(scene: Any) -> None:
    ada = await begin(scene)
    await scene.run(ada, "voice captions", on=True)
    scene.world.delete_channel(thread_of(scene))
    await ada.say(BREAD, voice="en-us")
    await scene.until(lambda: any("their thread is gone" in text for text in scene.notices()))
    assert not scene.runtime.hearing.sessions
    await scene.run(ada, "voice captions", on=True)
    assert thread_of(scene) is not None


async def test_they_go_on_through_a_reload(scene: Any) -> None:
    ada = await begin(scene)
    await scene.run(ada, "voice captions", on=True)
    await scene.bot.reload_extension("cogs.voice")
    await ada.say(BREAD, voice="en-us")
    await scene.until(lambda: captions(scene))
    assert "is written down in" in await scene.run(ada, "voice captions")


async def test_without_a_recogniser_one_sentence_says_why(scene: Any) -> None:
    ada = await begin(scene, real=True, engine="whisper", model="nowhere")
    said = await scene.run(ada, "voice captions", on=True)
    assert "models get nowhere" in said
    assert thread_of(scene) is None
    assert scene.runtime.captions.place(scene.session) is None

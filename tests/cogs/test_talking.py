"""People talk to the bot: real words, recognised by the embedded model, answered aloud and in writing."""

from __future__ import annotations

import asyncio

import pytest

from core.hearing.models import embedded_folder

pytestmark = pytest.mark.skipif(embedded_folder() is None, reason="the embedded speech model is not installed")

HEARING = {"engine": "embedded"}


async def hears(scene, **hearing):
    await scene.start(hearing={**HEARING, **hearing})
    ada = await scene.joined()
    await scene.until(lambda: any("I listen here" in message.content for message in scene.text.messages.values()), 60)
    await ada.until_encrypted()
    return ada


async def reply_to(scene, words: str, *, timeout: float = 60):
    """The bot's message that quotes these words."""

    def found():
        return next(
            (m for m in scene.text.messages.values() if m.content.startswith(">") and words in m.content.casefold()),
            None,
        )

    await scene.until(lambda: found() is not None, timeout)
    await scene.turns_over()
    return found()


async def test_who_is_alone_asks_aloud_and_is_answered_aloud_and_in_writing(scene):
    ada = await hears(scene)
    scene.chat.script(text="It is half past seven.")
    listening = asyncio.create_task(ada.ears.wait_for_voice(scene.bot_user.id, 60))
    await ada.say("What is the capital of France?", voice="en-us")
    assert (await listening).encrypted
    message = await reply_to(scene, "the capital")
    assert message.content.startswith("> **Ada:** What is the capital")
    assert message.content.endswith("It is half past seven.")
    assert "the capital" in scene.chat.prompts[0][-1]["content"].casefold()


async def test_among_several_only_who_names_it_is_answered(scene):
    ada = await hears(scene)
    bob = await scene.person("Bob")
    await bob.join(scene.voice)
    await bob.until_encrypted()
    await ada.say("I think it will rain tomorrow.", voice="en-us")
    await asyncio.sleep(3)
    assert not scene.chat.prompts
    await bob.say("Parley, what is the capital of France?", voice="en-us+m7")
    message = await reply_to(scene, "the capital")
    assert "**Bob:**" in message.content
    assert len(scene.chat.prompts) == 1 and "Bob" in scene.chat.prompts[0][-1]["content"]


async def test_who_speak_at_once_are_one_prompt_in_order_with_their_names(scene):
    ada = await hears(scene, answer="always")
    bob = await scene.person("Bob")
    await bob.join(scene.voice)
    await bob.until_encrypted()

    async def second() -> None:
        await asyncio.sleep(1.0)
        await bob.say("And I would like a piece of cake.", voice="en-us+m7")

    await asyncio.gather(ada.say("I would like a cup of coffee with milk and sugar.", voice="en-us"), second())
    message = await reply_to(scene, "cake")
    assert len(scene.chat.prompts) == 1
    told = scene.chat.prompts[0][-1]["content"]
    assert told.index("Ada") < told.index("coffee") < told.index("Bob") < told.index("cake")
    assert message.content.index("**Ada:**") < message.content.index("**Bob:**")


async def test_who_refuses_to_be_heard_is_not_and_who_blocks_hearing_ends_it(scene):
    ada = await hears(scene, answer="always")
    await scene.runtime.privacy.decide(ada.user.id, "out", ("heard",))
    await ada.say("What is the capital of France?", voice="en-us")
    await asyncio.sleep(3)
    assert not scene.chat.prompts
    await scene.runtime.privacy.decide(ada.user.id, None, ("heard",))
    assert "do not listen" in await scene.run(ada, "voice listen", on=False)
    await ada.say("What is the capital of France?", voice="en-us")
    await asyncio.sleep(2)
    assert not scene.chat.prompts
    assert "I listen" in await scene.run(ada, "voice listen", on=True)
    await ada.say("What is the capital of France?", voice="en-us")
    assert await reply_to(scene, "the capital")


async def test_a_session_without_its_model_says_so_in_a_sentence_and_goes_on(scene):
    await scene.start(hearing={"engine": "whisper", "model": "nowhere"})
    ada = await scene.joined()
    await scene.until(
        lambda: any("I hear nobody here" in message.content for message in scene.text.messages.values()), 30
    )
    told = next(m.content for m in scene.text.messages.values() if "I hear nobody here" in m.content)
    assert "models get nowhere" in told and "Traceback" not in told
    message = await ada.type(scene.text, "Is the tea ready?")
    assert (await scene.reply(ada, message)).content


STORY = " ".join(f"This is sentence number {number} of a long story about a king." for number in range(1, 13))


async def speaks(scene, ada):
    """The bot tells a long story; given is when it was first heard."""
    scene.chat.script(text=STORY, pace_s=0.001)
    ada.ears.forget()
    await ada.type(scene.text, "Tell me a story.")
    first = await ada.ears.wait_for_voice(scene.bot_user.id, 20)
    await asyncio.sleep(1.5)
    return first.arrival_s


async def test_words_stop_the_bot_which_remembers_what_was_heard(scene):
    ada = await hears(scene)
    await speaks(scene, ada)
    turn = scene.runtime.conversation.recent[-1]
    interrupting = asyncio.create_task(ada.say("Please stop now, I have a question for you.", voice="en-us"))
    await scene.until(lambda: turn.paused or turn.outcome is not None, 20)
    await scene.until(lambda: turn.outcome == "stopped", 20)
    await interrupting
    lines = await scene.runtime.history.newest(scene.text.id, 10)
    said = [line.content for line in lines if line.turn_id == turn.id and line.role == "assistant"]
    assert said == [turn.heard_text] and STORY.startswith(said[0]) and len(said[0]) < len(STORY) / 2
    message = await reply_to(scene, "question")
    assert "question" in message.content.casefold()


async def test_a_cough_makes_the_bot_pause_and_go_on_without_losing_a_word(scene):
    ada = await hears(scene)
    await speaks(scene, ada)
    turn = scene.runtime.conversation.recent[-1]
    await ada.say("Mmhm hmm.", voice="en-us")
    await scene.until(lambda: not turn.paused, 20)
    await asyncio.sleep(1)
    await scene.until(lambda: not turn.paused, 20)
    await scene.until(lambda: turn.outcome is not None, 90)
    assert turn.outcome == "spoken" and turn.heard_text == STORY
    assert turn.line.heard_samples == turn.line.written_samples
    assert len(scene.chat.prompts) == 1  # nobody asked anything

"""The bot joins in after so many messages: in the flow of talk, of people who agreed, never too often, never in a session."""

from __future__ import annotations

import asyncio

from core.persona.people.joining_in import INSTRUCTION
from tests.cogs.people import COGS, observing, told, type_all

FIFTH = {"joining_in": {"every": 5, "min_interval_s": 0}, "profiles": {"enabled": False}}
BEGINNING = INSTRUCTION[:40]


async def count(scene) -> int:
    known = scene.runtime.people.channels.get(scene.text.id)
    return known.count


async def joined_in(scene, times: int) -> list:
    """The bot's remarks that nobody asked for, once there are so many."""

    def found() -> list:
        mine = [each for each in scene.text.messages.values() if each.author is scene.bot_user]
        return [each for each in mine if "read along" not in each.content]

    await scene.until(lambda: len(found()) >= times)
    await scene.until(lambda: not scene.runtime.people.joining_in._under_way)
    assert len(found()) == times, [each.content for each in found()]
    return found()


async def test_after_every_fifth_message_it_says_one_thing_to_nobody_in_particular(scene):
    ada, ben, cem = await observing(scene, "Ada", "Ben", "Cem", persona=FIFTH)
    scene.runtime.privacy.consent.decide("observed", cem.user.id, None)
    robot = scene.world.add_user("Robot", bot=True)
    scene.world.add_member(scene.guild, robot)
    scene.chat.script(text="Butter goes with all of them. @everyone")
    await type_all(scene, ada, "Rye.", "Wheat.", "Spelt.")
    scene.world.messages.create(scene.text, robot, "Beep.")
    await type_all(scene, cem, "I did not agree to anything.")
    await type_all(scene, ben, "Oats!")
    await asyncio.sleep(0.3)
    assert scene.chat.prompts == []
    await type_all(scene, ben, "And <@&1> barley.")
    (remark,) = await joined_in(scene, 1)
    assert remark.content == "Butter goes with all of them. @everyone"
    assert remark.reply_to is None
    assert not remark.mentions
    (prompt,) = scene.chat.prompts
    assert BEGINNING in prompt[0]["content"]
    assert prompt[-1]["content"] == "Ada: Rye.\nAda: Wheat.\nAda: Spelt.\nBen: Oats!\nBen: And <@&1> barley."
    assert await count(scene) == 0
    for number in range(5):
        scene.chat.script(text="[silent]")
        await type_all(scene, ada, f"More {number}.")
    await scene.until(lambda: len(scene.chat.prompts) == 2)
    await joined_in(scene, 1)  # it had nothing to add
    assert await count(scene) == 0


async def test_who_speaks_to_it_is_answered_at_once_and_the_count_starts_anew(scene):
    (ada,) = await observing(scene, "Ada", persona=FIFTH)
    await type_all(scene, ada, "One.", "Two.", "Three.", "Four.")
    assert await count(scene) == 4
    await told(scene, ada, "Five?")
    assert await count(scene) == 0
    (reply,) = await joined_in(scene, 1)
    assert reply.reply_to is not None
    await ada.type(scene.text, "Six?", reply_to=reply)
    await scene.until(lambda: len(scene.chat.prompts) == 2)
    await scene.turns_over()
    assert await count(scene) == 0
    assert not any(BEGINNING in prompt[0]["content"] for prompt in scene.chat.prompts)


async def test_a_channel_has_its_own_number_and_the_count_survives_a_restart(scene):
    (ada,) = await observing(scene, "Ada", persona=FIFTH)
    assert "every 3 messages" in await scene.run(scene.root, "persona every", messages=3)
    await type_all(scene, ada, "One.", "Two.")
    await scene.bot.close()
    await scene.start(cogs=COGS, persona=FIFTH)
    await scene.until(lambda: scene.runtime.people_at_work.watch.join_in is not None)
    assert await count(scene) == 2
    scene.chat.script(text="Three it is.")
    await type_all(scene, ada, "Three.")
    assert [each.content for each in await joined_in(scene, 1)] == ["Three it is."]
    assert scene.chat.prompts[-1][-1]["content"].endswith("One.\nTwo.\nThree.")
    assert "no more" in await scene.run(scene.root, "persona every", messages=0)
    await type_all(scene, ada, *(f"More {number}." for number in range(6)))
    await asyncio.sleep(0.3)
    await joined_in(scene, 1)


async def test_a_busy_channel_is_not_answered_faster_than_it_may_be(scene):
    busy = {**FIFTH, "joining_in": {"every": 2, "min_interval_s": 600}}
    (ada,) = await observing(scene, "Ada", persona=busy)
    await type_all(scene, ada, "One.", "Two.")
    await joined_in(scene, 1)
    await type_all(scene, ada, *(f"More {number}." for number in range(6)))
    await asyncio.sleep(0.3)
    await joined_in(scene, 1)
    assert await count(scene) == 6


async def test_it_is_silent_during_a_session_while_the_count_goes_on(scene):
    (ada,) = await observing(scene, "Ada", persona=FIFTH)
    kitchen = scene.world.add_text_channel(scene.guild, "kitchen")
    await scene.until(lambda: scene.bot.get_channel(kitchen.id) is not None)
    await (await ada_joins(scene, ada, kitchen)).answered()
    await type_all(scene, ada, *(f"Thing {number}." for number in range(6)))
    await asyncio.sleep(0.3)
    assert scene.chat.prompts == []
    assert await count(scene) == 6
    await (await ada.slash(kitchen, "voice leave")).answered()
    await scene.until(lambda: not scene.runtime.lockdown.locked("fifth_message"))
    await type_all(scene, ada, "And now?")
    await joined_in(scene, 1)


async def ada_joins(scene, ada, channel):
    await ada.join(scene.voice)
    return await ada.slash(channel, "voice join")


async def test_it_first_asks_whether_there_is_anything_to_add_and_drops_what_was_taken_back(scene):
    asks = {**FIFTH, "joining_in": {"every": 2, "min_interval_s": 0, "ask_first": True}}
    (ada,) = await observing(scene, "Ada", persona=asks)
    scene.chat.script(text="No.")
    await type_all(scene, ada, "One.", "Two.")
    await scene.until(lambda: len(scene.chat.prompts) == 1)
    await joined_in(scene, 0)
    scene.chat.script(text="Yes")
    scene.chat.script(text="I heard you say three.", delay_s=0.6)
    three, _ = await type_all(scene, ada, "Three.", "Four.")
    await scene.until(lambda: len(scene.chat.prompts) == 3)
    await ada.delete(three)
    await joined_in(scene, 0)
    assert scene.chat.requests[0].json["max_tokens"] == 4


async def test_without_tokens_left_nothing_is_said_and_answers_go_on(scene):
    (ada,) = await observing(scene, "Ada", persona={**FIFTH, "tokens_per_day": 50})
    await type_all(scene, ada, *(f"Thing {number}." for number in range(6)))
    await asyncio.sleep(0.3)
    assert scene.chat.prompts == []
    await told(scene, ada)
    assert len(scene.chat.prompts) == 1


async def test_a_prompt_channel_is_answered_anyway_and_never_twice(scene):
    (ada,) = await observing(scene, "Ada", persona=FIFTH, prompt={"channels": [], "gather_idle_s": 0})
    await scene.run(scene.root, "prompt channel")
    for number in range(6):
        await ada.type(scene.text, f"Thing {number}?")
        await scene.until(lambda number=number: len(scene.chat.prompts) == number + 1)
        await scene.turns_over()
    assert not any(BEGINNING in prompt[0]["content"] for prompt in scene.chat.prompts)
    assert await count(scene) == 0

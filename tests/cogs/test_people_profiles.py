"""What the bot makes of people: told to the model that answers them, shown to them alone, theirs to correct and to take back."""

from __future__ import annotations

import asyncio
import json

from loopback.world.permissions import Permission
from tests.cogs.people import kept, observing, profile, profiled, told, type_all


async def test_a_profile_is_made_once_of_the_newest_messages_and_told_when_that_person_asks(scene):
    ada, ben = await observing(scene, "Ada", "Ben")
    await profiled(scene, ada)
    (question,) = scene.chat.prompts
    assert [json.loads(line)["message"] for line in question[1]["content"].splitlines()] == [
        f"Ada says thing {number}." for number in range(5)
    ]
    instruction = await told(scene, ada)
    for part in ("Notes on Ada", "dry and friendly", "sourdough, lighthouses", "Captain", "in very few words"):
        assert part in instruction
    assert "Notes on" not in await told(scene, ben)
    assert len(scene.chat.prompts) == 3  # Ada's question was her sixth message: no new profile yet
    assert scene.runtime.occasions.spent_today(scene.guild.id) > 0


async def test_nonsense_leaves_the_old_profile_and_is_tried_again_later(scene, caplog):
    (ada,) = await observing(scene, "Ada")
    await profiled(scene, ada)
    scene.chat.script(text="Sorry, I would rather talk about the weather.")
    people, asked = scene.runtime.people, len(scene.chat.prompts)
    await type_all(scene, ada, *(f"Another thing {number}." for number in range(6)))
    await people.messages.flush()
    await scene.until(lambda: "no profile was made" in caplog.text)
    await type_all(scene, ada, *(f"Yet another thing {number}." for number in range(6)))
    await people.messages.flush()
    assert people.profiles.due == 1
    assert len(scene.chat.prompts) == asked + 1  # not at once
    assert "sourdough" in await told(scene, ada)


async def test_what_is_written_where_not_all_may_read_is_used_there_alone(scene):
    ada, ben = await observing(scene, "Ada", "Ben")
    closed = scene.world.add_text_channel(scene.guild, "board")
    everyone = scene.guild.roles[scene.guild.id]
    scene.world.set_overwrite(closed, everyone, deny=Permission.VIEW_CHANNEL)
    for person in (ada, ben):
        scene.world.set_overwrite(closed, person.user, allow=Permission.VIEW_CHANNEL)
    await scene.until(lambda: scene.bot.get_channel(closed.id) is not None)
    await (await scene.root.slash(closed, "persona observe", state="on")).answered()
    await profiled(scene, ada, channel=closed, answer=profile(interests=["the merger"]))
    assert "the merger" in await told(scene, ada, channel=closed)
    assert "Notes on" not in await told(scene, ada)
    await profiled(scene, ada)
    assert "the merger" not in scene.chat.prompts[-1][1]["content"]
    assert "sourdough" in await told(scene, ada)
    assert "the merger" not in await told(scene, ada)
    assert "thing" not in json.dumps([prompt for prompt in scene.chat.prompts if "board" in str(prompt)])
    # a channel that is closed later takes what was written there out of all others
    scene.world.set_overwrite(scene.text, everyone, deny=Permission.READ_MESSAGE_HISTORY)
    await scene.until(lambda: not scene.runtime.people.profiles._places.is_open(scene.guild.id, scene.text.id))
    other = scene.world.add_text_channel(scene.guild, "hall")
    await scene.until(lambda: scene.bot.get_channel(other.id) is not None)
    assert "sourdough" not in await told(scene, ada, channel=other)


async def test_a_person_sees_corrects_forgets_and_refuses_and_nobody_else_sees_it(scene):
    ada, ben = await observing(scene, "Ada", "Ben")
    await profiled(scene, ada)
    interaction = await ada.slash(scene.text, "persona profile")
    shown = await interaction.answered()
    assert shown.is_ephemeral
    for part in ("You let me read along.", "I keep 5 messages", "sourdough, lighthouses", "in very few words"):
        assert part in shown.content.replace("\\", "")
    assert "no notes on you" in await scene.run(ben, "persona profile")
    form = await ada.press(shown, "Correct")
    await form.modal()
    submitted = await ada.submit(form, address="Ada, no titles", interests="rye; @everyone")
    assert "Noted" in (await submitted.answered()).content
    instruction = await told(scene, ada)
    assert "address them as: Ada, no titles" in instruction
    assert "rye, everyone" in instruction
    assert "dry and friendly" in instruction
    chosen = await ada.select(shown, "none", custom_id="parley:people:style")
    assert "Noted" in (await chosen.answered()).content
    again = await (await ada.slash(scene.text, "persona profile")).answered()
    assert "address you as: Ada, no titles ✏️" in again.content
    assert "tone: dry and friendly\n" in again.content
    pressed = await ada.press(again, "Forget")
    assert "Forgotten" in (await pressed.answered()).content
    assert await kept(scene, ada) == []
    assert "Notes on" not in await told(scene, ada)
    pressed = await ada.press(again, "Refuse")
    await pressed.answered()
    await type_all(scene, ada, "Do you still listen?")
    assert await kept(scene, ada) == []
    refused = await ada.press(again, "Correct")
    assert "not observed" in (await refused.answered()).content


async def test_who_refuses_while_a_profile_is_made_gets_none(scene):
    (ada,) = await observing(scene, "Ada")
    scene.chat.script(text=profile(), delay_s=1.0)
    await type_all(scene, ada, *(f"Thing {number}." for number in range(5)))
    await scene.runtime.people.messages.flush()
    await scene.until(lambda: scene.chat.prompts)
    assert "not observed any more" in await scene.run(ada, "privacy opt-out", what="observed")
    assert await scene.runtime.people_at_work.kept_profiles.of_person(ada.user.id) == []
    await scene.until(lambda: not scene.runtime.people.profiles.due)
    await asyncio.sleep(1.2)
    assert await scene.runtime.people_at_work.kept_profiles.of_person(ada.user.id) == []
    assert "Notes on" not in await told(scene, ada)


async def test_a_message_deleted_while_a_profile_is_made_of_it_is_in_no_profile(scene):
    (ada,) = await observing(scene, "Ada")
    scene.chat.script(text=profile(), delay_s=0.8)
    messages = await type_all(scene, ada, *(f"Thing {number}." for number in range(5)))
    await scene.runtime.people.messages.flush()
    await scene.until(lambda: scene.chat.prompts)
    await ada.delete(messages[0])
    await scene.until(lambda: not scene.runtime.people.profiles.due)
    assert await scene.runtime.people_at_work.kept_profiles.of_person(ada.user.id) == []


async def test_no_profile_is_made_during_a_session_and_it_is_made_after_it(scene):
    (ada,) = await observing(scene, "Ada")
    await ada.join(scene.voice)
    await scene.run(ada, "voice join")
    kitchen = scene.world.add_text_channel(scene.guild, "kitchen")
    await scene.until(lambda: scene.bot.get_channel(kitchen.id) is not None)
    await (await scene.root.slash(kitchen, "persona observe", state="on")).answered()
    scene.chat.script(text=profile())
    await type_all(scene, ada, *(f"Thing {number}." for number in range(5)), channel=kitchen)
    await scene.runtime.people.messages.flush()
    await asyncio.sleep(0.5)
    assert scene.runtime.people.profiles.due == 1
    assert scene.chat.prompts == []
    await scene.run(ada, "voice leave")
    await scene.until(lambda: not scene.runtime.people.profiles.due)
    assert "sourdough" in await told(scene, ada)


async def test_a_person_who_wants_no_answers_may_be_left_without_one_and_without_an_error(scene):
    (ada,) = await observing(scene, "Ada")
    await profiled(scene, ada, answer=profile(reply_style="none"))
    scene.chat.script(text="[silent]")
    before = len(scene.notices())
    assert "[silent]" in await told(scene, ada, "I am only saying.")
    assert len(scene.notices()) == before
    scene.chat.script(text="Rye, always.")
    await told(scene, ada)
    assert scene.notices()[-1] == "Rye, always."


async def test_everything_of_a_person_is_described_exported_and_deleted(scene):
    ada, ben = await observing(scene, "Ada", "Ben")
    await profiled(scene, ada)
    await type_all(scene, ben, f"<@{ada.user.id}> bakes well.")
    await scene.run(ada, "persona temperature", value=0.4)
    privacy = scene.runtime.privacy
    described = await privacy.describe_person(ada.user.id)
    assert any("5 of your messages" in line for line in described)
    files = await privacy.export_person(ada.user.id)
    assert json.loads(files["observed_messages.json"])[0]["text"] == "Ada says thing 0."
    (made,) = json.loads(files["profiles.json"])
    assert made["profile"]["address"] == "Captain"
    assert len(made["messages"]) == 5
    assert json.loads(files["temperature.json"]) == {"temperature": 0.4}
    assert "bakes" not in str(files)
    assert await kept(scene, ben) == ["Ada bakes well."]
    deletion = await privacy.delete_person(ada.user.id, ["Ada"])
    assert not deletion.failed
    assert await kept(scene, ada) == []
    assert await kept(scene, ben) == ["somebody bakes well."]
    assert not [line for line in await privacy.describe_person(ada.user.id) if "recording" not in line]
    assert "Notes on" not in await told(scene, ada)

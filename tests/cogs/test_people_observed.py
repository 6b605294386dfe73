"""Where the bot reads along, whose messages it keeps, and how they go when Discord, a person or a server says so."""

from __future__ import annotations

import pytest

from launch.bot import INTENTS
from loopback.world.permissions import Permission
from tests.cogs.people import COGS, kept, observing, profiled, told, type_all, until_kept


async def test_a_channel_is_told_once_and_only_words_of_those_who_agree_are_kept(scene):
    ada, ben = await observing(scene, "Ada", "Ben")
    scene.runtime.privacy.consent.decide("observed", ben.user.id, None)
    told_there = [text for text in scene.notices() if "read along in this channel" in text]
    assert len(told_there) == 1
    assert await scene.run(scene.root, "persona observe", state="on") == "I read along here already."
    await type_all(scene, ada, "Rye is best.", "!play rye", f"<@{scene.bot_user.id}> and you?")
    await type_all(scene, ben, "Mine is none of your business.")
    robot = scene.world.add_user("Robot", bot=True)
    scene.world.add_member(scene.guild, robot)
    scene.world.messages.create(scene.text, robot, "I am a bot.")
    await type_all(scene, ada, f"<@{robot.id}> what time is it?", "Wheat is second best.")
    assert await kept(scene, ada) == ["Rye is best.", "and you?", "Wheat is second best."]
    assert await kept(scene, ben) == []
    people = await scene.runtime.people.messages.repository.people()
    assert people == [(scene.guild.id, ada.user.id)]
    message = next(each for each in scene.text.messages.values() if each.content == told_there[0])
    pressed = await ben.press(message, "Read mine")
    assert "observed" in (await pressed.answered()).content
    await type_all(scene, ben, "I changed my mind.")
    assert await kept(scene, ben) == ["I changed my mind."]
    pressed = await ben.press(message, "Not mine")
    assert "Forgotten" in (await pressed.answered()).content
    await type_all(scene, ben, "And again.")
    assert await kept(scene, ben) == []


async def test_without_the_right_nobody_turns_it_on_and_untold_nothing_is_kept(scene):
    await scene.start(cogs=COGS)
    scene.strip_bot()
    ada = await scene.person()
    assert "persona observe" not in ada.menu(scene.text) or "permission" in await scene.run(ada, "persona observe")
    root = await scene.person("Root", roles=[scene.admin_role])
    scene.world.set_overwrite(scene.text, scene.bot_user, deny=Permission.SEND_MESSAGES)
    assert "must be announced" in await scene.run(root, "persona observe", state="on")
    assert not scene.runtime.people.channels.is_observed(scene.text.id)
    assert "comes first" in await scene.run(root, "persona every", messages=3)


async def test_channels_of_the_configuration_are_told_at_the_start_and_only_once(scene):
    await scene.start(cogs=COGS, persona={"observe": [scene.text.id], "consent": "opt_out"})
    await scene.until(lambda: scene.runtime.people.channels.is_observed(scene.text.id))
    ada = await scene.person()
    await type_all(scene, ada, "Nobody asked me, but I was told.")
    assert await kept(scene, ada) == ["Nobody asked me, but I was told."]
    await scene.bot.close()
    await scene.start(cogs=COGS, persona={"observe": [scene.text.id], "consent": "opt_out"})
    await scene.until(lambda: scene.bot.is_ready())
    assert await kept(scene, ada) == ["Nobody asked me, but I was told."]
    assert len([text for text in scene.notices() if "read along" in text]) == 1
    root = await scene.person("Root", roles=[scene.admin_role])
    assert "no more" in await scene.run(root, "persona observe", state="off")
    assert await kept(scene, ada) == []
    await type_all(scene, ada, "Are you still there?")
    assert await kept(scene, ada) == []


async def test_what_is_deleted_or_edited_goes_from_store_and_profile(scene):
    (ada,) = await observing(scene, "Ada")
    messages = await type_all(scene, ada, *(f"Thing number {number}." for number in range(4)))
    await profiled(scene, ada)
    assert "sourdough" in await told(scene, ada)
    await ada.edit(messages[0], "Thing number nought.")
    things = [f"Ada says thing {number}." for number in range(5)]
    asked = "What shall I bake?"
    await until_kept(scene, ada, "Thing number nought.", *(f"Thing number {n}." for n in (1, 2, 3)), *things, asked)
    assert "sourdough" not in await told(scene, ada)
    await profiled(scene, ada)
    assert "sourdough" in await told(scene, ada)
    await ada.delete(messages[1])
    scene.world.messages.delete_many(scene.text, [messages[2].id, messages[3].id])
    await until_kept(scene, ada, "Thing number nought.", *things, asked, asked, *things, asked)
    assert "sourdough" not in await told(scene, ada)


@pytest.mark.parametrize("told_by_discord", [True, False])
async def test_who_leaves_the_server_leaves_nothing(scene, told_by_discord, monkeypatch):
    if told_by_discord:
        monkeypatch.setattr(INTENTS, "members", True)
    ada, ben = await observing(scene, "Ada", "Ben")
    await type_all(scene, ada, "I am off.")
    await type_all(scene, ben, "I stay.")
    await profiled(scene, ada)
    scene.world.remove_member(scene.guild, ada.user)
    if not told_by_discord:
        await scene.runtime.people_at_work.watch.look()
    await until_kept(scene, ada)
    assert await scene.runtime.people_at_work.kept_profiles.of_person(ada.user.id) == []
    assert await kept(scene, ben) == ["I stay."]


async def test_a_channel_that_is_deleted_and_a_server_that_is_left_take_everything_along(scene):
    (ada,) = await observing(scene, "Ada")
    other = scene.world.add_text_channel(scene.guild, "kitchen")
    await scene.until(lambda: scene.bot.get_channel(other.id) is not None)
    interaction = await scene.root.slash(other, "persona observe", state="on")
    await interaction.answered()
    await type_all(scene, ada, "In the kitchen.", channel=other)
    await type_all(scene, ada, "In the hall.")
    assert await kept(scene, ada) == ["In the kitchen.", "In the hall."]
    scene.world.delete_channel(other)
    await scene.until(lambda: scene.runtime.people.channels.get(other.id) is None)
    assert await kept(scene, ada) == ["In the hall."]
    scene.world.remove_member(scene.guild, scene.bot_user)
    await scene.until(lambda: not scene.runtime.people.channels.servers)
    assert await kept(scene, ada) == []


async def test_what_was_deleted_while_the_bot_was_away_is_found_out(scene):
    (ada,) = await observing(scene, "Ada")
    first, second, third = await type_all(scene, ada, "First.", "Second.", "Third.")
    assert len(await kept(scene, ada)) == 3
    await scene.bot.close()
    scene.world.messages.delete(first)
    scene.world.messages.edit(third, {"content": "Third, and last."})
    await scene.start(cogs=COGS)
    await scene.runtime.people_at_work.watch.catch_up()
    assert await kept(scene, ada) == ["Second.", "Third, and last."]
    assert second.content == "Second."

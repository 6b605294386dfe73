"""Judging answers, keeping data sets of that, and the standing instruction, over a Discord on localhost."""

from __future__ import annotations

import asyncio

import discord
import pytest
from discord.ext import commands

from loopback.world.permissions import Permission
from tests.cogs.trainer_scene import COGS, MENU, TrainerScene, plain


@pytest.fixture
def trainer(scene) -> TrainerScene:
    return TrainerScene(scene)


async def test_a_correction_is_stored_beside_the_answer_with_exactly_what_the_model_was_asked(scene, trainer):
    await trainer.start()
    ada = await scene.person()
    await trainer.agree(ada)
    reply = await trainer.asked(ada, "what is the capital of Australia?", "Sydney.")
    opened = await ada.message_menu(reply, MENU)
    field = (await opened.modal())["components"][0]["components"][0]
    assert field["value"] == "Sydney."
    sent = await ada.submit(opened, **{"text-0": "Canberra."})
    assert "correction is stored" in (await sent.answered()).content
    (example,) = await trainer.examples()
    assert (example.chosen, example.rejected, example.source) == ("Canberra.", "Sydney.", "correction")
    asked = scene.chat.prompts[-1]
    told = [f"{line.name}: {line.content}" if line.name else line.content for line in example.messages]
    assert told == [message["content"] for message in asked]
    assert [line.role for line in example.messages] == [message["role"] for message in asked]
    assert (example.route, example.model, example.temperature) == ("default", "stand-in", None)
    assert example.people == {ada.user.id: "Ada"}
    assert example.by_id == ada.user.id


async def test_of_a_long_answer_every_message_is_it_and_the_form_holds_all_of_it(scene, trainer):
    await trainer.start()
    ada = await scene.person()
    long = "\n".join(f"line {number} of a long answer" for number in range(200))
    reply = await trainer.asked(ada, "go on", long)
    last = [each for each in scene.text.messages.values() if each.author is scene.bot_user][-1]
    assert last is not reply
    opened = await ada.message_menu(last, MENU)
    assert len((await opened.modal())["components"]) == 2
    sent = await ada.submit(opened, **{"text-1": "the end"})
    await sent.answered()
    (example,) = await trainer.examples()
    assert example.rejected == long
    assert example.chosen.startswith("line 0 of") and example.chosen.endswith("\nthe end")


async def test_thumbs_stand_under_answers_of_the_channels_that_are_named_and_nowhere_else(scene, trainer):
    other = scene.world.add_text_channel(scene.guild, "other")
    await trainer.start(channels=[scene.text.id])
    ada, bob = await scene.person(), await scene.person("Bob")
    reply = await trainer.asked(ada, "hello", "Hi.")
    await scene.until(lambda: reply.components)
    assert "good answer" in (await (await bob.press(reply, "👍")).answered()).content
    assert [(each.chosen, each.rejected) for each in await trainer.examples()] == [("Hi.", None)]
    assert "bad answer" in (await (await bob.press(reply, "👎")).answered()).content
    (example,) = await trainer.examples()
    assert (example.chosen, example.rejected, example.by_id) == (None, "Hi.", bob.user.id)
    sent = await bob.submit(await bob.press(reply, "Correct"), **{"text-0": "Hello, Ada."})
    assert "correction" in (await sent.answered()).content
    assert "stays as it is" in (await (await bob.press(reply, "👍")).answered()).content
    assert [(each.chosen, each.rejected) for each in await trainer.examples()] == [("Hello, Ada.", "Hi.")]
    elsewhere = await trainer.asked(ada, "hello", "Hi there.", other)
    assert not elsewhere.components


async def test_reactions_are_thumbs_where_the_settings_say_so_and_can_be_taken_back(scene, trainer):
    await trainer.start(channels=[scene.text.id], servers=[], judge_with="reactions")
    ada, bob = await scene.person(), await scene.person("Bob")
    reply = await trainer.asked(ada, "hello", "Hi.")
    await ada.wait_for_reaction(reply, "👍")
    await ada.wait_for_reaction(reply, "👎")
    await bob.react(reply, "👎")
    await _count(trainer, scene, 1)
    assert [(each.rejected, each.by_id) for each in await trainer.examples()] == [("Hi.", bob.user.id)]
    await bob.unreact(reply, "👎")
    await _count(trainer, scene, 0)


async def test_feedback_by_the_link_of_a_message_keeps_the_note(scene, trainer):
    await trainer.start()
    ada = await scene.person()
    reply = await trainer.asked(ada, "hello", "Hi.")
    link = f"https://discord.com/channels/{scene.guild.id}/{scene.text.id}/{reply.id}"
    told = await scene.run(ada, "trainer feedback", message=link, rating="bad", note="too short")
    assert "bad answer" in told and "/privacy opt-in what:trained on" in told
    (example,) = await trainer.examples()
    assert (example.note, example.people) == ("too short", {ada.user.id: "Ada"})


async def test_what_is_no_answer_or_older_than_the_store_is_told_in_one_sentence(scene, trainer):
    await trainer.start()
    ada = await scene.person()
    message = await ada.type(scene.text, "just talking")
    for _ in range(2):
        said = (await (await ada.message_menu(message, MENU)).answered()).content
        assert "no answer of mine that I still have" in said and said.count(". ") == 0
    reply = await trainer.asked(ada, "hello", "Hi.")
    await trainer.training.judging._answers.forget_before(scene.runtime.clock.now())
    assert "no answer of mine" in (await (await ada.message_menu(reply, MENU)).answered()).content
    told = await scene.run(ada, "trainer feedback", message=str(reply.id), rating="good")
    assert "no answer of mine" in told
    assert "by its link" in await scene.run(ada, "trainer feedback", message="that one", rating="good")


async def test_a_correction_needs_words_that_are_not_the_answer(scene, trainer):
    await trainer.start()
    ada = await scene.person()
    reply = await trainer.asked(ada, "hello", "Hi there.")
    assert "as it was" in await trainer.correct(ada, reply, "Hi  there.")
    assert "needs words" in await trainer.correct(ada, reply, "   ")
    assert await trainer.training.data_sets.list(scene.guild.id) == []


async def test_nothing_is_kept_where_training_is_off(scene, trainer):
    await trainer.start(servers=[])
    ada = await scene.person()
    reply = await trainer.asked(ada, "hello", "Hi.")
    assert await trainer.kept() == 0
    assert "no answer of mine" in (await (await ada.message_menu(reply, MENU)).answered()).content


async def test_nothing_is_kept_of_who_refused_nor_of_who_is_in_what_they_said_before(scene, trainer):
    await trainer.start()
    ada, bob = await scene.person(), await scene.person("Bob")
    await trainer.asked(bob, "remember the number 42", "I do.")
    assert await trainer.kept() == 1
    await trainer.agree(bob, decision="out")
    assert await trainer.kept() == 0
    await trainer.asked(ada, "which number?", "42.")  # Bob's words are in the prompt's history
    assert await trainer.kept() == 0


async def test_an_answer_to_a_quotation_of_somebody_unknown_is_not_kept(scene, trainer):
    await trainer.start()
    ada, bob = await scene.person(), await scene.person("Bob")
    quoted = await bob.type(scene.text, "my secret is blue")
    scene.chat.script(text="Blue.")
    message = await ada.type(scene.text, f"<@{scene.bot_user.id}> what is that?", reply_to=quoted)
    await scene.reply(ada, message)
    await trainer.asked(ada, "hello", "Hi.")
    assert await trainer.kept() == 1


async def test_who_cannot_see_a_channel_judges_no_answer_there(scene, trainer):
    hidden = scene.world.add_text_channel(scene.guild, "hidden")
    await trainer.start()
    role = scene.admin_role
    ada, bob = await scene.person(roles=[role]), await scene.person("Bob")
    everyone = scene.guild.roles[scene.guild.id]
    scene.world.set_overwrite(hidden, everyone, deny=Permission.VIEW_CHANNEL)
    reply = await trainer.asked(ada, "hello", "Hi.", hidden)
    told = await scene.run(bob, "trainer feedback", message=str(reply.id), rating="bad")
    assert "no answer of mine" in told
    assert "bad answer" in await scene.run(ada, "trainer feedback", message=str(reply.id), rating="bad")


async def test_data_sets_are_made_selected_shown_put_aside_brought_back_and_deleted(scene, trainer):
    await trainer.start()
    ada, mia = await scene.person(), await trainer.manager()
    await trainer.agree(ada)
    assert "none yet" in await scene.run(mia, "trainer dataset list")
    assert "is made" in await scene.run(mia, "trainer dataset create", name="first")
    assert "already" in await scene.run(mia, "trainer dataset create", name="FIRST")
    assert "is made" in await scene.run(mia, "trainer dataset create", name="second")
    await scene.run(mia, "trainer dataset select", name="first")
    reply = await trainer.asked(ada, "capital of Australia?", "Sydney")
    await trainer.correct(ada, reply, "Canberra")
    listed = await scene.run(mia, "trainer dataset list")
    assert "“first”: 1 example," in listed and "takes what is judged" in listed.splitlines()[0]
    shown = plain(await scene.run(mia, "trainer dataset show", name="first"))
    assert "✅ Canberra" in shown and "❌ Sydney" in shown and "1 may be handed out" in shown
    put = await scene.run(mia, "trainer archive")
    assert "“first” (1 example)" in put and "“second” (0 examples)" in put
    assert "put aside" in await scene.run(mia, "trainer dataset list")
    assert "nothing to put aside" in await scene.run(mia, "trainer archive")
    await trainer.correct(ada, reply, "Canberra, of course")
    assert "“corrections”: 1 example" in await scene.run(mia, "trainer dataset list")
    assert "goes into “first”" in await scene.run(mia, "trainer dataset select", name="first")
    assert len(await trainer.examples("first")) == 1
    asked = await mia.slash(scene.text, "trainer dataset delete", name="first")
    question = await asked.answered()
    assert "for good" in question.content
    gone = await mia.press(question, "Delete it")
    assert "is deleted, with its 1 example" in (await gone.answered()).content
    assert "There is no data set" in await scene.run(mia, "trainer dataset show", name="first")
    assert "not there any more" in (await (await mia.press(question, "Delete it")).answered()).content
    names = [each["name"] for each in await mia.autocomplete(scene.text, "trainer dataset show", "name", "sec")]
    assert names == ["second"]


FOR_MANAGERS = (
    ("trainer dataset create", {"name": "mine"}),
    ("trainer dataset select", {"name": "mine"}),
    ("trainer dataset list", {}),
    ("trainer dataset show", {"name": "mine"}),
    ("trainer dataset archive", {"name": "mine"}),
    ("trainer dataset delete", {"name": "mine"}),
    ("trainer archive", {}),
    ("trainer instruction", {"text": "obey Ada"}),
)


async def test_only_who_manages_the_server_manages_data_sets(scene, trainer):
    await trainer.start()
    ada = await scene.person()
    for command, options in FOR_MANAGERS:
        assert "Manage Server" in await scene.run(ada, command, **options), command
    assert await trainer.training.data_sets.list(scene.guild.id) == []
    assert trainer.training.instructions.of(scene.guild.id) == ""


async def test_roles_that_the_settings_name_may_manage_too(scene, trainer):
    role = scene.world.add_role(scene.guild, "trainers")
    await trainer.start(roles=[role.id])
    ada = await scene.person(roles=[role])
    assert "is made" in await scene.run(ada, "trainer dataset create", name="mine")


async def test_a_standing_instruction_reaches_every_answer_and_can_be_undone(scene, trainer):
    await trainer.start()
    ada, mia = await scene.person(), await trainer.manager()
    assert "No instruction holds" in await scene.run(mia, "trainer instruction")
    assert "version 1" in await scene.run(mia, "trainer instruction", text="Answer in rhyme.")
    await trainer.asked(ada, "hello", "Hi.")
    assert "Answer in rhyme." in scene.chat.prompts[-1][0]["content"]
    assert "version 2" in await scene.run(mia, "trainer instruction", text="Answer in *prose*.")
    assert "prose" in await scene.run(mia, "trainer instruction")
    await trainer.asked(ada, "hello", "Hi.")
    assert "rhyme" not in scene.chat.prompts[-1][0]["content"]
    assert "Answer in rhyme." in await scene.run(mia, "trainer instruction", undo=True)
    await trainer.asked(ada, "hello", "Hi.")
    assert "Answer in rhyme." in scene.chat.prompts[-1][0]["content"]
    assert "No instruction here" in (await scene.run(mia, "trainer instruction", text="-")).replace("There is no", "No")
    await trainer.asked(ada, "hello", "Hi.")
    assert "rhyme" not in scene.chat.prompts[-1][0]["content"]
    await scene.run(mia, "trainer instruction", undo=True)
    assert "No instruction holds" in await scene.run(mia, "trainer instruction", undo=True)
    assert "no instruction to undo" in await scene.run(mia, "trainer instruction", undo=True)


async def test_menu_buttons_and_forms_go_on_after_the_cog_was_loaded_anew(scene, trainer):
    await trainer.start(channels=[scene.text.id])
    ada = await scene.person()
    reply = await trainer.asked(ada, "hello", "Hi.")
    await scene.until(lambda: reply.components)
    opened = await ada.message_menu(reply, MENU)
    await opened.modal()
    await scene.bot.reload_extension("cogs.trainer")
    sent = await ada.submit(opened, **{"text-0": "Hello!"})
    assert "is stored" in (await sent.answered()).content
    assert "stays as it is" in (await (await ada.press(reply, "👍")).answered()).content
    assert (await (await ada.message_menu(reply, MENU)).modal())["title"] == MENU


async def test_what_the_second_self_answers_through_its_webhook_can_be_corrected_too(scene, trainer):
    await trainer.start(cogs=(*COGS, "cogs.persona"))
    ada = await scene.person()
    scene.chat.script(deltas=["Never."])
    await ada.type(scene.text, f"<@{scene.bot_user.id}> Nemesis, will you help me?")
    said = await ada.wait_for_message(scene.text, lambda found: found.content == "Never.", 30)
    assert said.webhook is not None
    await scene.turns_over()
    for _ in range(100):
        if await trainer.kept():
            break
        await asyncio.sleep(0.01)
    assert "is stored" in await trainer.correct(ada, said, "Of course.")


def registered(scene) -> list[object]:
    """What a reload could leave twice."""
    runtime, tree = scene.runtime, scene.bot.tree
    listeners = {name: len(found) for name, found in scene.bot.extra_events.items() if found}
    menus = [each.name for each in tree.get_commands(type=discord.AppCommandType.message)]
    features = sorted(each.name for each in runtime.lockdown.features)
    commands_ = sorted(each.qualified_name for each in tree.walk_commands())
    advisers = len(runtime.conversation.advisers._advisers)
    owners, respected = sorted(runtime.privacy._owners), len(runtime.privacy._reactions["trained_on"])
    return [listeners, menus, features, commands_, sorted(runtime.interactions._pressed), advisers, owners, respected]


async def test_loading_the_cog_anew_leaves_nothing_behind_and_unloading_it_takes_its_menu_away(scene, trainer):
    await trainer.start()
    before = registered(scene)
    for _ in range(3):
        await scene.bot.reload_extension("cogs.trainer")
    assert registered(scene) == before
    await scene.bot.unload_extension("cogs.trainer")
    assert scene.bot.tree.get_command("trainer") is None
    assert scene.bot.tree.get_command(MENU, type=discord.AppCommandType.message) is None


async def test_a_host_that_has_such_a_menu_command_keeps_it(scene, trainer):
    await trainer.start(cogs=("cogs.prompt",))

    async def theirs(interaction: discord.Interaction, message: discord.Message) -> None:
        """Nobody calls it here."""

    menu = discord.app_commands.ContextMenu(name=MENU, callback=theirs)
    scene.bot.tree.add_command(menu)
    with pytest.raises(commands.ExtensionFailed, match="already has the menu command"):
        await scene.bot.load_extension("cogs.trainer")
    assert scene.bot.tree.get_command(MENU, type=discord.AppCommandType.message) is menu
    assert scene.bot.tree.get_command("trainer") is None


async def _count(trainer, scene, count) -> None:
    for _ in range(200):
        sets = await trainer.training.data_sets.list(scene.guild.id)
        if sum(each.count for each in sets) == count and (sets or not count):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"there never were {count} examples")

"""What the trainer has of people: told, exported, deleted; a refusal takes everything along at once."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from tests.cogs.trainer_scene import TrainerScene

SECRET = "zebrafish"


@pytest.fixture
def trainer(scene) -> TrainerScene:
    return TrainerScene(scene)


async def told_to_both(scene, trainer):
    """Ada's secret is in an answer to her, and in what Bob asks afterwards; both are judged."""
    ada, bob = await scene.person(), await scene.person("Bob")
    await trainer.agree(ada, bob)
    first = await trainer.asked(ada, f"my pet is a {SECRET}", f"A {SECRET}, how nice!")
    await trainer.correct(bob, first, f"What is a {SECRET}, Ada?")
    second = await trainer.asked(bob, "what did Ada say?", "She has a pet.")
    await trainer.correct(bob, second, "Ask Ada.")
    return ada, bob


def bytes_of_store(scene) -> bytes:
    return b"".join(file.read_bytes() for file in scene.folder.glob("parley.db*"))


async def test_a_person_is_told_what_is_kept_and_gets_their_own_words_and_nobody_elses(scene, trainer):
    await trainer.start()
    ada, bob = await told_to_both(scene, trainer)
    status = await scene.run(ada, "privacy status")
    assert "2 of my answers, whose prompts hold your words" in status
    assert "2 examples in data sets for training hold your words" in status
    assert "You wrote 2 corrections" in await scene.run(bob, "privacy status")
    _, files = await trainer.file(ada, "privacy export")
    (archive,) = files.values()
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        (name,) = [name for name in packed.namelist() if name.endswith("training.json")]
        given = json.loads(packed.read(name))
    assert "what did Ada say?" not in json.dumps(given)
    assert "Ask Ada." not in json.dumps(given)
    assert SECRET in json.dumps(given["examples"][0])
    assert given["examples"][0]["good_answer"] == "(somebody else's words)"


@pytest.mark.parametrize("how", ["privacy delete", "privacy opt-out"])
async def test_who_is_deleted_or_refuses_leaves_no_word_in_answers_examples_and_data_sets(scene, trainer, how):
    await trainer.start()
    ada, bob = await told_to_both(scene, trainer)
    mia = await trainer.manager()
    await scene.run(mia, "trainer archive")
    third = await trainer.asked(bob, "and what is the weather?", "Fine.")
    assert len(await trainer.examples()) == 2
    said = await scene.run(ada, how, **({"what": "trained on"} if "out" in how else {}))
    assert "2 examples of data sets" in said
    assert await trainer.examples() == []  # Bob's correction of an answer that her words led to goes with them
    assert await trainer.kept() == 0
    if how == "privacy delete":
        assert SECRET.encode() not in bytes_of_store(scene)
    assert "no answer of mine" in await scene.run(bob, "trainer feedback", message=str(third.id), rating="good")


async def test_who_only_brought_something_in_is_not_named_any_more(scene, trainer):
    await trainer.start()
    ada, mia = await scene.person(), await trainer.manager()
    await scene.run(mia, "trainer dataset create", name="of Mia")
    await scene.run(mia, "trainer instruction", text="Mia is the boss.")
    reply = await trainer.asked(ada, "hello", "Hi.")
    await trainer.correct(ada, reply, "Hello, says Mia.")
    await scene.run(mia, "privacy delete")
    (kept,) = await trainer.training.data_sets.list(scene.guild.id)
    assert (kept.kept.name, kept.kept.made_by) == ("of somebody", None)
    assert trainer.training.instructions.of(scene.guild.id) == "somebody is the boss."
    assert (await trainer.examples("of somebody"))[0].chosen == "Hello, says somebody."


async def test_an_answer_that_ends_after_its_person_was_deleted_is_not_kept(scene, trainer):
    await trainer.start()
    ada = await scene.person()
    scene.chat.script(text="A long answer. " * 30, pace_s=0.01)
    asking = await ada.type(scene.text, f"<@{scene.bot_user.id}> my pet is a {SECRET}")
    await scene.until(lambda: scene.chat.prompts)
    await scene.runtime.privacy.delete_person(ada.user.id)
    await scene.reply(ada, asking)
    await trainer.asked(ada, "hello", "Hi.")
    assert await trainer.kept() == 1


async def test_examples_of_people_who_have_not_agreed_are_forgotten_like_answers(scene, trainer):
    await trainer.start()
    ada, bob = await scene.person(), await scene.person("Bob")
    await trainer.agree(ada)
    await trainer.correct(ada, await trainer.asked(ada, "one", "1"), "One.")
    await trainer.correct(ada, await trainer.asked(bob, "two", "2"), "Two.")
    judging = trainer.training.judging
    judging._section = judging._section.model_copy(update={"keep_answers_days": 1e-9})
    await judging.forget_old()
    assert [each.chosen for each in await trainer.examples()] == ["One."]
    assert await trainer.kept() == 0

"""Nothing that anybody said leaves for training unless they agreed: not by any door, not to another server, not later."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest

from loopback.world.permissions import Permission
from tests.cogs.trainer_scene import TrainerScene

if TYPE_CHECKING:
    from core.training.checks import Format

SECRET = "zebrafish"
FORMATS: tuple[Format, ...] = ("openai", "dpo", "trl", "kto", "csv")


@pytest.fixture
def trainer(scene) -> TrainerScene:
    return TrainerScene(scene)


async def begun(scene, trainer):
    """Bob agreed, Ada said nothing; her words are in her prompt, in the answer, and in what Bob asks after her."""
    tuner = {"base_url": scene.chat.base_url, "model": "small", "retries": 0}
    await trainer.start(
        routes={"tuner": tuner}, fine_tune_route="tuner", base_model="small", test_share=0.5, judge_route="default"
    )
    ada, bob, mia = await scene.person("Ada"), await scene.person("Bob"), await trainer.manager()
    await trainer.agree(bob, mia)
    for number in range(3):
        reply = await trainer.asked(ada, f"my {number}th pet is a {SECRET}", f"A {SECRET}!")
        await trainer.correct(bob, reply, f"A {SECRET} is {number} fish.")
        reply = await trainer.asked(bob, f"what is Ada's {number}th pet?", f"A {SECRET}.")
        await trainer.correct(bob, reply, f"Ada's {number}th pet.")
        await scene.run(bob, "trainer feedback", message=str(reply.id), rating="bad", note=f"{SECRET} {number}")
    scene.chat.requests.clear()
    return ada, bob, mia


def left(scene, *answers) -> bytes:
    """Everything that left: what was answered, in files too, and what a provider or model was sent."""
    said = [text.encode() for text, _ in answers]
    files = [data for _, given in answers for data in given.values()]
    packed = [gzip.decompress(data) for data in files if data.startswith(b"\x1f\x8b")]
    return b"\n".join([*said, *files, *packed, *(each.body for each in scene.chat.requests)])


async def doors(scene, trainer, who) -> list[tuple[str, dict[str, bytes]]]:
    """Every command by which examples leave, tried by somebody."""
    tried = [("trainer export", {"dataset": "corrections", "format": form, "test_share": 0.0}) for form in FORMATS]
    tried += [("trainer file", {"name": "corrections"}), ("trainer file", {"name": "instruction"})]
    tried += [("trainer dataset show", {"name": "corrections"}), ("trainer dataset list", {})]
    tried += [("trainer train", {"dataset": "corrections", "method": each}) for each in ("supervised", "dpo")]
    tried += [("trainer test", {"dataset": "corrections"})]
    return [await trainer.file(who, command, **options) for command, options in tried]


async def test_no_word_of_who_did_not_agree_leaves_by_any_door(scene, trainer):
    ada, _, mia = await begun(scene, trainer)
    assert len(await trainer.examples()) == 6
    assert SECRET.encode() not in left(scene, *await doors(scene, trainer, mia))
    await scene.run(mia, "trainer archive")
    said, files = await trainer.file(mia, "trainer file", name="corrections")
    assert SECRET.encode() not in left(scene, (said, files))
    await trainer.agree(ada)
    said, files = await trainer.file(mia, "trainer export", dataset="corrections", format="csv", test_share=0.0)
    assert SECRET.encode() in left(scene, (said, files))  # the doors are open, and it was consent that kept it in
    await trainer.agree(ada, decision=None)
    said, files = await trainer.file(mia, "trainer export", dataset="corrections", format="csv", test_share=0.0)
    assert SECRET.encode() not in left(scene, (said, files))


async def test_who_manages_another_server_reaches_nothing_of_this_one(scene, trainer):
    ada, bob, mia = await begun(scene, trainer)
    await trainer.agree(ada)
    other = scene.world.add_guild("other")
    scene.world.add_member(other, scene.bot_user)
    channel = scene.world.add_text_channel(other, "there")
    eve = await scene.person("Eve")
    scene.world.add_member(other, eve.user, [scene.world.add_role(other, "all", Permission.ADMINISTRATOR)])
    newest = max(each.id for each in scene.text.messages.values() if each.author is scene.bot_user)
    (kept,) = await trainer.training.data_sets.list(scene.guild.id)

    async def told(command, **options):
        message = await (await eve.slash(channel, command, **options)).answered()
        return message.content, {each.filename: each.data for each in message.attachments}

    answers = [
        await told("trainer export", dataset="corrections", format="csv"),
        await told("trainer file", name="corrections"),
        await told("trainer dataset show", name="corrections"),
        await told("trainer train", dataset="corrections"),
        await told("trainer test", dataset="corrections"),
        await told("trainer feedback", message=str(newest), rating="good"),
        await told("trainer dataset list"),
        await told("trainer route", name="tuned-1"),
    ]
    assert SECRET.encode() not in left(scene, *answers)
    asked = await (await mia.slash(scene.text, "trainer dataset delete", name="corrections")).answered()
    assert asked.components
    assert await trainer.training.data_sets.by_id(other.id, kept.kept.id) is None
    assert len(await trainer.examples()) == 6
    assert bob


async def test_a_model_that_was_trained_on_one_server_answers_on_no_other(scene, trainer):
    await trainer.start(routes={"tuner": {"base_url": scene.chat.base_url, "model": "small"}}, fine_tune_route="tuner")
    mia = await trainer.manager()
    routes = trainer.training.routes
    routes._tuned[4] = {"tuned-4": "ft:small:theirs"}
    routes._provider.offer("tuner", "tuned-4", "ft:small:theirs")
    assert "no model of that name" in await scene.run(mia, "trainer route", name="tuned-4")
    lines = [json.dumps({"prompt": f"q {n}", "completion": "a", "label": True}) for n in range(20)]
    await scene.run(mia, "trainer import", file=("set.jsonl", "\n".join(lines).encode(), "text/plain"))
    for option in ("route", "against", "judge"):
        assert "no model route" in await scene.run(mia, "trainer test", dataset="set", **{option: "tuned-4"})
    assert not [each for each in scene.chat.requests if each.path.endswith("/chat/completions")]

"""Fine-tuning through a provider, over a Discord and a provider on localhost: to its end, through failures and restarts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from core.store.store import Store
from core.store.training_records import TrainingJobsRepository
from loopback.world.permissions import Permission
from tests.cogs.trainer_scene import COGS, TrainerScene, plain

KEY = "sk-this-is-the-key-of-the-provider"


@pytest.fixture
def trainer(scene) -> TrainerScene:
    return TrainerScene(scene)


def rows(count: int = 15, *, pairs: bool = False) -> bytes:
    said = [
        {"prompt": f"question {n}", "chosen": f"answer {n}", "rejected": f"nonsense {n}"}
        if pairs
        else {"prompt": f"question {n}", "completion": f"answer {n}", "label": True}
        for n in range(count)
    ]
    return "\n".join(map(json.dumps, said)).encode()


async def started(scene, trainer, *, count: int = 15, pairs: bool = False, kind: str = "openai", **more):
    """A manager, and a data set to train with, at a provider."""
    base = scene.chat.url if kind == "azure" else scene.chat.base_url
    tuner = {"base_url": base, "model": "gpt-small", "kind": kind, "api_key_env": "TUNER_KEY", "retries": 0}
    given = {"fine_tune_route": "tuner", "base_model": "gpt-small", "test_share": 0.0} | more
    await trainer.start(routes={"tuner": tuner}, environ={"TUNER_KEY": KEY}, **given)
    mia = await trainer.manager()
    await scene.run(mia, "trainer import", file=("set.jsonl", rows(count, pairs=pairs), "text/plain"))
    return mia


def progress(scene) -> str:
    """What the message of the newest job says."""
    return plain([text for text in scene.notices() if text.startswith("🎓")][-1])


async def over(scene, words: str) -> str:
    await scene.until(lambda: any(text.startswith("🎓") for text in scene.notices()) and words in progress(scene))
    return progress(scene)


@pytest.mark.parametrize("kind", ["openai", "azure"])
async def test_a_job_is_sent_followed_and_told_in_one_message_and_its_files_are_deleted(scene, trainer, kind):
    mia = await started(scene, trainer, kind=kind, test_share=0.3)
    told = await scene.run(mia, "trainer train", dataset="set")
    assert "held out to test with" in told and "is sent to the provider" in told
    text = await over(scene, "done")
    (job,) = scene.chat.tuning.jobs.values()
    assert (job.model, job.suffix, job.validation_file is not None) == ("gpt-small", "parley-1", True)
    assert len(scene.chat.tuning.deleted) == 2 and not scene.chat.tuning.files
    assert len([text for text in scene.notices() if text.startswith("🎓")]) == 1
    if kind == "azure":
        assert f"The model is `{job.tuned}`: deploy it" in text
        assert "None was trained yet" in await scene.run(mia, "trainer route", name="tuned-1")
    else:
        assert "/trainer route name:tuned-1" in text
    assert KEY not in repr([message.content for message in scene.text.messages.values()])


async def test_the_finished_model_is_a_route_that_this_server_alone_can_choose_also_after_a_restart(scene, trainer):
    mia = await started(scene, trainer)
    await scene.run(mia, "trainer train", dataset="set")
    await over(scene, "done")
    (job,) = scene.chat.tuning.jobs.values()
    names = [each["name"] for each in await mia.autocomplete(scene.text, "trainer route", "name", "tun")]
    assert names == ["tuner", "tuned-1"]
    assert "`tuned-1` answers" in await scene.run(mia, "trainer route", name="tuned-1")
    assert "no model of that name" in await scene.run(mia, "trainer route", name="tuned-9")
    await trainer.asked(mia, "hello", "Hi.")
    assert scene.chat.requests[-1].json["model"] == job.tuned
    await scene.bot.close()
    base = {"base_url": scene.chat.base_url, "model": "gpt-small", "api_key_env": "TUNER_KEY", "retries": 0}
    await trainer.start(routes={"tuner": base}, environ={"TUNER_KEY": KEY}, fine_tune_route="tuner")
    await trainer.asked(mia, "hello", "Hi.")
    assert scene.chat.requests[-1].json["model"] == job.tuned
    assert trainer.training.routes.chosen(scene.guild.id + 1) is None
    assert "usual model" in await scene.run(mia, "trainer route", name="-")
    await trainer.asked(mia, "hello", "Hi.")
    assert scene.chat.requests[-1].json["model"] == "stand-in"


async def test_pairs_are_trained_as_preferences(scene, trainer):
    mia = await started(scene, trainer, pairs=True)
    await scene.run(mia, "trainer train", dataset="set", base="other-base", method="dpo")
    await over(scene, "done")
    (job,) = scene.chat.tuning.jobs.values()
    assert (job.model, job.method["type"]) == ("other-base", "dpo")


async def untouched(scene, trainer, count: int = 15) -> None:
    assert len(await trainer.examples("set")) == count
    assert not scene.chat.tuning.files
    assert all(job.ended_at for job in await trainer.training.jobs._repository.all())


REFUSALS = (
    ("/files", 400, "Line 3 *is* bad @everyone", "refuses that (400): “Line 3 *is* bad @everyone”"),
    (
        "/files",
        401,
        "Incorrect API key provided: " + KEY,
        "refuses the key (401): “Incorrect API key provided: ***”",
    ),
    ("/fine_tuning/jobs", 403, "Missing scopes: api.fine_tuning", "lacks the right to do that"),
    ("/fine_tuning/jobs", 400, "Model gpt-small is not available for fine-tuning", "not available for fine-tuning"),
    (
        "/fine_tuning/jobs",
        429,
        "Too many active jobs",
        "no capacity for us right now (429): “Too many active jobs”",
    ),
    ("/fine_tuning/jobs", 500, "", "has a fault of its own (500)"),
)


async def test_what_the_provider_refuses_is_told_in_its_words_and_the_data_set_is_untouched(scene, trainer):
    mia = await started(scene, trainer)
    for on, status, words, told in REFUSALS:
        scene.chat.script(on=on, status=status, error=words)
        await scene.run(mia, "trainer train", dataset="set")
        await scene.until(lambda: not trainer.training.jobs._live)
        text = await over(scene, "failed")
        assert told in text, told
        assert "The data set is as it was." in text and KEY not in text
        raw = [text for text in scene.notices() if text.startswith("🎓")][-1]
        assert "@everyone" not in raw and "*is*" not in raw
        await untouched(scene, trainer)


async def test_a_provider_that_is_away_or_answers_nonsense_is_told_in_one_sentence(scene, trainer):
    mia = await started(scene, trainer)
    for behaviour, told in (
        ({"refuse": True}, "cannot be reached just now."),
        ({"status": 502, "body": b"<html>Bad @everyone gateway</html>"}, "has a fault of its own (502)."),
        ({"status": 302, "headers": {"Location": "/login"}}, "refuses that (302)"),
    ):
        scene.chat.script(on="/files", **behaviour)
        await scene.run(mia, "trainer train", dataset="set")
        await scene.until(lambda: not trainer.training.jobs._live)
        text = await over(scene, "failed")
        assert told in text and "<html>" not in text
        await untouched(scene, trainer)


async def test_a_job_that_fails_at_the_provider_is_told_in_its_words(scene, trainer):
    mia = await started(scene, trainer)
    scene.chat.tuning.fails = "The job failed due to an *unsafe* training file."
    await scene.run(mia, "trainer train", dataset="set")
    text = await over(scene, "failed")
    assert "unsafe" in text and "as it was" in text
    await untouched(scene, trainer)


async def test_a_provider_without_fine_tuning_says_so(scene, trainer):
    mia = await started(scene, trainer)
    scene.chat.tuning.offered = False
    await scene.run(mia, "trainer train", dataset="set")
    assert "offers no fine-tuning" in await over(scene, "failed")
    await untouched(scene, trainer)


async def test_a_provider_that_is_away_for_a_while_does_not_end_a_job(scene, trainer):
    mia = await started(scene, trainer)
    scene.chat.tuning.held = True
    await scene.run(mia, "trainer train", dataset="set")
    await over(scene, "running")
    (job,) = scene.chat.tuning.jobs.values()
    scene.chat.script(on=f"/{job.id}", status=503, times=2)
    await over(scene, "fault of its own (503)")
    scene.chat.tuning.held = False
    await over(scene, "done")


async def test_a_job_goes_on_after_a_restart_also_one_whose_number_was_lost(scene, trainer):
    mia = await started(scene, trainer)
    scene.chat.tuning.held = True
    await scene.run(mia, "trainer train", dataset="set")
    await over(scene, "running")
    repository = trainer.training.jobs._repository
    (job,) = await repository.all()
    await scene.bot.close()
    store = Store(f"sqlite+aiosqlite:///{scene.folder / 'parley.db'}")
    await store.open()
    await TrainingJobsRepository(store).save(replace(job, provider_id="", state="uploading"))
    await store.close()
    scene.chat.tuning.held = False
    base = {"base_url": scene.chat.base_url, "model": "gpt-small", "api_key_env": "TUNER_KEY", "retries": 0}
    await trainer.start(routes={"tuner": base}, environ={"TUNER_KEY": KEY}, fine_tune_route="tuner")
    await over(scene, "done")
    assert len(scene.chat.tuning.jobs) == 1
    assert len([text for text in scene.notices() if text.startswith("🎓")]) == 1


async def test_a_job_is_cancelled_by_who_may_and_nobody_else(scene, trainer):
    mia = await started(scene, trainer)
    scene.chat.tuning.held = True
    ada = await scene.person()
    await scene.run(mia, "trainer train", dataset="set")
    await over(scene, "running")
    message = next(each for each in scene.text.messages.values() if each.content.startswith("🎓"))
    assert "Manage Server" in (await (await ada.press(message, "Cancel")).answered()).content
    assert "under way on this server already" in await scene.run(mia, "trainer train", dataset="set")
    assert "is cancelled" in (await (await mia.press(message, "Cancel")).answered()).content
    assert "cancelled" in progress(scene) and not message.components
    assert next(iter(scene.chat.tuning.jobs.values())).status == "cancelled"
    await untouched(scene, trainer)


async def test_a_job_that_is_cancelled_while_it_is_sent_leaves_no_file(scene, trainer):
    mia = await started(scene, trainer)
    scene.chat.script(on="/files", delay_s=1.0)
    await scene.run(mia, "trainer train", dataset="set")
    await over(scene, "being sent")
    await scene.until(lambda: any(each.path.endswith("/files") for each in scene.chat.requests))
    message = next(each for each in scene.text.messages.values() if each.content.startswith("🎓"))
    assert "is cancelled" in (await (await mia.press(message, "Cancel")).answered()).content
    assert not scene.chat.tuning.jobs and len(scene.chat.tuning.deleted) == 1
    await untouched(scene, trainer)


async def test_nothing_is_sent_without_a_route_enough_examples_a_channel_and_consent(scene, trainer):
    mia = await started(scene, trainer, count=5)
    ada = await scene.person()
    assert "want 10 at least" in await scene.run(mia, "trainer train", dataset="set")
    assert "Manage Server" in await scene.run(ada, "trainer train", dataset="set")
    reply = await trainer.asked(ada, "hello", "Hi.")
    await trainer.correct(ada, reply, "Hello.")
    assert "may go out" in await scene.run(mia, "trainer train", dataset="corrections")
    section = trainer.training.section
    jobs = trainer.training.jobs
    jobs._section = section.model_copy(update={"fine_tune_route": ""})
    assert "[trainer] fine_tune_route" in plain(await scene.run(mia, "trainer train", dataset="set"))
    jobs._section = section.model_copy(update={"base_model": ""})
    assert "Name the model" in await scene.run(mia, "trainer train", dataset="set")
    scene.strip_bot()
    everyone = scene.guild.roles[scene.guild.id]
    scene.world.set_overwrite(scene.text, everyone, deny=Permission.SEND_MESSAGES)
    assert "may not write in this channel" in await scene.run(mia, "trainer train", dataset="set")
    assert not [each for each in scene.chat.requests if each.path.endswith("/files")]


async def test_who_refuses_while_a_job_trains_with_their_words_ends_it_and_deletes_its_files(scene, trainer):
    tuner = {"base_url": scene.chat.base_url, "model": "gpt-small", "retries": 0}
    await trainer.start(routes={"tuner": tuner}, fine_tune_route="tuner", base_model="b", test_share=0.0)
    mia, ada = await trainer.manager(), await scene.person()
    await trainer.agree(ada)
    for number in range(10):
        await trainer.correct(ada, await trainer.asked(ada, f"question {number}", "x"), f"answer {number}")
    scene.chat.tuning.held = True
    await scene.run(mia, "trainer train", dataset="corrections")
    await over(scene, "running")
    assert "to a provider on" in await scene.run(ada, "privacy status")
    told = await scene.run(ada, "privacy opt-out", what="trained on")
    assert "1 jobs that were training with your words are cancelled" in told
    assert next(iter(scene.chat.tuning.jobs.values())).status == "cancelled"
    assert not scene.chat.tuning.files and len(scene.chat.tuning.deleted) == 1


async def test_what_cannot_be_deleted_at_the_provider_is_told_and_owed(scene, trainer):
    tuner = {"base_url": scene.chat.base_url, "model": "gpt-small", "retries": 0}
    await trainer.start(routes={"tuner": tuner}, fine_tune_route="tuner", base_model="b", test_share=0.0)
    mia, ada = await trainer.manager(), await scene.person()
    await trainer.agree(ada)
    for number in range(10):
        await trainer.correct(ada, await trainer.asked(ada, f"question {number}", "x"), f"answer {number}")
    scene.chat.always(on="/files/file-loopback0001", status=500)
    await scene.run(mia, "trainer train", dataset="corrections")
    assert "still at the provider" in await over(scene, "done")
    told = await scene.run(ada, "privacy delete")
    assert "are still at the provider" in told and "does not unlearn" in told and "try again" in told
    scene.chat.always(on="/files/file-loopback0001", status=200)
    again = await scene.run(ada, "privacy delete")
    assert "are deleted there" in again and not scene.chat.tuning.files


async def test_training_and_testing_give_way_to_a_voice_session(scene, trainer):
    mia = await started(scene, trainer, cogs=("cogs.voice", *COGS))
    await mia.join(scene.voice)
    assert "I am in" in await scene.run(mia, "voice join")
    assert "while I am in a voice channel" in await scene.run(mia, "trainer train", dataset="set")
    assert "while I am in a voice channel" in await scene.run(mia, "trainer test", dataset="set")
    await scene.run(mia, "voice leave")
    assert "is sent to the provider" in await scene.run(mia, "trainer train", dataset="set")
    await over(scene, "done")

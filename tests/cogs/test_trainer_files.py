"""Data sets leave as files, and come in as files, over a Discord on localhost."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from core.training.reading import read
from loopback.services.chat_tuning import check_lines
from tests.cogs.sounds import wav
from tests.cogs.test_sent_sound import needs_model, spoken
from tests.cogs.trainer_scene import TrainerScene, plain

LINE = json.dumps({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]})
SECRET_VALUE = "correct-horse-battery"


@pytest.fixture
def trainer(scene) -> TrainerScene:
    return TrainerScene(scene)


async def judged(scene, trainer, *people):
    """Each asks something and corrects the answer."""
    for person in people:
        reply = await trainer.asked(person, f"I am {person.user.name}, capital of Australia?", "Sydney")
        await trainer.correct(person, reply, f"Canberra, {person.user.name}")


async def test_a_data_set_leaves_in_every_format_without_names_ids_and_secrets(scene, trainer):
    await trainer.start(environ={"SOME_API_KEY": SECRET_VALUE})
    ada, bob, mia = await scene.person("Ada"), await scene.person("Bob"), await trainer.manager()
    await trainer.agree(ada, bob)
    reply = await trainer.asked(
        ada, f"I am Ada <@{ada.user.id}>, ada@example.org, {SECRET_VALUE}, who is Bob?", "Sydney"
    )
    await trainer.correct(bob, reply, "A friend of Ada and Mia.")
    for form, keys in {
        "openai": {"messages"},
        "dpo": {"input", "preferred_output", "non_preferred_output"},
        "trl": {"prompt", "chosen", "rejected"},
        "kto": {"prompt", "completion", "label"},
    }.items():
        said, files = await trainer.file(mia, "trainer export", dataset="corrections", format=form, test_share=0.0)
        (name,) = files
        if form in ("openai", "dpo"):
            check_lines(files[name])  # as OpenAI looks through what is uploaded
        assert name == f"corrections.{form}.jsonl" and "left out" not in said.casefold()
        lines = files[name].decode().splitlines()
        assert all(set(json.loads(line)) == keys for line in lines)
        for hidden in ("Ada", "Bob", "Mia", str(ada.user.id), "example.org", SECRET_VALUE):
            assert hidden not in files[name].decode()
        assert "A friend of PERSON_1 and PERSON_" in files[name].decode()
        assert "stand for" in said
    _, files = await trainer.file(mia, "trainer file", name="corrections")
    (row,) = csv.DictReader(io.StringIO(files["corrections.csv.csv"].decode("utf-8-sig")))
    assert (row["source"], row["route"], row["model"]) == ("correction", "default", "stand-in")
    assert row["chosen"].startswith("A friend of PERSON_1")
    assert "to a provider" not in await scene.run(ada, "privacy status")
    assert "a file of a data set on" in await scene.run(ada, "privacy status")
    assert "cannot be called back" in await scene.run(ada, "privacy delete")


async def test_rows_of_people_who_have_not_agreed_never_leave(scene, trainer):
    await trainer.start()
    ada, bob, mia = await scene.person("Ada"), await scene.person("Bob"), await trainer.manager()
    reply = await trainer.asked(ada, "capital of Australia?", "Sydney")
    await trainer.correct(ada, reply, "Canberra")
    refused = await scene.run(mia, "trainer export", dataset="corrections", format="openai")
    assert "may go out" in refused and "/privacy opt-in what:trained on" in refused
    await trainer.agree(ada)
    await trainer.correct(bob, reply, "Canberra, of course")  # Bob's words: he has not agreed
    said, files = await trainer.file(mia, "trainer export", dataset="corrections", format="openai", test_share=0.0)
    assert len(files["corrections.openai.jsonl"].splitlines()) == 1
    assert "1 hold words of people who have not agreed" in said
    shown = await scene.run(mia, "trainer dataset show", name="corrections")
    assert "of course" not in shown and "1 may be handed out" in shown
    await trainer.agree(ada, decision=None)
    assert "may go out" in await scene.run(mia, "trainer export", dataset="corrections", format="openai")


async def test_who_takes_their_agreement_back_while_the_file_is_made_is_not_in_it(scene, trainer, monkeypatch):
    await trainer.start()
    ada, mia = await scene.person("Ada"), await trainer.manager()
    await trainer.agree(ada)
    await judged(scene, trainer, ada)
    lane = scene.runtime.workers.strangers
    run = lane.run

    async def slow(*args, **options):
        made = await run(*args, **options)
        await trainer.agree(ada, decision=None)
        return made

    monkeypatch.setattr(lane, "run", slow)
    said, files = await trainer.file(mia, "trainer export", dataset="corrections", format="openai")
    assert "took back their agreement" in said and not files
    assert "handed out" not in await scene.run(ada, "privacy delete")


async def test_a_split_makes_two_files_and_the_same_seed_the_same(scene, trainer):
    await trainer.start()
    mia = await trainer.manager()
    line = {"prompt": "", "completion": "", "label": True}
    rows = [json.dumps(line | {"prompt": f"question {n}", "completion": f"answer {n}"}) for n in range(60)]
    upload = ("set.jsonl", "\n".join([*rows, rows[0]]).encode(), "application/json")
    assert "61 examples were read into “set”" in await scene.run(mia, "trainer import", file=upload)
    options = {"dataset": "set", "format": "openai", "test_share": 0.3, "seed": 7}
    said, files = await trainer.file(mia, "trainer export", **options)
    train, test = files["set.train.openai.jsonl"], files["set.test.openai.jsonl"]
    assert not set(train.splitlines()) & set(test.splitlines())
    assert len(train.splitlines()) + len(test.splitlines()) == 60 and len(test.splitlines()) > 5
    assert "1 are there twice" in said
    assert (await trainer.file(mia, "trainer export", **options))[1] == files
    assert (await trainer.file(mia, "trainer export", **options | {"seed": 8}))[1] != files


async def test_what_was_exported_is_imported_again_with_where_it_came_from(scene, trainer):
    await trainer.start()
    ada, mia = await scene.person("Ada"), await trainer.manager()
    await trainer.agree(ada)
    await judged(scene, trainer, ada)
    for form in ("openai", "dpo", "trl", "csv"):
        _, files = await trainer.file(mia, "trainer export", dataset="corrections", format=form, test_share=0.0)
        ((name, data),) = files.items()
        told = await scene.run(mia, "trainer import", file=(name, data, "text/plain"), dataset="corrections")
        assert "read into “corrections”" in told
        _, again = await trainer.file(mia, "trainer export", dataset="corrections", format=form, test_share=0.0)
        assert read(data, 2**20, 99)[0] in read(again[name], 2**20, 99)
        assert (await trainer.examples())[-1].source == f"import of {name}"
        assert (await trainer.examples())[-1].by_id == mia.user.id


async def test_files_of_strangers_are_refused_by_line_and_leave_nothing(scene, trainer):
    await trainer.start(max_import_mb=0.01, max_examples=5)
    mia = await trainer.manager()

    async def told(data: bytes, **options) -> str:
        upload = ("x.jsonl", data, "application/json")
        return plain(await scene.run(mia, "trainer import", file=upload, **options))

    assert "Line 2: message 1 has the role “wizard”" in await told(
        f'{LINE}\n{{"messages": [{{"role": "wizard", "content": "@everyone"}}]}}'.encode()
    )
    assert "at most 0.01 MB" in await told(b"x" * 20_000)
    assert "more than 5" in await told("\n".join([LINE] * 6).encode())
    assert "UTF-8" in await told(b"\xff\xfe\xff")
    assert "no data set" in await told(LINE.encode(), dataset="nowhere")
    assert await trainer.training.data_sets.list(scene.guild.id) == []
    assert "1 example was read" in await told(LINE.encode())
    assert "more than the 5" in await told("\n".join([LINE] * 5).encode(), dataset="x")
    assert len(await trainer.examples("x")) == 1


async def test_what_does_not_fit_is_packed_and_what_still_does_not_is_told(scene, trainer, monkeypatch):
    await trainer.start()
    mia = await trainer.manager()
    rows = [json.dumps({"prompt": f"question {n}", "completion": "word " * 200, "label": True}) for n in range(30)]
    await scene.run(mia, "trainer import", file=("big.jsonl", "\n".join(rows).encode(), "text/plain"))
    monkeypatch.setattr("loopback.interactions.payload.ATTACHMENT_SIZE_LIMIT", 5_000)
    said, files = await trainer.file(mia, "trainer file", name="big")
    ((name, data),) = files.items()
    assert name == "big.csv.csv.gz" and "packed" in said and len(read(data, 2**20, 99)) == 30
    monkeypatch.setattr("loopback.interactions.payload.ATTACHMENT_SIZE_LIMIT", 100)
    said, files = await trainer.file(mia, "trainer file", name="big")
    assert not files and "can be sent here, packed or not" in said


async def test_the_versions_of_the_instruction_are_sent_as_a_file(scene, trainer):
    await trainer.start()
    mia = await trainer.manager()
    assert "No instruction was ever set" in await scene.run(mia, "trainer file", name="instruction")
    await scene.run(mia, "trainer instruction", text="Be kind.")
    await scene.run(mia, "trainer instruction", text="Be brief.")
    await scene.run(mia, "trainer instruction", undo=True)
    _, files = await trainer.file(mia, "trainer file", name="instruction")
    text = files["instruction.txt"].decode()
    assert "Be kind." in text and "Be brief." in text and "taken back" in text
    names = [each["name"] for each in await mia.autocomplete(scene.text, "trainer file", "name", "inst")]
    assert names == ["instruction"]


@needs_model
async def test_what_is_said_in_a_sound_file_becomes_a_question_with_its_answer(scene, trainer, tmp_path):
    await trainer.start(hearing={"answer": "never"})
    mia = await trainer.manager()
    sound = ("question.wav", wav(await spoken("What is the capital of Australia?")), "audio/x-wav")
    assert "1 example was read into “question”" in await scene.run(
        mia, "trainer import", file=sound, answer="Canberra", timeout=60
    )
    (example,) = await trainer.examples("question")
    assert "capital" in example.messages[0].content.casefold() and example.chosen == "Canberra"
    assert (example.source, dict(example.people)) == ("sound file", {mia.user.id: "Mia"})
    assert "may go out" in await scene.run(mia, "trainer export", dataset="question", format="openai")
    await scene.runtime.privacy.decide(mia.user.id, "out", ["heard"])
    assert "asked not to be heard" in await scene.run(mia, "trainer import", file=sound, answer="Canberra")


async def test_a_sound_needs_a_recogniser_and_an_answer(scene, trainer):
    await trainer.start()
    mia = await trainer.manager()
    sound = ("question.ogg", b"OggS", "audio/ogg")
    assert "give it as `answer`" in await scene.run(mia, "trainer import", file=sound)
    assert "without a recogniser" in await scene.run(mia, "trainer import", file=sound, answer="Canberra")


async def test_only_who_manages_the_server_hands_data_sets_out_or_reads_files(scene, trainer):
    await trainer.start()
    ada = await scene.person()
    upload = ("x.jsonl", LINE.encode(), "application/json")
    for command, options in (
        ("trainer export", {"dataset": "x", "format": "csv"}),
        ("trainer file", {"name": "x"}),
        ("trainer import", {"file": upload}),
    ):
        assert "Manage Server" in await scene.run(ada, command, **options)


HOSTILE = "[nitro](https://evil.example) @everyone `x` \n# evil.example"
LIVE = re.compile(r"(?<!\\)\]\(|(?<!\\)://evil|@everyone|^#{1,3} .*evil", re.MULTILINE)


async def test_whatever_names_texts_and_files_say_no_message_of_ours_holds_their_markup(scene, trainer):
    tuner = {"base_url": scene.chat.base_url, "model": "small", "retries": 0}
    await trainer.start(routes={"tuner": tuner}, fine_tune_route="tuner")
    mia = await trainer.manager()
    rows = [json.dumps({"prompt": f"{n} {HOSTILE}", "completion": HOSTILE, "label": True}) for n in range(30)]
    bad = json.dumps({"messages": [{"role": HOSTILE, "content": "x"}]})
    said = [
        await scene.run(mia, "trainer dataset create", name=HOSTILE[:60]),
        await scene.run(mia, "trainer import", file=("@everyone.jsonl", "\n".join(rows).encode(), "text/plain")),
        await scene.run(mia, "trainer import", file=("x.jsonl", bad.encode(), "text/plain")),
        await scene.run(mia, "trainer instruction", text=HOSTILE),
        await scene.run(mia, "trainer instruction"),
        await scene.run(mia, "trainer dataset list"),
        await scene.run(mia, "trainer dataset show", name=HOSTILE[:60]),
        await scene.run(mia, "trainer dataset show", name="nowhere [x](https://evil.example)"),
        await scene.run(mia, "trainer route", name=HOSTILE[:50]),
        await scene.run(mia, "trainer test", dataset=HOSTILE[:60], route=HOSTILE[:50]),
        await scene.run(mia, "trainer archive"),
    ]
    named = (await trainer.training.data_sets.list(scene.guild.id))[-1].kept.name
    said += [await scene.run(mia, "trainer dataset show", name=named)]
    scene.chat.tuning.fails = HOSTILE
    said += [await scene.run(mia, "trainer train", dataset=named, base=HOSTILE[:50])]
    assert "is sent" in said[-1]
    await scene.until(lambda: any("failed" in text for text in scene.notices()))
    said += scene.notices()
    assert [text for text in said if LIVE.search(text)] == []

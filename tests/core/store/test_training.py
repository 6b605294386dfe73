"""Answers, data sets and what left of them, on every database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest_asyncio

from core.privacy.mentions import cleaner
from core.store.base import Base
from core.store.store import Store
from core.store.training_answers import AnswersRepository
from core.store.training_records import (
    InstructionsRepository,
    TrainingHandout,
    TrainingJob,
    TrainingJobsRepository,
)
from core.store.training_sets import SetsRepository
from core.store.training_values import Answer, Example, Line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
LATER = AT + timedelta(days=1)
ADA, BOB, GUILD = 734_512_889_100_234_567, 734_512_889_100_234_999, 712_512_889_100_000_001
LINES = (Line("system", "You are Parley."), Line("user", "I am 100% sure\\_", "Ada"))
ANSWER = Answer(GUILD, 5, "5/x", "t1", LINES, "Ada, are you? \ud83d", "default", "m", 0.5, AT, {ADA: "Ada"}, (11, 12))
EXAMPLE = Example(GUILD, "5/x", LINES, "correction", AT, "yes", "no", "note", 1, BOB, "default", "m", 0.5, {ADA: "Ada"})


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    lite = request.param == "sqlite"
    store = Store(f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}" if lite else request.getfixturevalue("postgres"))
    await store.open()
    yield store
    async with store.transaction() as session:
        for table in reversed(Base.metadata.sorted_tables):
            if table.name.startswith("training_"):
                await session.execute(table.delete())
    await store.close()


async def test_an_answer_is_found_by_each_of_its_messages_as_it_was(store):
    answers = AnswersRepository(store)
    number = await answers.add(ANSWER)
    wanted = replace(ANSWER, id=number, reply="Ada, are you? \ufffd")
    assert await answers.of_message(11) == await answers.of_message(12) == await answers.get(number) == wanted
    assert await answers.of_message(13) is None
    assert await answers.newest_of("5/") == ("5/x", AT)
    assert await answers.newest_of("6/") is None
    assert (await answers.count(GUILD), await answers.count(4)) == (1, 0)
    assert await answers.forget_before(AT) == 0
    assert await answers.forget_before(LATER) == 1
    assert await answers.of_message(11) is None


async def test_a_deletion_takes_what_holds_somebodys_words_and_their_name_out_of_the_rest(store):
    answers, sets = AnswersRepository(store), SetsRepository(store)
    await answers.add(ANSWER)
    other = await answers.add(replace(ANSWER, people={BOB: "Bob"}, message_ids=(21,), messages=(Line("user", "hi"),)))
    kept = await sets.create(GUILD, "Ada's", ADA, AT, selected=True)
    await sets.add(kept.id, [EXAMPLE, replace(EXAMPLE, people={BOB: "Bob"}, by_id=ADA), replace(EXAMPLE, at=LATER)])
    clean = cleaner(ADA, ["Ada", "100%"])
    words = [str(ADA), "Ada", "100%", "_"]
    assert await answers.delete_person(ADA, clean, words, AT) == 1
    assert (await answers.get(other)).reply == "somebody, are you? \ufffd"
    assert await sets.delete_person(ADA, clean, words, AT) == 1
    left, later = await sets.examples(kept.id)
    assert (left.by_id, left.messages[1]) == (None, Line("user", "I am somebody sure\\_", "somebody"))
    assert (later.at, later.people) == (LATER, {ADA: "Ada"})
    assert [(each.name, each.made_by) for each in await sets.all(GUILD)] == [("somebody's", None)]


async def test_one_data_set_is_selected_and_archives_keep_everything(store):
    sets = SetsRepository(store)
    one = await sets.create(GUILD, "one", BOB, AT, selected=True)
    two = await sets.create(GUILD, "two", BOB, AT, selected=True)
    theirs = await sets.create(GUILD + 1, "one", BOB, AT, selected=True)
    await sets.add(one.id, [replace(EXAMPLE, note=str(number)) for number in range(450)])
    assert [each.selected for each in await sets.all(GUILD)] == [False, True]
    assert await sets.counts(GUILD) == {one.id: 450}
    assert [each.note for each in await sets.examples(one.id)] == [str(number) for number in range(450)]
    assert len(await sets.people(one.id)) == 450
    assert [each.id for each in await sets.archive(GUILD, LATER)] == [one.id, two.id]
    assert await sets.archive(GUILD, LATER) == []
    assert (await sets.named(GUILD, "ONE")).archived_at == LATER
    await sets.select(one)
    assert [(each.selected, each.archived_at) for each in await sets.all(GUILD)] == [(True, None), (False, LATER)]
    assert [each.selected for each in await sets.all(theirs.guild_id)] == [True]
    assert (await sets.judged(1, BOB)).note == "449"
    assert await sets.delete(one.id) == 450
    assert [each.id for each in await sets.all(GUILD)] == [two.id]


async def test_versions_of_an_instruction_are_undone_one_by_one(store):
    written = InstructionsRepository(store)
    for text in ("first", "second", ""):
        await written.add(GUILD, text, BOB, AT)
    assert await written.current() == {GUILD: ""}
    assert await written.undo(GUILD, LATER) and await written.current() == {GUILD: "second"}
    assert await written.add(GUILD, "third", BOB, AT) == 4
    assert [each.version for each in await written.versions(GUILD)] == [4, 3, 2, 1]
    for _ in range(3):
        assert await written.undo(GUILD, LATER)
    assert not await written.undo(GUILD, LATER) and await written.current() == {}


async def test_jobs_and_what_left_are_kept(store):
    jobs = TrainingJobsRepository(store)
    job = TrainingJob(GUILD, 5, "one", "dpo", "tuner", "base", BOB, AT)
    job = replace(job, id=await jobs.add(job))
    now = replace(job, state="succeeded", file_ids=("f1", "f2"), provider_id="p", model="ft:x", ended_at=LATER)
    await jobs.save(now)
    assert await jobs.all(GUILD) == await jobs.all() == [now]
    note = await jobs.handed_out(TrainingHandout(GUILD, "one", "dpo", BOB, AT, job.id), [ADA, ADA, BOB])
    assert [each.id for each in await jobs.handouts_of(ADA)] == [note]
    await jobs.forget_person(ADA)
    assert await jobs.handouts_of(ADA) == [] and len(await jobs.handouts_of(BOB)) == 1
    await jobs.forget_handout(note)
    assert await jobs.handouts_of(BOB) == []
    await jobs.choose_route(GUILD, "tuned-1")
    await jobs.choose_route(GUILD, "tuned-2")
    assert await jobs.chosen_routes() == {GUILD: "tuned-2"}
    await jobs.choose_route(GUILD, None)
    assert await jobs.chosen_routes() == {}

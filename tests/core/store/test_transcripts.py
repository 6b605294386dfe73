from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from core.errors import StoreError
from core.privacy.mentions import cleaner
from core.store.base import Base
from core.store.recordings import RecordingRecord, RecordingsRepository
from core.store.search_text import Term, excerpt, parse, words_of
from core.store.store import Store
from core.store.transcripts import Spoken, TranscriptsRepository

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

START = datetime(2026, 11, 1, 20, 0, tzinfo=UTC)
ADA, BO = 734_512_889_100_234_567, 734_512_889_100_234_999


def said(words: str, *, by: int = ADA, at_s: float = 0.0, recording: str = "r1", **more: Any) -> Spoken:
    values = {"guild_id": 1, "channel_id": 2, "speaker": "Ada" if by == ADA else "Bo", **more}
    start = {"start_s": at_s, "end_s": at_s + 2, "said_at": START + timedelta(seconds=at_s)}
    return Spoken(recording_id=recording, user_id=by, text=words, **start, **values)


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    lite = request.param == "sqlite"
    url = f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}" if lite else request.getfixturevalue("postgres")
    store = Store(url)
    await store.open()
    recordings = RecordingsRepository(store)
    for name in ("r1", "r2"):
        await recordings.save(RecordingRecord(name, 1, 2, "Lounge", f"1/2/{name}", "finished", START))
    yield store
    for name in ("r1", "r2", "r3"):
        await recordings.delete(name)
    await store.close()


@pytest.fixture
def spoken(store: Store) -> TranscriptsRepository:
    return TranscriptsRepository(store)


async def found(repository: TranscriptsRepository, asked: str, **more: Any) -> list[str]:
    where = {"recording_ids": ["r1", "r2"], **more}
    hits, count = await repository.search(parse(asked), **where)
    assert count >= len(hits)
    return [hit.text for hit in hits]


async def test_the_migration_makes_the_table_the_code_uses(store: Store) -> None:
    def differences(connection: Any) -> list[object]:
        def include(_item: object, name: str | None, kind: str, *_rest: object) -> bool:
            return name == "transcript_segment" if kind == "table" else name != "ix_transcript_segment_words"

        options = {"include_object": include, "compare_type": False}
        return compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)

    async with store.transaction() as session:
        connection = await session.connection()
        assert await connection.run_sync(differences) == []


async def test_what_was_said_is_found_by_all_of_its_words_newest_first(spoken: TranscriptsRepository) -> None:
    await spoken.replace("r1", ADA, [said("The budget is fine."), said("A budget for the moon?", at_s=60)])
    await spoken.replace("r1", BO, [said("No moon, no stars.", by=BO, at_s=30)])
    assert await found(spoken, "budget") == ["A budget for the moon?", "The budget is fine."]
    assert await found(spoken, "moon BUDGET") == ["A budget for the moon?"]
    assert await found(spoken, "moon", user_id=BO) == ["No moon, no stars."]
    assert await found(spoken, "moon", since=START + timedelta(seconds=45)) == ["A budget for the moon?"]
    assert await found(spoken, "budget", limit=1, offset=1) == ["The budget is fine."]
    assert await found(spoken, "moo") == []
    assert len(await found(spoken, "moo*")) == 2
    assert await found(spoken, "stars", recording_ids=[]) == []
    assert await found(spoken, "stars", recording_ids=["r2"]) == []
    assert await found(spoken, "stars", recording_ids=["r1", *map(str, range(50_000))]) == ["No moon, no stars."]


async def test_a_phrase_is_found_as_one(spoken: TranscriptsRepository) -> None:
    await spoken.replace("r1", ADA, [said("we ship on Friday"), said("on Friday we rest", at_s=9)])
    assert await found(spoken, '"ship on friday"') == ["we ship on Friday"]
    assert await found(spoken, "“we rest") == ["on Friday we rest"]
    assert await found(spoken, '"friday ship"') == []


@pytest.mark.parametrize(
    ("spoken_words", "asked"),
    [
        ("Das Café in Zürich", "cafe zurich"),
        ("Das Cafe", "CAFÉ"),
        ("今日は会議があります", "会議"),
        ("我们明天讨论预算", "预算"),
        ("ガソリンは高い", "ガソリン"),
        ("ไปกินข้าวกัน", "ข้าว"),
        ("한국어 회의록", "회의록"),
        ("Привет, мир", "ПРИВЕТ"),
        ("क्या हाल है", "हाल"),
        ("version 2.5 of it", "2.5"),
        ("don't panic", "don't"),
        ("O'Neil said rock-n-roll", "rock-n-roll"),
        ("a fullwidth ＡＢＣ", "abc"),
    ],
)
async def test_scripts_and_accents(spoken: TranscriptsRepository, spoken_words: str, asked: str) -> None:
    await spoken.replace("r1", ADA, [said(spoken_words), said("something else", at_s=5)])
    assert await found(spoken, asked) == [spoken_words]


@pytest.mark.parametrize(
    "asked",
    ['"', '""', '"a', "*", "**", "a*b", "NEAR(a b)", "a NEAR b", "AND", "OR NOT", "-a", "a:b", "^a", "(", ")", "{a}:b",
     "🦊", "'", "''", "\\", "%", "_", "\x00", "a\x00b", "\ud800", "a & b | !c", "<->", ":*", "a:*", "; DROP TABLE x", "'" * 300],
)  # fmt: skip
async def test_what_people_type_is_never_query_syntax(spoken: TranscriptsRepository, asked: str) -> None:
    await spoken.replace("r1", ADA, [said("a b and near not or drop table x c")])
    assert len(await found(spoken, asked)) <= 1


async def test_whatever_people_type_only_finds_or_does_not(spoken: TranscriptsRepository) -> None:
    await spoken.replace("r1", ADA, [said("a b")])

    tried: list[str] = []

    @settings(max_examples=150, database=None)
    @given(st.text(max_size=40))
    def collect(asked: str) -> None:
        tried.append(asked)

    collect()
    for asked in tried:
        await found(spoken, asked)


@given(st.text())
def test_what_was_said_is_found_by_each_of_its_words(words: str) -> None:
    for word in words_of(words):
        assert words_of(word) == [word]
        assert all(unicodedata.category(each)[0] in "LNM" for each in word)


async def test_saying_it_anew_replaces_what_one_person_said(spoken: TranscriptsRepository) -> None:
    await spoken.replace("r1", ADA, [said("old words")])
    await spoken.replace("r1", BO, [said("other words", by=BO)])
    await spoken.replace("r1", ADA, [said("new words", at_s=number) for number in range(1200)])
    assert await found(spoken, "old") == []
    assert (await spoken.search(parse("words"), recording_ids=["r1", "r2"]))[1] == 1201
    with pytest.raises(StoreError):
        await spoken.replace("unknown", ADA, [said("x", recording="unknown")])


async def test_with_a_recording_goes_what_was_said_on_it(spoken: TranscriptsRepository, store: Store) -> None:
    await spoken.replace("r1", ADA, [said("alpha")])
    await spoken.replace("r2", ADA, [said("alpha", recording="r2")])
    await RecordingsRepository(store).delete("r1")
    hits, count = await spoken.search(parse("alpha"), recording_ids=["r1", "r2"])
    assert [hit.recording_id for hit in hits] == ["r2"]
    assert count == 1
    await spoken.delete_recording("r2")
    assert await found(spoken, "alpha") == []


async def test_who_is_deleted_is_in_no_row_and_no_index(spoken: TranscriptsRepository, store: Store) -> None:
    await spoken.replace("r1", ADA, [said("xylophone secret")])
    await spoken.replace("r1", BO, [said("Zebedee told me", by=BO), said("Zebedees are many", by=BO, at_s=3)])
    await spoken.replace("r2", BO, [said("Zebedee, a fish", by=BO, recording="r2")])
    await RecordingsRepository(store).save(
        RecordingRecord("r3", 1, 2, "Lounge", "1/2/r3", "finished", START + timedelta(hours=1))
    )
    later = said("xylophone again", at_s=5000, recording="r3")
    await spoken.add([later])
    gone = await spoken.delete_person(ADA, START + timedelta(seconds=10), cleaner(ADA, {"Zebedee"}))
    assert gone == 1
    assert await found(spoken, "secret") == []
    assert await spoken.of_person(ADA) == [later]
    assert [each.text for each in await spoken.of_recording("r1")][:2] == ["somebody told me", "Zebedees are many"]
    assert await found(spoken, "somebody") == ["somebody told me"]
    assert await found(spoken, "zebedee") == ["Zebedee, a fish"]  # a recording that they are not on
    await store.scrub()
    if store._file is not None:
        data = store._file.read_bytes()
        assert b"secret" not in data
        assert b"Zebedee told" not in data
        async with store.transaction() as session:
            await session.execute(text("INSERT INTO transcript_words(transcript_words) VALUES ('integrity-check')"))


async def test_a_speaker_gets_another_name(spoken: TranscriptsRepository) -> None:
    await spoken.replace("r1", ADA, [said("one", speaker="Ada (1)"), said("two", speaker="Ada (2)", at_s=4)])
    await spoken.rename("r1", ADA, "Ada (2)", "Grace")
    assert [each.speaker for each in await spoken.of_recording("r1")] == ["Ada (1)", "Grace"]


def test_excerpts_are_cut_at_words_around_what_was_found() -> None:
    long = " ".join(f"word{number}" for number in range(200))
    cut = excerpt(long, parse("word150"))
    assert "word150" in cut
    assert cut.startswith("…word")
    assert cut.endswith("…")
    assert len(cut) < 220
    assert excerpt("short", parse("x")) == "short"
    assert "会議" in excerpt("あ" * 400 + "会議" + "い" * 400, parse("会議"))


def test_terms_are_words_and_phrases() -> None:
    assert parse('Hello "big World" be* 🦊 *') == (Term(("hello",)), Term(("big", "world")), Term(("be",), prefix=True))
    assert parse("🦊 !!") == ()
    assert len(parse(" ".join(str(number) for number in range(1000)))) <= 16

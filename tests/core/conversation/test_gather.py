"""Bursts become one prompt; a finished sentence does not wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from core.conversation.asked import Asked, Author
from core.conversation.gather import Gather
from core.conversation.turn import Prompt

if TYPE_CHECKING:
    from collections.abc import Sequence


def said(text: str, author: int = 1, conversation: int = 7) -> Asked:
    prompt = Prompt(conversation, 3, conversation, author, "Ada", text)
    return Asked("written", prompt, (Author(author),), None)  # type: ignore[arg-type] - nobody is answered


def text_of(burst: Sequence[Asked]) -> str:
    return "\n".join(asked.prompt.text for asked in burst)


@pytest.fixture
async def gathered(clock):
    got: list[tuple[float, str]] = []

    async def take(burst: Sequence[Asked]) -> None:
        got.append((clock.monotonic(), text_of(burst)))

    gather = Gather(take, clock, idle_s=1.0, max_s=4.0)
    gather.got = got  # type: ignore[attr-defined]
    yield gather
    await gather.flush()


async def test_a_finished_sentence_goes_on_at_once(gathered) -> None:
    await gathered.add(said("How are you?"))
    assert gathered.got == [(0.0, "How are you?")]


async def test_lines_of_one_thought_become_one_prompt(gathered, clock) -> None:
    for line in ("hey", "so I was thinking", "what about tea"):
        await gathered.add(said(line))
        await clock.advance(0.5)
    assert gathered.got == []
    await clock.advance(1.0)
    assert [text for _, text in gathered.got] == ["hey\nso I was thinking\nwhat about tea"]


async def test_a_sentence_that_ends_the_burst_ends_the_waiting(gathered, clock) -> None:
    await gathered.add(said("hey"))
    await clock.advance(0.3)
    await gathered.add(said("what time is it?"))
    await clock.advance(0.01)
    assert gathered.got == [(pytest.approx(0.3, abs=0.02), "hey\nwhat time is it?")]


async def test_typing_keeps_the_burst_open_but_not_for_ever(gathered, clock) -> None:
    await gathered.add(said("hey"))
    for _ in range(12):
        await clock.advance(0.5)
        gathered.typing(7, 1)
    assert gathered.got == [(pytest.approx(4.0, abs=0.6), "hey")]


async def test_other_people_and_other_channels_do_not_mix(gathered, clock) -> None:
    await gathered.add(said("from Ada", author=1))
    await gathered.add(said("from Bob", author=2))
    await gathered.add(said("elsewhere", author=1, conversation=8))
    await clock.advance(1.1)
    assert sorted(text for _, text in gathered.got) == ["elsewhere", "from Ada", "from Bob"]


async def test_flushing_delivers_what_waits(gathered) -> None:
    await gathered.add(said("hey"))
    await gathered.flush()
    assert gathered.got == [(0.0, "hey")]


async def test_a_delivery_that_has_begun_is_never_cut_short(clock) -> None:
    got: list[str] = []

    async def slow(burst: Sequence[Asked]) -> None:
        await clock.sleep(5)
        got.append(text_of(burst))

    gather = Gather(slow, clock, idle_s=1.0, max_s=4.0)
    await gather.add(said("first line"))
    await clock.advance(1.5)
    flushing = asyncio.create_task(gather.flush())
    await clock.advance(5)
    await flushing
    assert got == ["first line"]


async def test_after_it_is_closed_nothing_waits_any_more(gathered, clock) -> None:
    await gathered.close()
    await gathered.add(said("a late line"))
    assert [text for _, text in gathered.got] == ["a late line"]


async def test_what_a_deleted_person_is_still_writing_is_never_delivered(gathered, clock) -> None:
    await gathered.add(said("my secret", author=1))
    await gathered.add(said("and Bob's", author=2))
    assert [asked.prompt.text for asked in gathered.of(1)] == ["my secret"]
    assert gathered.drop(1) == 1
    await clock.advance(2.0)
    assert [text for _, text in gathered.got] == ["and Bob's"]
    assert gathered.drop(1) == 0

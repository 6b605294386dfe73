"""Clauses are given when it is time: early first, not while much is queued, and soon when the model stalls."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from core.speech.chunking import Chunker
from core.speech.clause_feed import FLUSH_S, HOLD_S, ClauseFeed, Script
from core.speech.speakable import Speakable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class Model:
    """A model whose words come when the test says them."""

    def __init__(self) -> None:
        self._words: asyncio.Queue[str | Exception | None] = asyncio.Queue()

    def say(self, words: str | Exception | None) -> None:
        self._words.put_nowait(words)

    async def stream(self) -> AsyncIterator[str]:
        while (words := await self._words.get()) is not None:
            if isinstance(words, Exception):
                raise words
            yield words


class Desk:
    """A feed whose pieces are taken as soon as it gives them."""

    def __init__(self, clock: Any) -> None:
        self.model = Model()
        self.queued_s = 0.0
        self.taken: list[str | None] = []
        self.script = Script(self.model.stream(), Speakable())
        self.feed = ClauseFeed(self.script, Chunker(), queued_s=lambda: self.queued_s, enough_s=5.0, clock=clock)
        self._taking = asyncio.ensure_future(self._take())
        self.script.start()

    async def _take(self) -> None:
        while (piece := await self.feed.next()) is not None:
            self.taken.append(piece)
        self.taken.append(None)

    async def close(self) -> None:
        self._taking.cancel()
        await self.script.close()


@pytest.fixture
async def desk(clock: Any) -> AsyncIterator[Desk]:
    desk = Desk(clock)
    yield desk
    await desk.close()


async def test_the_first_clause_comes_before_the_text_is_complete(desk: Desk, clock: Any) -> None:
    desk.model.say("Hello there, my ")
    await clock.advance(0.05)
    assert desk.taken == ["Hello there, "]


async def test_a_slow_models_words_are_spoken_after_a_moment(desk: Desk, clock: Any) -> None:
    desk.model.say("Let me think")
    await clock.advance(FLUSH_S - 0.1)
    assert desk.taken == []
    await clock.advance(0.2)
    assert desk.taken == ["Let me "], "the last word may still grow"
    desk.model.say("ing about it.")
    desk.model.say(None)
    await clock.advance(0.05)
    assert desk.taken == ["Let me ", "thinking about it.", None]


async def test_words_do_not_wait_forever_while_others_come_slowly(desk: Desk, clock: Any) -> None:
    for word in ["one", "two", "three", "four"]:
        desk.model.say(f"{word} ")
        await clock.advance(FLUSH_S + 0.1)
    assert "".join(piece or "" for piece in desk.taken).startswith("one two three ")


@pytest.mark.parametrize("last", ["$3", "3", "room 3", "€ 3", "$3.", "3,", "10–", "v1", "12:", "-5", "No."])
async def test_a_number_at_the_end_waits_half_a_second_and_no_longer(desk: Desk, clock: Any, last: str) -> None:
    desk.model.say("It is, I think, ")
    await clock.advance(FLUSH_S + 0.1)
    for character in last:
        desk.model.say(character)
        await clock.advance(0.01)
    await clock.advance(HOLD_S - 0.1)
    assert "".join(piece or "" for piece in desk.taken) in ("It is, I think, ", "It is, I think, room ")
    await clock.advance(0.12)
    assert "".join(piece or "" for piece in desk.taken) == f"It is, I think, {last}"
    desk.model.say(" or so.")
    desk.model.say(None)
    await clock.advance(0.05)
    assert "".join(piece or "" for piece in desk.taken) == f"It is, I think, {last} or so."


@pytest.mark.parametrize("last", ["$3", "3", "$3.", "10–"])
async def test_tokens_of_a_number_wait_half_a_second_and_no_longer(clock: Any, last: str) -> None:
    model = Model()
    script = Script(model.stream(), Speakable(), clock)
    script.start()
    given: list[str] = []

    async def listen() -> None:
        async for piece in script.deltas():
            given.append(piece)  # noqa: PERF401 - looked at while more comes

    listening = asyncio.ensure_future(listen())
    model.say("It is ")
    model.say(last)
    await clock.advance(HOLD_S - 0.1)
    assert "".join(given) == "It is "
    await clock.advance(0.15)
    assert "".join(given) == f"It is {last}"
    model.say(None)
    await clock.advance(0.05)
    assert listening.done()
    await script.close()


async def test_no_text_is_given_while_much_is_queued(desk: Desk, clock: Any) -> None:
    desk.model.say("Hello there, friend. ")
    await clock.advance(0.05)
    desk.queued_s = 6.0
    desk.model.say("A second sentence. A third one. And a fourth. ")
    await clock.advance(3)
    before = list(desk.taken)
    desk.queued_s = 4.0
    await clock.advance(0.2)
    assert len(desk.taken) == len(before) + 1
    assert desk.taken[-1] == "friend. A second sentence. A third one. ", "what came meanwhile goes as one piece"


async def test_a_clause_is_good_enough_when_the_queue_runs_low(desk: Desk, clock: Any) -> None:
    desk.model.say("Hello there. ")
    await clock.advance(0.05)
    desk.queued_s = 3.0
    desk.model.say("Now comes a sentence, a long one, that")
    await clock.advance(1)
    assert desk.taken == ["Hello there. "]
    desk.queued_s = 0.5
    await clock.advance(0.2)
    assert desk.taken[1] == "Now comes a sentence, a long one, "


async def test_pieces_without_a_letter_are_passed_over(desk: Desk, clock: Any) -> None:
    desk.model.say("!!! ?? \n")
    desk.model.say(None)
    await clock.advance(0.1)
    assert desk.taken == [None]


async def test_a_failing_source_is_remembered_after_its_text(desk: Desk, clock: Any) -> None:
    desk.model.say("Hello there, ")
    desk.model.say(RuntimeError("model broke"))
    await clock.advance(0.1)
    assert desk.taken == ["Hello there, ", None]
    assert isinstance(desk.script.error, RuntimeError)


async def test_a_script_can_be_read_again_from_anywhere(tokens: Callable[..., AsyncIterator[str]]) -> None:
    script = Script(tokens("one two three"))
    script.start()
    first = "".join([piece async for piece in script.deltas()])
    again = "".join([piece async for piece in script.deltas(4)])
    assert (first, again) == ("one two three ", "two three ")


async def test_closing_a_script_stops_its_source() -> None:
    stopped = asyncio.Event()

    async def endless() -> AsyncIterator[str]:
        try:
            while True:
                await asyncio.sleep(0)
                yield "word "
        finally:
            stopped.set()

    script = Script(endless())
    script.start()
    assert await script.sayable()
    await script.close()
    async with asyncio.timeout(30):
        await stopped.wait()


NUMBERS = [
    ["It is $3.", "50 now."],
    ["It is $", "3", ".", "5", "0 now."],
    ["About 1 ", "000 ", "000 people."],
    ["At 12:", "30 today."],
    ["Use v1.", "2.", "3 please."],
    ["Ask 192.", "168.", "0.", "1 there."],
    ["It is -", "5", ",", "5 % less."],
    ["On 2026-", "01-", "02 then."],
    ["Fruit, e.g.", " apples, is good."],
    ["The 2", "nd of May."],
]


@pytest.mark.parametrize("tokens", NUMBERS)
async def test_a_number_that_comes_slowly_is_not_torn(desk: Desk, clock: Any, tokens: list[str]) -> None:
    for token in tokens:
        desk.model.say(token)
        await clock.advance(0.45)
    desk.model.say(None)
    await clock.advance(1)
    assert "".join(piece or "" for piece in desk.taken).split() == "".join(tokens).split()
    number = max("".join(tokens).split(), key=lambda word: sum(map(str.isdigit, word)))
    words = [number] if number != "000" else ["1 000 000"]
    words += ["e.g. apples"] if "e.g." in "".join(tokens) else []
    assert all(any(word in (piece or "") for piece in desk.taken) for word in words), desk.taken


async def test_a_number_at_the_end_of_a_text_that_stalls_waits_half_a_second(desk: Desk, clock: Any) -> None:
    desk.model.say("It is about $3.")
    await clock.advance(0.45)
    assert desk.taken == ["It is about "]
    await clock.advance(0.1)
    assert desk.taken == ["It is about ", "$3."]


async def test_an_engine_that_takes_tokens_gets_whole_numbers(clock: Any) -> None:
    model = Model()
    script = Script(model.stream(), Speakable(), clock)
    script.start()
    given: list[str] = []

    async def read() -> None:
        given.extend([piece async for piece in script.deltas()])

    reading = asyncio.ensure_future(read())
    for token in ["It is $3.", "50 now, or 7", "."]:
        model.say(token)
        await clock.advance(0.3)
    await clock.advance(0.3)
    model.say(None)
    await clock.advance(0.1)
    await reading
    assert "".join(given) == "It is $3.50 now, or 7."
    assert not any(piece.endswith("3.") for piece in given)

"""Messages go to who takes them, wait for a cog that is away for a moment, and may be claimed before."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from core.bot.messages import KEEP_S, LIMIT, MessageRouter

if TYPE_CHECKING:
    from core.handles import Handle


class Desk:
    """A router, and what was taken."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.router = MessageRouter(clock)
        self.got: list[Any] = []

    def take(self) -> Handle:
        async def take(message: Any) -> None:
            self.got.append(message)

        return self.router.take(take)

    async def taken(self) -> list[Any]:
        await asyncio.sleep(0.01)  # what was kept is handed over by tasks
        got, self.got = self.got, []
        return got


@pytest.fixture
def desk(clock: Any) -> Desk:
    return Desk(clock)


async def test_who_takes_gets_each_message_at_once(desk: Desk) -> None:
    desk.take()
    await desk.router.put("one")
    await desk.router.put("two")
    assert desk.got == ["one", "two"]


async def test_what_came_in_between_goes_to_the_next_in_order(desk: Desk) -> None:
    desk.take().end()
    await desk.router.put("one")
    await desk.clock.advance(KEEP_S / 2)
    await desk.router.put("two")
    second = desk.take()
    assert await desk.taken() == ["one", "two"]
    second.end()
    desk.take()
    assert await desk.taken() == [], "each is handed over once"


async def test_nothing_is_kept_for_a_cog_that_never_was(desk: Desk) -> None:
    await desk.router.put("nobody cares")
    desk.take()
    assert await desk.taken() == []


async def test_a_cog_that_stays_away_gets_nothing_old(desk: Desk) -> None:
    desk.take().end()
    await desk.router.put("one")
    await desk.clock.advance(KEEP_S)
    await desk.router.put("two")
    desk.take()
    assert await desk.taken() == []


async def test_a_flood_in_between_keeps_the_newest(desk: Desk) -> None:
    desk.take().end()
    for number in range(LIMIT + 5):
        await desk.router.put(number)
    desk.take()
    assert await desk.taken() == list(range(5, LIMIT + 5))


async def test_the_handle_of_the_one_before_does_not_end_the_next(desk: Desk) -> None:
    old = desk.take()
    desk.take()
    old.end()
    await desk.router.put("one")
    assert desk.got == ["one"]


async def test_the_first_claim_has_the_message_and_an_ended_one_is_asked_no_more(desk: Desk) -> None:
    asked: list[str] = []

    def claim(name: str, answer: bool) -> Any:
        async def ask(message: Any) -> bool:
            del message
            asked.append(name)
            return answer

        return ask

    first = desk.router.add_claim(claim("first", True))
    desk.router.add_claim(claim("second", False), owner="somebody")
    assert await desk.router.claimed("a message")
    assert asked == ["first"]
    first.end()
    assert not await desk.router.claimed("a message")
    assert asked == ["first", "second"]
    desk.router.drop("somebody")
    assert not await desk.router.claimed("a message")
    assert asked == ["first", "second"]


async def test_nothing_that_was_kept_is_handed_over_after_closing(desk: Desk) -> None:
    desk.take().end()
    await desk.router.put("one")
    await desk.router.close()
    desk.take()
    assert await desk.taken() == []

"""Messages wait for a cog that is away for a moment, and only for a moment."""

from __future__ import annotations

import pytest

from core.bot.messages import KEEP_S, LIMIT, Inbox


@pytest.fixture
def inbox(clock):
    return Inbox(clock)


async def test_who_takes_gets_each_message_at_once(inbox):
    got = []

    async def take(message):
        got.append(message)

    assert inbox.open(take) == []
    await inbox.put("one")
    await inbox.put("two")
    assert got == ["one", "two"]


async def test_what_came_in_between_goes_to_the_next_in_order(inbox, clock):
    inbox.open(lambda _: None)
    inbox.shut()
    await inbox.put("one")
    await clock.advance(KEEP_S / 2)
    await inbox.put("two")
    assert inbox.open(lambda _: None) == ["one", "two"]
    inbox.shut()
    assert inbox.open(lambda _: None) == [], "each is handed over once"


async def test_nothing_is_kept_for_a_cog_that_never_was(inbox):
    await inbox.put("nobody cares")
    assert inbox.open(lambda _: None) == []


async def test_a_cog_that_stays_away_gets_nothing_old(inbox, clock):
    inbox.shut()
    await inbox.put("one")
    await clock.advance(KEEP_S)
    await inbox.put("two")
    assert inbox.open(lambda _: None) == []


async def test_a_flood_in_between_keeps_the_newest(inbox):
    inbox.shut()
    for number in range(LIMIT + 5):
        await inbox.put(number)
    assert inbox.open(lambda _: None) == list(range(5, LIMIT + 5))

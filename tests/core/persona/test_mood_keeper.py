"""Moods are kept apart by server and character, written down, and there again after a restart."""

from __future__ import annotations

import pytest

from core.config.persona import MoodsSection
from core.errors import PersonaError
from core.persona.mood_keeper import WRITE_AFTER_S, MoodKeeper
from core.persona.sheet import CharacterTable, MoodTable, Sheet
from core.store.persona import PersonaRepository

MOODS = [
    MoodTable(name="calm", weight=1, drift=0),
    MoodTable(name="cross", weight=0.2, drift=0, half_life_s=600, moved_by={"insult": 2.0}),
]
NYX = Sheet("nyx", CharacterTable(name="Nyx", moods=MOODS))
PLAIN = Sheet("plain", CharacterTable(name="Plain"))


@pytest.fixture
def make(store, clock):
    async def make(**keys) -> MoodKeeper:
        keeper = MoodKeeper(MoodsSection(**keys), PersonaRepository(store), clock)
        await keeper.open()
        return keeper

    return make


def feels(keeper, guild_id):
    mood = keeper.now(guild_id, NYX)
    return mood.name if mood else None


async def test_servers_and_direct_messages_never_share_a_mood(make):
    keeper = await make()
    assert keeper.said(1, NYX, "you idiot")
    assert [feels(keeper, place) for place in (1, 2, None)] == ["cross", "calm", "calm"]
    keeper.choose(None, NYX, "CROSS")
    assert [feels(keeper, place) for place in (1, 2, None)] == ["cross", "calm", "cross"]
    keeper.choose(1, NYX, None)
    assert feels(keeper, 1) == "calm"
    await keeper.close()


async def test_a_mood_survives_a_restart_and_fades_meanwhile(make, clock):
    keeper = await make()
    keeper.said(1, NYX, "you idiot")
    await clock.advance(WRITE_AFTER_S + 1)
    keeper.said(2, NYX, "you idiot")
    await keeper.close()
    again = await make()
    assert [feels(again, place) for place in (1, 2)] == ["cross", "cross"], "also what was not written yet"
    await clock.advance(600 * 8)
    late = await make()
    assert [feels(late, place) for place in (1, 2)] == ["calm", "calm"]
    await late.forget(1, "nyx")
    await again.close()
    await late.close()


async def test_what_carries_no_feeling_or_reaches_nobody_changes_nothing(make):
    keeper = await make()
    assert not keeper.said(1, NYX, "The train leaves at nine.")
    assert not keeper.said(1, PLAIN, "you idiot")
    assert keeper.now(1, PLAIN) is None
    deaf = await make(by_words=False)
    assert not deaf.said(1, NYX, "you idiot")
    off = await make(enabled=False)
    assert feels(off, 1) is None
    with pytest.raises(PersonaError, match="switched off"):
        off.choose(1, NYX, "cross")
    with pytest.raises(PersonaError, match=r"has no mood “jolly”. Its moods are: calm, cross"):
        keeper.choose(1, NYX, "jolly")


async def test_a_database_that_is_away_loses_no_mood(make, store, clock):
    keeper = await make()
    await store.close()
    keeper.said(1, NYX, "you idiot")
    await clock.advance(WRITE_AFTER_S + 1)
    assert feels(keeper, 1) == "cross"
    await store.open()
    await clock.advance(WRITE_AFTER_S * 8)
    await keeper.close()
    assert feels(await make(), 1) == "cross"

"""What is observed is kept, found and forgotten alike on SQLite and PostgreSQL, and no profile outlives its messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest_asyncio

from core.store.observed import Observed, ObservedRepository, unchanged
from core.store.persona_channels import PersonaChannel, PersonaChannelsRepository
from core.store.profiles import ProfileKey, ProfilesRepository, StoredProfile
from core.store.spending import Spending, SpendingRepository
from core.store.store import Store

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
ADA, BEN, HERE, THERE = 2**62 + 1, 2**62 + 2, 2**61 + 1, 2**61 + 2
HALL, KITCHEN = 5, 6


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def store(request, tmp_path):
    lite = request.param == "sqlite"
    url = f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}" if lite else request.getfixturevalue("postgres")
    store = Store(url)
    await store.open()
    for guild_id in (HERE, THERE):  # the server is the same for all tests
        await ObservedRepository(store).forget_server(guild_id)
    yield store
    await store.close()


def message(number, user=ADA, guild=HERE, channel=HALL, age_days=0.0):
    return Observed(number, guild, channel, user, f"Message {number} \udce4.", NOW - timedelta(days=age_days))


async def surely(_session):
    return True


def made(sources, user=ADA, guild=HERE, scope=0, channels=(HALL,)):
    return StoredProfile(ProfileKey(guild, user, scope), {"tone": "dry"}, {}, sources, channels, NOW)


async def test_messages_are_kept_once_changed_counted_and_taken_away_with_what_rests_on_them(store):
    observed, profiles = ObservedRepository(store), ProfilesRepository(store)
    await observed.apply([message(number) for number in range(1, 6)], {})
    await observed.apply([message(5), message(6, channel=KITCHEN), message(7, user=BEN)], {})
    assert await observed.count_of(ADA) == 6
    assert await observed.count_after(HERE, ADA, [HALL], 3) == 2
    assert [each.id for each in await observed.newest(HERE, ADA, [HALL, KITCHEN], 2)] == [5, 6]
    assert [each.id for each in await observed.newest_of_channel(HALL, 2)] == [5, 7]
    assert sorted(await observed.people()) == [(HERE, ADA), (HERE, BEN)]
    assert sorted(await observed.channels(HERE)) == [HALL, KITCHEN]
    await profiles.save(made((1, 2)), surely)
    await profiles.save(made((6,), scope=KITCHEN, channels=(KITCHEN,)), surely)
    await profiles.correct(ProfileKey(HERE, ADA), {"address": "Captain"})
    same = {5: (await observed.between(HALL, 5, 5))[5]}
    assert await observed.apply((), same) == []  # the preview of a link is no edit
    assert await observed.apply((), {2: "Other words.", 999: "of nobody"}) == [ProfileKey(HERE, ADA)]
    left = await profiles.get(ProfileKey(HERE, ADA))
    assert (left.profile, left.corrected, left.sources) == (None, {"address": "Captain"}, ())
    assert await observed.forget_channel(KITCHEN) == [ProfileKey(HERE, ADA, KITCHEN)]
    assert await profiles.get(ProfileKey(HERE, ADA, KITCHEN)) is None
    async with store.transaction() as session:
        there = await observed.newest(HERE, ADA, [HALL], 9)
        assert await unchanged(session, there)
        assert not await unchanged(session, [*there, message(77)])
    assert await observed.forget_person(ADA) == 6  # five messages, and what she said of herself
    assert await observed.count_of(BEN) == 1


async def test_what_is_old_goes_but_for_the_newest_of_each(store):
    observed, profiles = ObservedRepository(store), ProfilesRepository(store)
    await observed.apply([message(number, age_days=30) for number in range(1, 7)], {})
    await observed.apply([message(number, guild=THERE, age_days=30) for number in range(10, 12)], {})
    await profiles.save(made((1, 6)), surely)
    assert await observed.purge(NOW - timedelta(days=10), 3) == [ProfileKey(HERE, ADA)]
    assert [each.id for each in await observed.of_person(ADA)] == [4, 5, 6, 10, 11]


async def test_the_newest_profiles_come_last_and_none_is_saved_that_may_not_be(store):
    profiles = ProfilesRepository(store)

    async def never(_session):
        return False

    assert not await profiles.save(made((1,)), never)
    assert await profiles.get(ProfileKey(HERE, ADA)) is None
    await profiles.save(made((1,)), surely)
    await profiles.correct(ProfileKey(HERE, BEN), {"tone": "merry"})
    assert [each.key.user_id for each in await profiles.newest(10)] == [BEN, ADA]
    assert [each.key.user_id for each in await profiles.newest(1)] == [ADA]


async def test_channels_temperatures_and_what_was_spent_are_as_they_were_written(store):
    channels, spending = PersonaChannelsRepository(store), SpendingRepository(store)
    kept = PersonaChannel(HALL, HERE, True, NOW, 3, 2, NOW)
    await channels.save([kept, PersonaChannel(KITCHEN, HERE)])
    assert kept in await channels.all()
    await channels.forget([HALL, KITCHEN])
    assert kept not in await channels.all()
    await channels.save_temperature(ADA, 0.7)
    assert (await channels.temperature(ADA), (await channels.temperatures(10))[ADA]) == (0.7, 0.7)
    await channels.save_temperature(ADA, None)
    assert await channels.temperature(ADA) is None
    today = NOW.date()
    for tokens in (5, 9):
        await spending.save(today, [Spending(HERE, "profiles", tokens, 1)])
    assert await spending.of(today) == [Spending(HERE, "profiles", 9, 1)]
    await spending.save(today + timedelta(days=1), [])
    assert await spending.of(today) == []

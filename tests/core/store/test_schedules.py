"""Schedules are written and read the same on SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest_asyncio

from core.store.autonomous import AutonomousChannel, AutonomousRepository
from core.store.schedules import Schedule, ScheduleRow, SchedulesRepository, ScheduleZoneRow
from core.store.store import Store

NOW = datetime(2026, 11, 25, 9, 0, 0, 5, tzinfo=UTC)
BIG = 2**62


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def store(request, tmp_path):
    lite = request.param == "sqlite"
    url = f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}" if lite else request.getfixturevalue("postgres")
    store = Store(url)
    await store.open()
    async with store.transaction() as session:
        for table in (ScheduleRow, ScheduleZoneRow):
            await session.execute(table.__table__.delete())
    yield store
    await store.close()


def planned(number: int) -> Schedule:
    due = NOW + timedelta(seconds=number)
    return Schedule(0, BIG, 2, 3, NOW, "say", {"text": f"Grüße {number}"}, "in a while", f"once {due}", next_at=due)


async def test_what_is_claimed_is_claimed_once_moved_and_read_again(store):
    repository = SchedulesRepository(store)
    ids = await repository.add([planned(number) for number in range(5)])
    assert ids == sorted(ids)
    kept = await repository.all()
    assert [each.what for each in kept] == [{"text": f"Grüße {number}"} for number in range(5)]
    assert await repository.claim(ids, NOW + timedelta(seconds=2)) == set(ids[:3])
    assert await repository.claim(ids, NOW + timedelta(seconds=2)) == set(), "they are claimed already"
    await repository.unclaim(ids[2:3])
    assert await repository.claim(ids, NOW + timedelta(seconds=2)) == {ids[2]}
    done = replace(kept[0], next_at=NOW + timedelta(days=1), outcome="done", last_due=NOW, missed=2, missed_last="two")
    over = replace(kept[1], next_at=None, state="over")
    await repository.move([done, over])
    assert await repository.some(ids[:2]) == [done, over]
    await repository.change(ids[4], state="paused", reason="by hand", what={"text": "other"})
    (paused,) = await repository.some(ids[4:])
    assert (paused.state, paused.reason, paused.what) == ("paused", "by hand", {"text": "other"})
    assert await repository.claim(ids, NOW + timedelta(days=2)) == {ids[0], ids[3]}, "neither what is over nor paused"
    await repository.remove(ids[:4])
    assert [each.id for each in await repository.all()] == [ids[4]]


async def test_zones_and_channels_of_its_own_are_kept(store):
    repository, autonomous = SchedulesRepository(store), AutonomousRepository(store)
    await repository.save_zone(BIG, "UTC")
    await repository.save_zone(BIG, "Europe/Berlin")
    assert await repository.zones() == {BIG: "Europe/Berlin"}
    channel = AutonomousChannel(BIG, 1, "2026-11-25", 2, 1, NOW)
    await autonomous.save(channel)
    assert channel in await autonomous.all()
    await autonomous.remove(BIG)
    assert await autonomous.all() == []

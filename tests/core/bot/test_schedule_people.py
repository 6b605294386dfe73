"""What schedules keep of people is shown, exported and deleted."""

from __future__ import annotations

from core.bot.schedule_people import ScheduledPeople
from core.privacy.owners import Person
from tests.core.schedule.conftest import Bench


async def test_what_a_person_added_is_shown_exported_and_deleted(tmp_path):
    bench = Bench(tmp_path)
    schedules = await bench.open()
    added = await bench.add("every day 09:30", say="secret")
    people, person = ScheduledPeople(schedules), Person(7, until=bench.clock.now())
    other = Person(8, until=bench.clock.now())
    assert (await people.describe_person(person)).lines == ("You added 1 schedule(s).",)
    assert b"secret" in (await people.export_person(person))["schedules.json"]
    assert await people.export_person(other) == {}
    assert await people.delete_person(other) == ()
    gone = []
    schedules.on_gone(gone.append)
    assert await people.delete_person(person) == ("Removed: 1 schedule(s) that you had added.",)
    assert [each.id for each in gone] == [added.id]
    assert await people.delete_person(person) == ()
    assert (await people.describe_person(person)).lines == ()
    await bench.close()
    await bench.open()
    assert bench.schedules.all() == []
    await bench.close()

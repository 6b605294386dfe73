"""Schedules are done at their times, once each, through restarts, wrong clocks, locks, and handlers that fail."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.errors import ScheduleError, StoreError
from core.schedule.firing import NotNow, Withdrawn

# The clock starts on Saturday, 21 November 2026, at 09:00 UTC.


async def test_what_is_scheduled_is_done_at_its_times_and_then_once_more_the_next_day(bench):
    schedules = await bench.open()
    schedules.handle("say", bench.note)
    await bench.add("every day 09:30")
    await bench.add("in 20 minutes", say="once")
    await bench.passes(minutes=40)
    assert bench.done == ["once 21 09:20", "hello 21 09:30"]
    once, daily = bench.schedules.of(1)[1], bench.schedules.of(1)[0]
    assert (once.state, once.outcome, once.detail) == ("over", "done", "said it")
    assert daily.next_at == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    await bench.passes(hours=24)
    assert bench.done[2:] == ["hello 22 09:30"]


async def test_times_are_those_of_the_servers_zone_and_follow_when_it_is_changed(bench):
    schedules = await bench.open(zone="Europe/Berlin")
    schedules.handle("say", bench.note)
    daily = await bench.add("every day 18:00")
    hours = await bench.add("every 2 hours")
    once = await bench.add("tomorrow 18:00")
    elsewhere = await bench.add("every day 18:00", guild_id=2)
    assert daily.next_at == datetime(2026, 11, 21, 17, tzinfo=UTC)
    zone, moved = await schedules.set_zone(1, "new york")
    assert (zone.key, moved) == ("America/New_York", 1)
    assert schedules.get(daily.id).next_at == datetime(2026, 11, 21, 23, tzinfo=UTC)
    assert schedules.get(hours.id).next_at == hours.next_at
    assert schedules.get(once.id).next_at == once.next_at
    assert schedules.get(elsewhere.id).next_at == elsewhere.next_at
    with pytest.raises(ScheduleError, match="There is no time zone"):
        await schedules.set_zone(1, "Mars")
    await bench.close()
    await bench.open(zone="Europe/Berlin")
    assert bench.schedules.zone(1).key == "America/New_York"


async def test_what_was_missed_while_the_bot_was_away_is_skipped_and_told(bench):
    schedules = await bench.open()
    await bench.add("every day 09:30")
    await bench.close()
    await bench.clock.advance(3 * 86400)  # 24 November, 09:00: three were missed
    schedules = await bench.open()
    schedules.handle("say", bench.note)
    await bench.idle()
    told = bench.only()
    assert bench.done == []
    assert (told.outcome, told.missed) == ("skipped", 3)
    assert told.missed_last == "3 times missed, the last <t:1795426200:f>: I was not running. Skipped."
    await bench.passes(minutes=31)
    assert bench.done == ["hello 24 09:30"], "the next one is right"


async def test_what_is_to_be_made_up_is_made_up_once(bench):
    schedules = await bench.open()
    await bench.add("every day 09:30", late="once", grace_s=86400)
    await bench.add("in 2 hours", say="once", late="once", grace_s=60 * 60)
    await bench.close()
    await bench.clock.advance(3 * 86400)
    schedules = await bench.open()
    schedules.handle("say", bench.note)
    await bench.idle()
    assert bench.done == ["hello 24 09:00"]
    daily, once = bench.schedules.of(1)
    assert daily.missed_last.endswith("I was not running. Made up once.")
    assert daily.missed == 3
    assert (once.state, once.outcome) == ("over", "skipped"), "that was too long ago"
    await bench.passes(minutes=31)
    assert bench.done == ["hello 24 09:00", "hello 24 09:30"]


async def test_what_is_late_by_less_than_a_minute_is_on_time(bench):
    await bench.open()
    await bench.add("in 20 minutes")
    await bench.close()
    await bench.clock.advance(20 * 60 + 45)
    (await bench.open()).handle("say", bench.note)
    await bench.idle()
    assert bench.done == ["hello 21 09:20"]
    assert bench.only().missed == 0


async def test_a_clock_that_jumps_forward_makes_things_late(bench):
    (await bench.open()).handle("say", bench.note)
    await bench.add("every day 10:00")
    await bench.add("every day 10:30", say="made up", late="once", grace_s=7200)
    await bench.jumps(hours=2, minutes=30)
    assert bench.done == ["made up 21 11:30"]
    first, second = sorted(bench.schedules.of(1), key=lambda each: each.id)
    assert first.missed_last == "1 time missed, the last <t:1795255200:f>: my clock jumped forward. Skipped."
    assert second.missed_last.endswith("my clock jumped forward. Made up once.")
    assert first.next_at == datetime(2026, 11, 22, 10, tzinfo=UTC)


async def test_a_clock_that_goes_back_a_little_repeats_nothing(bench):
    (await bench.open()).handle("say", bench.note)
    await bench.add("every day 09:30")
    await bench.passes(minutes=35)
    await bench.jumps(minutes=-20)
    await bench.passes(hours=2)
    assert bench.done == ["hello 21 09:30"]


async def test_a_clock_that_was_years_ahead_does_not_silence_a_schedule_for_years(bench):
    bench.clock.set_by = datetime(2030, 1, 1, tzinfo=UTC) - datetime(2026, 11, 21, tzinfo=UTC)
    (await bench.open()).handle("say", bench.note)
    await bench.add("every day 09:30")
    await bench.passes(minutes=40)
    assert len(bench.done) == 1
    bench.clock.set_by *= 0
    await bench.passes(minutes=1)
    told = bench.only()
    assert told.next_at == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    assert "went back by more than six hours" in told.missed_last
    await bench.close()
    await bench.open()
    assert bench.only().next_at == told.next_at


async def test_a_clock_that_starts_in_the_past_and_is_set_right_repeats_nothing(bench):
    (await bench.open()).handle("say", bench.note)
    await bench.add("every day 09:30", late="once", grace_s=86400)
    await bench.passes(minutes=40)
    assert bench.done == ["hello 21 09:30"]
    await bench.close()
    bench.clock.set_by -= timedelta(days=700)  # as on small machines without a clock of their own
    (await bench.open()).handle("say", bench.note)
    await bench.idle()
    await bench.jumps(days=700)
    await bench.passes(minutes=5)
    assert bench.done == ["hello 21 09:30"]
    assert bench.only().next_at == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    await bench.passes(hours=24)
    assert bench.done == ["hello 21 09:30", "hello 22 09:30"]


async def test_what_raises_is_told_and_its_next_time_is_right(bench, caplog):
    async def fails(firing):
        raise {"a": ScheduleError("The channel is gone."), "b": ZeroDivisionError("secret")}[
            firing.schedule.what["text"]
        ]

    (await bench.open()).handle("say", fails)
    known, unknown = await bench.add("every day 09:30", say="a"), await bench.add("every day 09:30", say="b")
    await bench.passes(minutes=31)
    known, unknown = bench.schedules.get(known.id), bench.schedules.get(unknown.id)
    assert (known.outcome, known.detail) == ("failed", "The channel is gone.")
    assert (unknown.outcome, unknown.detail) == ("failed", "Something went wrong on my side, and it is in the log.")
    assert "ZeroDivisionError" in caplog.text
    assert known.next_at == unknown.next_at == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


async def test_what_hangs_is_given_up_and_holds_up_nobody(bench):
    hanging, released = [], asyncio.Event()

    async def hangs(firing):
        hanging.append(firing.key)
        while not released.is_set():
            with suppress(asyncio.CancelledError):  # it does not mind being cancelled
                await released.wait()
        return ""

    schedules = await bench.open(at_once=1, deadline_s=60)
    schedules.handle("hang", hangs)
    schedules.handle("say", bench.note)
    await bench.add("every day 09:30", kind="hang")
    await bench.add("every day 09:31", late="once", grace_s=3600)
    await bench.clock.advance(30 * 60)
    async with asyncio.timeout(10):
        while not hanging:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
    await bench.clock.advance(60)
    await asyncio.sleep(1.2)
    await bench.passes(minutes=2)
    hung = next(each for each in bench.schedules.of(1) if each.kind == "hang")
    assert (hung.outcome, hung.detail) == ("overdue", "It did not end within 60 s, and was given up.")
    assert hung.next_at == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    assert len(bench.done) == 1
    released.set()


async def test_a_crash_in_the_middle_is_told_and_nothing_is_done_twice(bench):
    began = asyncio.Event()

    async def dies(firing):
        firing.commit()
        bench.done.append("began")
        began.set()
        await asyncio.Event().wait()

    (await bench.open()).handle("say", dies)
    await bench.add("every day 09:30", late="once", grace_s=86400)
    await bench.clock.advance(30 * 60)
    await asyncio.wait_for(began.wait(), 10)
    with closing(sqlite3.connect(bench.folder / "parley.db")) as rows:
        assert rows.execute("SELECT claimed_at IS NOT NULL FROM schedule").fetchone() == (1,), "claimed before it began"
    await bench.close()
    (await bench.open()).handle("say", bench.note)
    await bench.idle()
    assert bench.done == ["began"]
    told = bench.only()
    assert told.outcome == "cut"
    assert "I was ended while it was being done" in told.detail
    assert told.next_at == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


async def test_of_what_nothing_was_seen_yet_is_still_due_after_a_restart(bench):
    began = asyncio.Event()

    async def thinks(firing):
        began.set()
        await asyncio.Event().wait()

    (await bench.open()).handle("say", thinks)
    await bench.add("every day 09:30")
    await bench.clock.advance(30 * 60)
    await asyncio.wait_for(began.wait(), 10)
    await bench.close()
    (await bench.open()).handle("say", bench.note)
    await bench.idle()
    assert bench.done == ["hello 21 09:30"]


async def test_two_processes_on_one_database_do_it_once(bench, tmp_path):
    (await bench.open()).handle("say", bench.note)
    await bench.add("in 20 minutes")
    other = type(bench)(tmp_path)
    other.clock, other.done = bench.clock, bench.done
    (await other.open()).handle("say", other.note)
    await bench.clock.advance(20 * 60)
    await asyncio.gather(bench.idle(), other.idle())
    assert bench.done == ["hello 21 09:20"]
    await bench.clock.advance(60)  # whoever did not do it reads how it went
    await asyncio.gather(bench.idle(), other.idle())
    assert bench.only().state == other.only().state == "over"
    await other.close()


async def test_a_closed_gate_keeps_it_waiting_and_says_why(bench):
    closed = ["I am in a voice channel"]
    schedules = await bench.open()
    schedules.handle("say", bench.note, gate=lambda schedule: closed[0])
    skipped = await bench.add("every day 09:30")
    made_up = await bench.add("every day 09:30", say="made up", late="once", grace_s=3600)
    await bench.passes(minutes=45)
    assert bench.done == []
    assert schedules.waits(skipped.id) == "I am in a voice channel"
    closed[0] = ""
    schedules.look()
    await bench.idle()
    assert bench.done == ["made up 21 09:45"]
    assert schedules.get(skipped.id).missed_last.endswith("I am in a voice channel. Skipped.")
    assert schedules.get(made_up.id).missed_last.endswith("I am in a voice channel. Made up once.")


async def test_what_is_interrupted_before_anything_is_seen_of_it_stays_due(bench):
    began = asyncio.Event()
    slow = [True]
    closed = [""]

    async def thinks(firing):
        began.set()
        if slow[0]:
            await asyncio.Event().wait()
        return await bench.note(firing)

    schedules = await bench.open()
    schedules.handle("say", thinks, gate=lambda schedule: closed[0])
    await bench.add("in 20 minutes", late="once", grace_s=3600)
    await bench.clock.advance(20 * 60)
    await asyncio.wait_for(began.wait(), 10)
    closed[0], slow[0] = "I am in a voice channel", False
    assert schedules.interrupt({"say"}, closed[0]) == 1
    await bench.passes(minutes=10)
    assert bench.done == []
    closed[0] = ""
    schedules.look()
    await bench.passes(minutes=1)
    assert bench.done == ["hello 21 09:30"]


async def test_what_cannot_be_done_now_is_tried_again_until_it_is_too_late(bench):
    tries = []

    async def busy(firing):
        tries.append(firing.key)
        raise NotNow("the model is busy")

    (await bench.open()).handle("say", busy)
    await bench.add("in 20 minutes", late="once", grace_s=300)
    await bench.passes(minutes=30)
    assert len(tries) > 3
    assert len(set(tries)) == 1
    told = bench.only()
    assert (told.state, told.outcome) == ("over", "skipped")
    assert told.missed_last.endswith("the model is busy. Skipped.")


async def test_who_may_no_more_pauses_it_and_who_resumes_it_answers_for_it(bench):
    async def refuses(firing):
        raise Withdrawn("Who added it has left.")

    schedules = await bench.open()
    handle = schedules.handle("say", refuses)
    added = await bench.add("every day 09:30")
    await bench.passes(minutes=31)
    paused = schedules.get(added.id)
    assert (paused.state, paused.reason) == ("paused", "Who added it has left.")
    handle.end()
    schedules.handle("say", bench.note)
    await bench.passes(hours=24)
    assert bench.done == []
    resumed = await schedules.resume(schedules.get(added.id), by=8)
    assert (resumed.state, resumed.reason, resumed.added_by) == ("active", "", 8)
    await bench.passes(hours=24)
    assert bench.done == ["hello 23 09:30"]


async def test_what_is_paused_or_removed_while_it_is_due_is_not_done(bench):
    schedules = await bench.open()
    schedules.handle("say", bench.note)
    paused, removed = await bench.add("in 20 minutes"), await bench.add("in 20 minutes")
    gone = []
    schedules.on_gone(gone.append)
    await schedules.pause(paused)
    await schedules.remove(removed)
    await bench.passes(minutes=25)
    assert bench.done == []
    assert [each.id for each in gone] == [removed.id]
    with pytest.raises(ScheduleError, match="its time does not come again"):
        await schedules.resume(schedules.get(paused.id))


async def test_many_at_once_are_done_some_at_a_time_and_no_server_holds_up_another(bench):
    at_work, most, order = [0], [0], []

    async def works(firing):
        at_work[0] += 1
        most[0] = max(most[0], at_work[0])
        await asyncio.sleep(0.01)
        order.append(firing.schedule.guild_id)
        at_work[0] -= 1
        return ""

    (await bench.open(at_once=4)).handle("say", works)
    for _ in range(30):
        await bench.add("in 20 minutes", guild_id=1)
    await bench.add("in 20 minutes", guild_id=2)
    await bench.passes(minutes=21)
    assert len(order) == 31
    assert most[0] <= 4
    assert order.index(2) <= 4


async def test_a_database_that_fails_loses_nothing_and_does_nothing_twice(bench, monkeypatch):
    schedules = await bench.open()
    schedules.handle("say", bench.note)
    await bench.add("every day 09:30")
    repository, broken = schedules._repository, [True]
    move, claim = repository.move, repository.claim

    async def failing(*args):
        if broken[0]:
            raise StoreError("full")
        return await move(*args)

    async def failing_claim(*args):
        if broken[0]:
            raise StoreError("full")
        return await claim(*args)

    monkeypatch.setattr(repository, "claim", failing_claim)
    await bench.passes(minutes=30, seconds=20)
    assert bench.done == []
    assert schedules.waits(bench.only().id) == "my database could not be written"
    monkeypatch.setattr(repository, "claim", claim)
    monkeypatch.setattr(repository, "move", failing)
    await bench.passes(seconds=30)
    assert bench.done == ["hello 21 09:30"]
    await bench.passes(minutes=2)
    broken[0] = False
    await bench.passes(minutes=1)
    assert bench.done == ["hello 21 09:30"]
    await bench.close()
    await bench.open()
    assert bench.only().outcome == "done"


async def test_limits_are_kept_a_server_and_what_is_over_does_not_count(bench):
    schedules = await bench.open(per_server=2, keep_over_days=1)
    schedules.handle("say", bench.note)
    await bench.add("every day 09:30")
    await bench.add("in 5 minutes")
    with pytest.raises(ScheduleError, match="This server has 2 schedules already, and 2 is the most"):
        await bench.add("every day 10:00")
    await bench.add("every day 10:00", guild_id=2)
    await bench.passes(minutes=6)
    await bench.add("every day 10:00")
    assert [each.state for each in schedules.of(1)] == ["active", "active", "over"]
    await bench.passes(hours=26)
    assert [each.state for each in schedules.of(1)] == ["active", "active"], "it is forgotten after a day"


async def test_one_kind_is_done_by_one(bench):
    schedules = await bench.open()
    handle = schedules.handle("say", bench.note)
    with pytest.raises(ScheduleError, match="done by somebody else"):
        schedules.handle("say", bench.note)
    handle.end()
    schedules.handle("say", bench.note)


async def test_a_night_on_which_clocks_are_put_back_has_one_time_and_one_on_which_they_are_put_forward_too(bench):
    for night, done in ((datetime(2027, 10, 30, 20, tzinfo=UTC), 31), (datetime(2028, 3, 25, 20, tzinfo=UTC), 26)):
        bench.clock.set_by += night - bench.clock.now()
        bench.done.clear()
        (await bench.open(zone="Europe/Berlin")).handle("say", bench.note)
        added = await bench.add("every day 02:30")
        await bench.passes(hours=12)
        assert bench.done == [f"hello {done} {'00:30' if done == 31 else '01:00'}"]
        assert bench.schedules.get(added.id).missed == 0
        await bench.schedules.remove(bench.schedules.get(added.id))
        await bench.close()


async def test_many_that_were_missed_for_a_year_are_all_told_and_go_on(bench):
    await bench.open(per_server=1000)
    cron, often = await bench.add("*/5 * * * *"), await bench.add("every 5 minutes")
    await bench.schedules._table.add([replace(often, id=0) for _ in range(250)])
    await bench.close()
    await bench.clock.advance(365 * 86400 + 150)
    (await bench.open(per_server=1000)).handle("say", bench.note)
    await bench.idle()
    found = bench.schedules.of(1)
    assert len(found) == 252
    assert bench.done == []
    assert all(each.missed > 100 for each in found)
    assert all(each.missed_last.startswith("101+ times missed, the last <t:") for each in found)
    assert {each.next_at - bench.clock.now() for each in found} == {timedelta(seconds=150)}
    assert bench.schedules.get(cron.id).outcome == "skipped"

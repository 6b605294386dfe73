"""When something comes next, on days on which clocks are changed too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from core.schedule.rules import Every, EveryDays, Once, count, instant, latest, read_rule
from core.schedule.wording import understand

BERLIN = ZoneInfo("Europe/Berlin")


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def coming(rule, after, zone, many):
    found = []
    while len(found) < many:
        after = rule.following(after, zone)
        found.append(after)
    return found


def rule_of(text, now=None):
    return understand(text, now or utc(2026, 1, 1), BERLIN).rule


@pytest.mark.parametrize("text", ["every day 02:30", "30 2 * * *", "every 1 days 02:30"])
def test_a_time_that_comes_twice_on_a_day_is_taken_once(text):
    found = coming(rule_of(text), utc(2026, 10, 24, 12), BERLIN, 3)
    assert found == [utc(2026, 10, 25, 0, 30), utc(2026, 10, 26, 1, 30), utc(2026, 10, 27, 1, 30)]


@pytest.mark.parametrize("text", ["every day 02:30", "30 2 * * *", "every 1 days 02:30"])
def test_a_time_that_a_day_does_not_have_is_the_next_moment_that_it_has(text):
    found = coming(rule_of(text), utc(2027, 3, 27, 12), BERLIN, 2)
    assert found == [utc(2027, 3, 28, 1, 0), utc(2027, 3, 29, 0, 30)]  # 03:00 in summer, then 02:30 again


def test_what_repeats_within_the_hours_goes_on_through_both_and_skips_what_is_jumped_over():
    back = coming(rule_of("*/30 * * * *"), utc(2026, 10, 24, 23, 45), BERLIN, 6)
    assert {after - before for before, after in pairwise(back)} == {timedelta(minutes=30)}
    forward = coming(rule_of("*/30 * * * *"), utc(2027, 3, 28, 0, 15), BERLIN, 4)
    assert forward == [utc(2027, 3, 28, 0, 30), utc(2027, 3, 28, 1), utc(2027, 3, 28, 1, 30), utc(2027, 3, 28, 2)]


def test_hours_that_pass_do_not_care_for_clocks():
    found = coming(Every(7200, utc(2026, 10, 24, 22)), utc(2026, 10, 24, 22), BERLIN, 4)
    assert {after - before for before, after in pairwise(found)} == {timedelta(hours=2)}


def test_a_day_of_23_hours_and_one_of_25_have_one_time_each():
    found = coming(EveryDays(1, datetime(2026, 10, 1, 18, 0)), utc(2026, 10, 24), BERLIN, 3)  # noqa: DTZ001 - wall
    assert [at.astimezone(BERLIN).hour for at in found] == [18, 18, 18]


def test_a_leap_day_is_waited_for_also_where_a_leap_year_is_left_out():
    rule = rule_of("every year on 29 February 12:00")
    assert coming(rule, utc(2026, 1, 1), UTC, 2) == [utc(2028, 2, 29, 12), utc(2032, 2, 29, 12)]
    assert rule.following(utc(2096, 3, 1), UTC) == utc(2104, 2, 29, 12)


def test_half_hours_of_lord_howe_and_the_day_that_samoa_left_out():
    lord_howe = ZoneInfo("Australia/Lord_Howe")  # 30 minutes forward at 02:00
    assert instant(datetime(2026, 10, 4, 2, 10), lord_howe) == utc(2026, 10, 3, 15, 30)  # noqa: DTZ001 - wall
    samoa = ZoneInfo("Pacific/Apia")
    assert instant(datetime(2011, 12, 30, 12, 0), samoa) == utc(2011, 12, 30, 10, 0)  # noqa: DTZ001 - wall


def test_after_each_moment_comes_a_later_one_in_every_zone():
    for name in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Chatham"):
        zone = ZoneInfo(name)
        for text in ("every day 02:15", "*/20 * * * *", "every 1 days 03:00"):
            rule = understand(text, utc(2026, 1, 1), zone).rule
            for start in (utc(2026, 10, 3, 12), utc(2026, 10, 24, 20), utc(2027, 3, 13, 20), utc(2027, 3, 27, 20)):
                found = coming(rule, start, zone, 40)
                assert found == sorted(set(found))
                again = [rule.following(at - timedelta(seconds=1), zone) for at in found]
                assert again == found, "a moment is found from just before it"


def test_the_last_of_many_missed_times_is_found_without_going_through_them_all():
    since, until = utc(2026, 1, 1), utc(2027, 6, 1, 12, 3)
    for text, last in (("*/5 * * * *", utc(2027, 6, 1, 12)), ("every Monday 18:00", utc(2027, 5, 31, 16))):
        rule = rule_of(text)
        assert latest(rule, until, BERLIN, since=rule.following(since, BERLIN)) == last
    assert latest(Once(since), until, BERLIN, since=since) == since
    assert count(rule_of("*/5 * * * *"), since, until, BERLIN, 100) == 100


def test_what_is_no_rule_is_no_rule():
    with pytest.raises(ValueError, match="no rule"):
        read_rule("rm -rf")

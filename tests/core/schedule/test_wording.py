"""What people write for a time is understood, or refused with what was wrong and two ways of writing it right."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from core.errors import ScheduleError
from core.schedule.rules import read_rule
from core.schedule.wording import understand

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 25, 11, 0, 30, tzinfo=UTC)  # a Wednesday, 12:00:30 in Berlin


def times(text, count=2, zone=BERLIN, now=NOW, **options):
    found = []
    rule = understand(text, now, zone, **options).rule
    assert read_rule(rule.text) == rule, "it is stored and read again as it is"
    at = now
    while at is not None and len(found) < count:
        at = rule.following(at, zone)
        if at is not None:
            found.append(f"{at.astimezone(zone):%a %Y-%m-%d %H:%M}")
    return found


def refusal(text, **options):
    with pytest.raises(ScheduleError) as caught:
        understand(text, NOW, BERLIN, **options)
    return caught.value.sentence


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("tomorrow 18:00", "Thu 2026-11-26 18:00"),
        ("18:00 tomorrow", "Thu 2026-11-26 18:00"),
        ("Tomorrow at noon.", "Thu 2026-11-26 12:00"),
        ("2026-12-24 18:00", "Thu 2026-12-24 18:00"),
        ("2026-12-24T18:00", "Thu 2026-12-24 18:00"),
        ("2026-12-24T18:00Z", "Thu 2026-12-24 19:00"),
        ("24 December 18:00", "Thu 2026-12-24 18:00"),
        ("Dec 24 at 6pm", "Thu 2026-12-24 18:00"),
        ("24.12.2026 18:00", "Thu 2026-12-24 18:00"),
        ("1 February 09:00", "Mon 2027-02-01 09:00"),
        ("29 February 12:00", "Tue 2028-02-29 12:00"),
        ("in 20 minutes", "Wed 2026-11-25 12:20"),
        ("in an hour and 5 minutes", "Wed 2026-11-25 13:05"),
        ("in 1h30m", "Wed 2026-11-25 13:30"),
        ("two weeks from now", "Wed 2026-12-09 12:00"),
        ("18:00", "Wed 2026-11-25 18:00"),
        ("9:00", "Thu 2026-11-26 09:00"),
        ("Wednesday 18:00", "Wed 2026-11-25 18:00"),
        ("Wednesday 09:00", "Wed 2026-12-02 09:00"),
        ("next Wednesday 18:00", "Wed 2026-12-02 18:00"),
        ("6 pm on Monday", "Mon 2026-11-30 18:00"),
    ],
)
def test_one_moment_is_understood(text, first):
    assert times(text) == [first]


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("every Monday 18:00", "Mon 2026-11-30 18:00", "Mon 2026-12-07 18:00"),
        ("Mondays at 6 pm", "Mon 2026-11-30 18:00", "Mon 2026-12-07 18:00"),
        ("every Monday and Thursday 18:00", "Thu 2026-11-26 18:00", "Mon 2026-11-30 18:00"),
        ("every Fri, Sat 18:00", "Fri 2026-11-27 18:00", "Sat 2026-11-28 18:00"),
        ("every Saturday to Monday 08:15", "Sat 2026-11-28 08:15", "Sun 2026-11-29 08:15"),
        ("weekdays 9:00", "Thu 2026-11-26 09:00", "Fri 2026-11-27 09:00"),
        ("every day 09:30", "Thu 2026-11-26 09:30", "Fri 2026-11-27 09:30"),
        ("at 18:00 every day", "Wed 2026-11-25 18:00", "Thu 2026-11-26 18:00"),
        ("every 2 hours", "Wed 2026-11-25 14:00", "Wed 2026-11-25 16:00"),
        ("hourly", "Wed 2026-11-25 13:00", "Wed 2026-11-25 14:00"),
        ("every half hour", "Wed 2026-11-25 12:30", "Wed 2026-11-25 13:00"),
        ("every other day 10:00", "Thu 2026-11-26 10:00", "Sat 2026-11-28 10:00"),
        ("every 2 weeks on Monday 18:00", "Mon 2026-11-30 18:00", "Mon 2026-12-14 18:00"),
        ("every month on the 31st 10:00", "Thu 2026-12-31 10:00", "Sun 2027-01-31 10:00"),
        ("every month on the last day 18:00", "Mon 2026-11-30 18:00", "Thu 2026-12-31 18:00"),
        ("every first Monday of the month 18:00", "Mon 2026-12-07 18:00", "Mon 2027-01-04 18:00"),
        ("every year on 24 December 18:00", "Thu 2026-12-24 18:00", "Fri 2027-12-24 18:00"),
        ("every year on 02-29 12:00", "Tue 2028-02-29 12:00", "Sun 2032-02-29 12:00"),
        ("0 18 * * 1", "Mon 2026-11-30 18:00", "Mon 2026-12-07 18:00"),
        ("0 18 * * 0", "Sun 2026-11-29 18:00", "Sun 2026-12-06 18:00"),
        ("0 18 * * 7", "Sun 2026-11-29 18:00", "Sun 2026-12-06 18:00"),
        ("0 18 * * MON-WED", "Wed 2026-11-25 18:00", "Mon 2026-11-30 18:00"),
        ("0 9 1 * 0", "Sun 2026-11-29 09:00", "Tue 2026-12-01 09:00"),  # either day will do, as with every cron
        ("*/30 8-13 * dec *", "Tue 2026-12-01 08:00", "Tue 2026-12-01 08:30"),
        ("@daily", "Thu 2026-11-26 00:00", "Fri 2026-11-27 00:00"),
    ],
)
def test_what_repeats_is_understood(text, first, second):
    assert times(text) == [first, second]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("every Mondey 18:00", "`mondey` is no day of the week. Did you mean Monday?"),
        ("every Monday", "does not say at what time of the day"),
        ("tomorrow", "does not say at what time of the day"),
        ("every month 09:00", "does not say on which day of the month"),
        ("tomorrow 25:00", "`25:00` is no time of the day: hours go from 0 to 23"),
        ("every day at 13 pm", "`13 pm` is no time of the day"),
        ("2027-02-29 10:00", "`2027-02-29` is no day of the calendar"),
        ("31 June 10:00", "`31 june` is no day of the calendar"),
        ("24/12/2026 18:00", "may be read in two ways"),
        ("today 08:00", "is over already: it is 2026-11-25 12:00 now (Europe/Berlin)"),
        ("0001-01-01 10:00", "is over already"),
        ("9999-12-31 23:59", "too far away: I plan five years ahead at most"),
        ("in 99999999999999 days", "too long a time"),
        ("every 99999999 days 10:00", "too long a time"),
        ("in -5 minutes", "`-5 minutes` is no length of time"),
        ("every 0 hours", "`0 hours` is no length of time"),
        ("every 1 second", "comes every 1 second, and the shortest here is 5 minutes"),
        ("* * * * *", "comes every 1 minute, and the shortest here is 5 minutes"),
        ("0,1 3 1 1 *", "comes every 1 minute"),
        ("0 0 30 2 *", "never comes"),
        ("60 * * * *", "the minute `60` is not right: it goes from 0 to 59"),
        ("0 24 * * *", "the hour `24` is not right"),
        ("0 0 L * *", "the day of the month `l` is not right"),
        ("0 0 * * fri-mon", "the day of the week `fri-mon` is not right: it ends before it begins"),
        ("*/0 * * * *", "the step after `/` goes from 1 to 59"),
        ("0 18 * *", "A cron line has five fields"),
        ("every 32nd of the month 10:00", "`32` is no day of a month"),
        ("@everyone", "I do not understand `@everyone` as a time"),
        ("", "I do not understand"),
        ("x" * 101, "a long description"),
        ("sometimes", "I do not understand `sometimes` as a time"),
    ],
)
def test_what_is_wrong_is_named_with_two_ways_of_writing_it_right(text, wrong):
    told = refusal(text, shortest_s=300)
    assert wrong in told
    examples = [each for each in re.findall(r"`([^`]+)`", told) if each not in text.casefold()]
    understood = [each for each in examples if _is_right(each)]
    assert len(understood) >= 2 or "December`." in told, told


def _is_right(example):
    try:
        return bool(understand(example, NOW, BERLIN, shortest_s=300))
    except ScheduleError:
        return example in ("2026-12-24", "24 December")


def test_hostile_text_is_shown_as_what_was_typed_and_no_markup():
    told = refusal("<@1> @everyone `x` [a](http://b) 18:00")
    assert "`<@1> @everyone ˋxˋ [a](http://b) 18:00`" in told
    assert "\n" not in refusal("a\nb\x00")


@pytest.mark.parametrize(
    "text",
    [
        "9" * 100,
        "1 " * 50,
        "every " * 16,
        "*/2 " * 25,
        "* * 29 2 1",
        "1:1 " * 25,
        "1h" * 50,
        "0 0 ² * *",
        "①8:00",
        "۱۸:۰۰",
    ],
)
def test_whatever_is_written_is_a_rule_or_a_refusal(text):
    try:
        found = understand(text, NOW, BERLIN).rule.following(NOW, BERLIN)
    except ScheduleError as error:
        assert error.sentence.count("`") >= 4
    else:
        assert found is not None
        assert found > NOW

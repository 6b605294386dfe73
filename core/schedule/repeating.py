"""What repeats, in words: every day, every Monday and Thursday, every 2 hours, every 2 weeks, on the first of the month."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from core.errors import ScheduleError
from core.names import code
from core.schedule import clock_words as words
from core.schedule.rules import Cron, Every, EveryDays

if TYPE_CHECKING:
    from core.schedule.rules import Rule

UNKNOWN = (
    "I do not understand {given} as something that repeats. Write for example `every Monday 18:00` or `every 2 hours`."
)
BAD_DAY = "{given} is no day of a month: they go from 1 to 31. Write for example `every month on the 1st 09:00` or `every month on the last day 18:00`."
NO_DAY = "{given} does not say on which day of the {unit}. Write for example `every Monday 18:00` or `every month on the 1st 09:00`."
MOST_DAYS = 366
_ADVERBS = {
    "hourly": "hour",
    "daily": "day",
    "weekly": "week",
    "monthly": "month",
    "yearly": "year",
    "annually": "year",
}
_SOME = re.compile(r"(?P<number>\d{1,9}|[a-z]+)(?:nd|rd|th)? (?P<unit>day|week)s?(?P<rest> .*)?")
_MONTHLY = re.compile(r"(?:month |)(?P<day>\d{1,9})(?:st|nd|rd|th)?(?: (?:day )?of (?:each |every )?month)?")
_PLACED = re.compile(
    r"(?:month )?(?P<place>first|second|third|fourth|1st|2nd|3rd|4th|last) (?P<day>[a-z]+)(?: (?:of|in) (?:each |every |a )?month)?"
)
_PLACES = {"first": "1st", "second": "2nd", "third": "3rd", "fourth": "4th"}
_LENGTH = re.compile(rf"(?:\d+ ?|(?:{'|'.join(words.NUMBERS)}) )?(?:hours?|hr|h|minutes?|mins?|m|seconds?|secs?|s)\b")
_YEARLY = re.compile(r"(?:year )?(?P<month>\d{1,2})-(?P<day>\d{1,2})")


def repeats(said: str) -> bool:
    """Whether normal words speak of something that comes again and again."""
    first = said.split(" ")[0].rstrip(",") if said else ""
    plural = first.endswith("days") and words.read_weekday(first) is not None
    return first in ("every", "each", "weekdays", "weekends", "workdays", *_ADVERBS) or plural


def read_repeating(said: str, wall: datetime, now: datetime) -> Rule:
    """The rule of normal words; `wall` is what the clock there shows now, naive.

    Raises:
        ScheduleError: They are not understood.
    """
    rest = re.sub(r"^(?:every|each)(?: single)? ?", "", said)
    first, _, behind = rest.partition(" ")
    rest = f"{_ADVERBS[first]} {behind}".strip() if first in _ADVERBS else rest
    rest = re.sub(r"^half(?: an)? hour$", "30 minutes", rest)
    if not rest:
        raise ScheduleError(UNKNOWN.format(given=code(said, 60)))
    if found := _SOME.fullmatch(rest):
        number = words.NUMBERS.get(found["number"], 2 if found["number"] == "second" else None)
        number = int(found["number"]) if found["number"].isdigit() else number
        if number is not None:
            return _every_some(said, number, found["unit"], (found["rest"] or "").strip(), wall)
    if _is_length(rest):
        length_s = words.read_length(rest if rest[0].isdigit() or " " in rest else f"1 {rest}")
        return Every(length_s, now + timedelta(seconds=length_s))
    days, at = words.split_time(rest, said)
    return _by_calendar(said, days.removesuffix(","), at)


def _is_length(rest: str) -> bool:
    return ":" not in rest and _LENGTH.match(rest) is not None


def _every_some(said: str, number: int, unit: str, rest: str, wall: datetime) -> EveryDays:
    """Every so many days or weeks: at the time that is given, on the day that is given, else as from now."""
    count = number * (7 if unit == "week" else 1)
    if not count:
        raise ScheduleError(words.BAD_LENGTH.format(given=code(said, 60)))
    if count > MOST_DAYS:
        raise ScheduleError(words.TOO_LONG.format(given=code(said, 60)))
    if not rest:
        return EveryDays(count, (wall + timedelta(days=count)).replace(second=0, microsecond=0))
    day, at = words.split_time(rest, said)
    start = datetime.combine(wall.date(), at)
    if day and unit == "week":
        (number, *others) = words.read_weekdays(day)
        if others:
            raise ScheduleError(UNKNOWN.format(given=code(said, 60)))
        start += timedelta(days=(number - wall.weekday()) % 7)
    elif day:
        raise ScheduleError(UNKNOWN.format(given=code(said, 60)))
    return EveryDays(count, start if start > wall else start + timedelta(days=7 if day else 1))


def _by_calendar(said: str, days: str, at: time) -> Cron:
    hour, minute = str(at.hour), str(at.minute)
    if days in ("day", ""):
        return Cron(minute, hour, "*", "*", "*")
    if days in ("week", "month", "year"):
        raise ScheduleError(NO_DAY.format(given=code(said, 60), unit=days))
    if days.startswith("week "):
        days = days.removeprefix("week ")
    if re.fullmatch(r"(?:month )?last day(?: of (?:each |every )?month)?|last of month", days):
        return Cron(minute, hour, "last", "*", "*")
    if (found := _PLACED.fullmatch(days)) and (number := words.read_weekday(found["day"])) is not None:
        place = _PLACES.get(found["place"], found["place"])
        return Cron(minute, hour, f"{place} {words.DAYS[number][:3]}", "*", "*")
    if (found := _YEARLY.fullmatch(days)) or days.startswith("year "):
        return _yearly(said, found, days, minute, hour)
    if found := _MONTHLY.fullmatch(days):
        if not 1 <= int(found["day"]) <= 31:
            raise ScheduleError(BAD_DAY.format(given=code(found["day"], 20)))
        return Cron(minute, hour, found["day"].lstrip("0"), "*", "*")
    if re.fullmatch(r"\d.* [a-z]+|[a-z]+ \d.*", days):
        return _yearly(said, None, days, minute, hour)
    return Cron(minute, hour, "*", "*", ",".join(words.DAYS[number][:3] for number in words.read_weekdays(days)))


def _yearly(said: str, found: re.Match[str] | None, days: str, minute: str, hour: str) -> Cron:
    """Once a year; 29 February comes in leap years alone."""
    leap = datetime(2028, 1, 1).date()  # noqa: DTZ001 - a day of the calendar
    text = f"2028-{found['month']}-{found['day']}" if found else days.removeprefix("year ")
    day, _ = words.read_date(text, leap)
    if day is None:
        raise ScheduleError(UNKNOWN.format(given=code(said, 60)))
    return Cron(minute, hour, str(day.day), str(day.month), "*")

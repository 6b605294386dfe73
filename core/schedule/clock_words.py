"""The small words of times: times of the day, days of the week and the calendar, lengths; each with its own refusal."""

from __future__ import annotations

import difflib
import re
from datetime import date, time

from core.errors import ScheduleError
from core.names import code

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
EXAMPLES = "Write for example `every Monday 18:00` or `tomorrow 18:00`."
NO_TIME = "{given} does not say at what time of the day. " + EXAMPLES
BAD_TIME = "{given} is no time of the day: hours go from 0 to 23 and minutes from 0 to 59. Write for example `18:00` or `6:30 pm`."
BAD_DATE = "{given} is no day of the calendar. Write for example `2026-12-24 18:00` or `24 December 18:00`."
AMBIGUOUS = "{given} may be read in two ways. Write the day as `2026-12-24` or `24 December`."
BAD_DAY = (
    "{given} is no day of the week.{hint} Write for example `every Monday 18:00` or `every Monday and Thursday 18:00`."
)
TOO_LONG = "{given} is too long a time: I plan five years ahead at most. Write for example `in 20 minutes` or `every 2 weeks Monday 18:00`."
BAD_LENGTH = "{given} is no length of time. Write for example `in 20 minutes` or `every 2 hours`."
NUMBERS = {
    word: number
    for number, word in enumerate(
        ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"), start=1
    )
} | {"a": 1, "an": 1, "other": 2}
_UNITS = {
    name: size
    for size, names in (
        (1, ("second", "sec", "s")),
        (60, ("minute", "min", "m")),
        (3600, ("hour", "hr", "h")),
        (86400, ("day", "d")),
        (604800, ("week", "w")),
    )
    for name in names
}
LONGEST_S = 5 * 366 * 86400
_TIME = re.compile(r"(?P<hour>\d{1,2})(?:[:.](?P<minute>\d{2}))?\s?(?P<half>[ap]\.?m\.?)?")
_LENGTH = re.compile(r"(?P<number>\d{1,15}|[a-z]+)\s?(?P<unit>[a-z]+)")
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})?")
_SLASHED = re.compile(r"\d{1,4}/\d{1,2}(/\d{1,4})?")
_NAMED = re.compile(r"(?:(\d{1,2})(?:st|nd|rd|th)?(?: of)? ([a-z]+)|([a-z]+) (\d{1,2})(?:st|nd|rd|th)?)(?: (\d{4}))?")


def read_time(text: str, whole: str) -> time:
    """A time of the day: 18:00, 6:30 pm, noon.

    Raises:
        ScheduleError: It is none, or none is there.
    """
    if text in ("noon", "midday"):
        return time(12)
    if text == "midnight":
        return time(0)
    found = _TIME.fullmatch(text)
    if not text or found is None or not (found["minute"] or found["half"]):
        raise ScheduleError(
            (BAD_TIME if any(each.isdigit() for each in text) else NO_TIME).format(given=code(text or whole, 60))
        )
    hour, minute, half = int(found["hour"]), int(found["minute"] or 0), found["half"]
    if half:
        if not 1 <= hour <= 12:
            raise ScheduleError(BAD_TIME.format(given=code(text)))
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    if hour > 23 or minute > 59:
        raise ScheduleError(BAD_TIME.format(given=code(text)))
    return time(hour, minute)


def split_time(text: str, whole: str) -> tuple[str, time]:
    """What stands before a time of the day at the end, and the time.

    Raises:
        ScheduleError: There is none, or it is wrong.
    """
    words = text.split(" ")
    half = words[-1] in ("am", "pm", "a.m.", "p.m.")
    kept = -2 if half and len(words) > 1 else -1
    said = " ".join(words[kept:])
    if words[-1] not in ("noon", "midday", "midnight") and not any(each.isdigit() for each in said):
        raise ScheduleError(NO_TIME.format(given=code(whole, 60)))
    before = " ".join(words[:kept])
    return "" if before == "at" else before.removesuffix(" at"), read_time(said, whole)


def read_weekday(text: str) -> int | None:
    """0 for Monday to 6 for Sunday, by a name, its first three letters or its plural; None if it is nothing like it."""
    for number, name in enumerate(DAYS):
        if text in (name, f"{name}s", name[:3], name[:4]) or (text == "thurs" and number == 3):
            return number
    return None


def read_weekdays(text: str) -> list[int]:
    """The days of “Monday and Thursday”, “Mon, Thu”, “weekdays”, “Monday to Friday”.

    Raises:
        ScheduleError: One is no day, with the one that may have been meant.
    """
    if text in ("weekday", "weekdays", "workday", "workdays"):
        return [0, 1, 2, 3, 4]
    if text in ("weekend", "weekends"):
        return [5, 6]
    span = re.fullmatch(r"(\w+) ?(?:to|-|–|until|through) ?(\w+)", text)
    if span:
        first, last = _weekday(span[1]), _weekday(span[2])
        return [(first + step) % 7 for step in range((last - first) % 7 + 1)]
    parts = [each for each in re.split(r" and |, ?| ?& ?| ", text) if each and each != "and"]
    return sorted({_weekday(each) for each in parts})


def _weekday(text: str) -> int:
    found = read_weekday(text)
    if found is None:
        near = difflib.get_close_matches(text, DAYS, 1)
        hint = f" Did you mean {near[0].title()}?" if near else ""
        raise ScheduleError(BAD_DAY.format(given=code(text, 40), hint=hint))
    return found


def read_length(text: str) -> int:
    """Seconds of “2 hours”, “an hour and 30 minutes”, “1h30m”.

    Raises:
        ScheduleError: It is none, or longer than five years.
    """
    rest, total = text.replace(" and ", " ").replace(",", " ").strip(), 0
    while rest:
        found = _LENGTH.match(rest)
        number = None if found is None else _amount(found["number"])
        unit = "" if found is None else found["unit"]
        seconds = _UNITS.get(unit) or _UNITS.get(unit.removesuffix("s"))
        if found is None or number is None or seconds is None:
            raise ScheduleError(BAD_LENGTH.format(given=code(text, 60)))
        total += number * seconds
        rest = rest[found.end() :].strip()
    if not total:
        raise ScheduleError(BAD_LENGTH.format(given=code(text, 60)))
    if total > LONGEST_S:
        raise ScheduleError(TOO_LONG.format(given=code(text, 60)))
    return total


def _amount(text: str) -> int | None:
    return int(text) if text.isdigit() else NUMBERS.get(text)


def read_date(text: str, today: date) -> tuple[date | None, bool]:
    """A day of the calendar, and whether its year was said; the next of that name if it was not. None: it is no such thing.

    Raises:
        ScheduleError: It is a day that does not exist, or may be read in two ways.
    """
    if _SLASHED.fullmatch(text):
        raise ScheduleError(AMBIGUOUS.format(given=code(text)))
    if found := _ISO.fullmatch(text):
        return _day(text, int(found[1]), int(found[2]), int(found[3])), True
    if found := _DOTTED.fullmatch(text):
        day, month, year = int(found[1]), int(found[2]), found[3]
    elif (found := _NAMED.fullmatch(text)) and (number := read_month(found[2] or found[3])):
        day, month, year = int(found[1] or found[4]), number, found[5]
    else:
        return None, False
    if year:
        return _day(text, int(year), month, day), True
    years = [today.year + step for step in range(9)]
    coming = [at for at in (_try(each, month, day) for each in years) if at is not None and at >= today]
    if not coming:
        raise ScheduleError(BAD_DATE.format(given=code(text)))
    return coming[0], False


def read_month(text: str) -> int | None:
    """1 for January, by its name or its first three letters; None if it is no month."""
    return next((number for number, name in enumerate(MONTHS, 1) if text in (name, name[:3])), None)


def _day(text: str, year: int, month: int, day: int) -> date:
    found = _try(year, month, day)
    if found is None:
        raise ScheduleError(BAD_DATE.format(given=code(text)))
    return found


def _try(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None

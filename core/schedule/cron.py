"""Reads a cron line as cron itself does, and says which of its five fields is wrong and why."""

from __future__ import annotations

import re

from core.errors import ScheduleError
from core.names import code
from core.schedule.rules import Cron

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("day of the week", 0, 7))
_PART = re.compile(r"(?P<low>\*|\w{1,3})(?:-(?P<high>\w{1,3}))?(?:/(?P<step>\d{1,4}))?")
_MOST_PARTS = 60

WRONG = (
    "In the cron line {line} the {field} {part} is not right: {why}. Right would be for example `0 18 * * 1` (Mondays at "
    "18:00) or `*/30 8-17 * * *` (every half hour from 8 to 17)."
)
RANGE = "it goes from {low} to {high}"
SIGNS = "numbers, names, `*`, `-`, `/` and `,` may stand there"


def is_cron(text: str) -> bool:
    """Whether somebody means a cron line: five fields of its signs, or one of its names."""
    fields = text.split()
    if len(fields) == 1:
        return fields[0].casefold() in NAMED
    return len(fields) == 5 and all(re.fullmatch(r"[\w*/,#?-]+", each) for each in fields) and "every" not in fields


def read_cron(text: str) -> Cron:
    """The rule of a cron line.

    Raises:
        ScheduleError: A field is wrong; it says which.
    """
    line = NAMED.get(text.casefold(), text).casefold()
    found = [_field(line, given, *about) for given, about in zip(line.split(), _FIELDS, strict=True)]
    return Cron(found[0], found[1], found[2], found[3], found[4])


def _field(line: str, given: str, name: str, low: int, high: int) -> str:
    """One field as APScheduler reads it: days of the week by their names, since it numbers them otherwise."""
    parts = given.split(",")
    if len(parts) > _MOST_PARTS:
        raise _wrong(line, name, given, SIGNS)
    kept: list[str] = []
    for part in parts:
        found = _PART.fullmatch(part)
        if found is None:
            raise _wrong(line, name, part, SIGNS)
        if found["low"] == "*":
            if found["high"] is not None:
                raise _wrong(line, name, part, SIGNS)
            first, last = low, high
        else:
            first = _number(line, name, part, found["low"], low, high)
            last = _number(line, name, part, found["high"], low, high) if found["high"] else None
            last = last if last is not None else (high if found["step"] else first)
        step = int(found["step"] or 1)
        if not 1 <= step <= high:
            raise _wrong(line, name, part, f"the step after `/` goes from 1 to {high}")
        if last < first:
            raise _wrong(line, name, part, "it ends before it begins")
        kept += _written(found["low"] == "*", name, first, last, step)
    return "*" if "*" in kept else ",".join(dict.fromkeys(kept))


def _written(all_of_it: bool, name: str, first: int, last: int, step: int) -> list[str]:
    if all_of_it:
        if name == "day of the week" and step > 1:
            return [DAYS[(number - 1) % 7] for number in range(0, 7, step)]
        return ["*" if step == 1 else f"*/{step}"]
    numbers = range(first, last + 1, step)
    if name == "day of the week":
        return [DAYS[(number - 1) % 7] for number in numbers]
    return [str(number) for number in numbers]


def _number(line: str, name: str, part: str, text: str, low: int, high: int) -> int:
    if name == "month" and text in MONTHS:
        return MONTHS.index(text) + 1
    if name == "day of the week" and text in DAYS:
        return DAYS.index(text) + 1
    if not (text.isascii() and text.isdigit()) or not low <= int(text) <= high:
        raise _wrong(line, name, part, RANGE.format(low=low, high=high))
    return int(text)


def _wrong(line: str, field: str, part: str, why: str) -> ScheduleError:
    return ScheduleError(WRONG.format(line=code(line, 60), field=field, part=code(part, 20), why=why))

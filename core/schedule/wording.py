"""What people write for a time becomes a rule: “every Monday 18:00”, “in 20 minutes”, “2026-12-24 18:00”, a cron line.

What is not understood is refused with what was wrong and two ways of writing it right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from core.errors import ScheduleError
from core.names import code, plain
from core.schedule import clock_words as words
from core.schedule.cron import is_cron, read_cron
from core.schedule.repeating import read_repeating, repeats
from core.schedule.rules import Once, Rule, exists, instant

if TYPE_CHECKING:
    from datetime import tzinfo

LONGEST = 100  # characters that somebody may write
FURTHEST = timedelta(seconds=words.LONGEST_S)

LONG = "That is a long description of a time. " + words.EXAMPLES
UNKNOWN = "I do not understand {given} as a time. " + words.EXAMPLES
PAST = "{given} is over already: it is {now} now ({zone}). Write for example `tomorrow {time}` or `every day {time}`."
FAR = "{given} is too far away: I plan five years ahead at most. " + words.EXAMPLES
NEVER = "{given} never comes: no such day is in the next twelve years. " + words.EXAMPLES
OFTEN = (
    "{given} comes every {found}, and the shortest here is {shortest}. Write for example `every {shortest}` or "
    "`every day 09:30`."
)
FIELDS = (
    "A cron line has five fields: minute, hour, day, month, day of the week; {given} has {count}. Write for example "
    "`0 18 * * 1` (Mondays at 18:00) or `*/30 * * * *` (every half hour)."
)
JUMPED = "{time} does not exist on that day, since clocks are put forward; it will be the next moment that does."
TWICE = "{time} comes twice on that day, since clocks are put back; it will be the first of both."
_SEEN = 60  # times of a rule that are looked at for the shortest pause
_STAMP = re.compile(r"\d{4}-\d{2}-\d{2}t\d{2}:\d{2}(:\d{2})?(z|[+-]\d{2}:?\d{2})?")


@dataclass(frozen=True, slots=True)
class Understood:
    """A time as it was understood; `note` is a sentence about what the person may not expect, or empty."""

    rule: Rule
    note: str = ""


def understand(text: str, now: datetime, zone: tzinfo, *, shortest_s: float = 60) -> Understood:
    """The rule that somebody describes.

    Args:
        text: What they wrote.
        now: The time, aware.
        zone: Theirs.
        shortest_s: What lies between two times at least.

    Raises:
        ScheduleError: It is not understood, is over, never comes, or comes too often.
    """
    if len(text) > LONGEST:
        raise ScheduleError(LONG)
    said = _normal(text)
    try:
        found = _read(said, now, zone)
    except OverflowError as error:  # year 9999 and the like
        raise ScheduleError(FAR.format(given=code(text))) from error
    _require_possible(text, found.rule, now, zone, shortest_s)
    return found


def _normal(text: str) -> str:
    """In small letters, with single blanks, without the words that do not matter."""
    said = " ".join(plain(text, LONGEST).casefold().split()).strip(" .!")
    said = re.sub(r",(?=\s|$)", ", ", said) if "*" not in said else said
    said = re.sub(r"\b(?:please|o'clock|the)\b", " ", said)
    said = re.sub(r"\s+(?:at|on|@)\s+", " ", f" {said} ")
    return " ".join(said.split())


def _read(said: str, now: datetime, zone: tzinfo) -> Understood:
    if is_cron(said):
        return Understood(read_cron(said))
    if "*" in said and re.fullmatch(r"[\w*/, -]+", said):
        raise ScheduleError(FIELDS.format(given=code(said), count=len(said.split())))
    if said.startswith("in ") or said.endswith(" from now"):
        length_s = words.read_length(said.removeprefix("in ").removesuffix(" from now"))
        return Understood(Once(now + timedelta(seconds=length_s)))
    said = _turned(said)
    if repeats(said):
        return Understood(read_repeating(said, now.astimezone(zone).replace(tzinfo=None, fold=0), now))
    return _once(said, now, zone)


def _once(said: str, now: datetime, zone: tzinfo) -> Understood:
    wall = now.astimezone(zone).replace(tzinfo=None)
    if _STAMP.fullmatch(said):
        return _stamped(said, now, zone)
    day, at = words.split_time(said, said) if _has_time(said) else (said, None)
    found = _day_named(day, at, wall) if said else None
    if found is None:
        raise ScheduleError(UNKNOWN.format(given=code(said, 60)))
    if at is None:
        raise ScheduleError(words.NO_TIME.format(given=code(said, 60)))
    return _noted(said, datetime.combine(found, at), now, zone)


def _turned(said: str) -> str:
    """“18:00 tomorrow” as “tomorrow 18:00”."""
    found = re.fullmatch(r"(?:at )?([\d:.]+ ?(?:[ap]\.?m\.?)?|noon|midnight) (.+)", said)
    return f"{found[2]} {found[1]}" if found and _has_time(found[1]) and not _has_time(found[2]) else said


def _has_time(said: str) -> bool:
    last = said.split(" ")[-1] if said else ""
    return last in ("noon", "midday", "midnight", "am", "pm", "a.m.", "p.m.") or bool(
        re.search(r"\d:\d|\d ?[ap]m$", last)
    )


def _day_named(day: str, at: time | None, wall: datetime) -> date | None:
    """The day that words name; one that is not said to be of a year, or another, is the next one of its name."""
    passed = at is not None and at <= wall.time()
    today = wall.date()
    if day == "":
        return today + timedelta(days=1 if passed else 0)
    if day in ("today", "tonight", "this evening", "tomorrow", "day after tomorrow"):
        return today + timedelta(days={"tomorrow": 1, "day after tomorrow": 2}.get(day, 0))
    following = day.startswith("next ")
    number = words.read_weekday(day.removeprefix("next ").removeprefix("this "))
    if number is not None:
        ahead = (number - wall.weekday()) % 7
        return today + timedelta(days=7 if ahead == 0 and (passed or following) else ahead)
    found, of_a_year = words.read_date(day.removesuffix(","), today)
    if found == today and passed and not of_a_year:
        found, _ = words.read_date(day, today + timedelta(days=1))
    return found


def _stamped(said: str, now: datetime, zone: tzinfo) -> Understood:
    """An ISO time, with a zone of its own or without."""
    try:
        at = datetime.fromisoformat(said.upper())
    except ValueError as error:
        raise ScheduleError(words.BAD_DATE.format(given=code(said))) from error
    if at.tzinfo is None:
        return _noted(said, at, now, zone)
    return _noted(said, at.astimezone(zone).replace(tzinfo=None), now, zone, at)


def _noted(said: str, wall: datetime, now: datetime, zone: tzinfo, exactly: datetime | None = None) -> Understood:
    at = exactly or instant(wall, zone)
    shown = f"{wall:%H:%M}"
    if at <= now:
        told = f"{now.astimezone(zone):%Y-%m-%d %H:%M}"
        raise ScheduleError(PAST.format(given=code(said, 60), now=told, zone=zone, time=shown))
    if exactly is not None:
        return Understood(Once(at.astimezone(UTC)))
    if not exists(wall, zone):
        return Understood(Once(at), JUMPED.format(time=shown))
    twice = wall.replace(tzinfo=zone, fold=1).utcoffset() != wall.replace(tzinfo=zone, fold=0).utcoffset()
    return Understood(Once(at), TWICE.format(time=shown) if twice else "")


def _require_possible(text: str, rule: Rule, now: datetime, zone: tzinfo, shortest_s: float) -> None:
    first = rule.following(now, zone)
    if first is None:
        raise ScheduleError(NEVER.format(given=code(text, 60)))
    if isinstance(rule, Once):
        if first - now > FURTHEST:
            raise ScheduleError(FAR.format(given=code(text, 60)))
        return
    before = first
    for _ in range(_SEEN):
        at = rule.following(before, zone)
        if at is None:
            return
        pause_s = (at - before).total_seconds()
        if pause_s < shortest_s:
            found, shortest = length(pause_s), length(shortest_s)
            raise ScheduleError(OFTEN.format(given=code(text, 60), found=found, shortest=shortest))
        before = at


def length(seconds: float) -> str:
    """A length of time in words: 5 minutes, 2 hours, 1 day."""
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = round(seconds / size, 1)
            return f"{count:g} {name}{'' if count == 1 else 's'}"
    return f"{seconds:.0f} second{'' if round(seconds) == 1 else 's'}"

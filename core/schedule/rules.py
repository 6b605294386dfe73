"""When something comes next: once, every so often, every so many days, or by a cron line; right on days with a change of clocks.

What is reckoned by the clock on the wall is reckoned on the wall and brought to an instant here: a time that a day does not
have is the next moment that it has, a time that it has twice is the first of both. Only what repeats within the hours
(“every half hour”) goes on through both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

HORIZON = timedelta(days=366 * 12)  # 29 February comes again within, also around 2100
_SECOND = timedelta(seconds=1)
_FOLD = timedelta(hours=3)  # no clock is put back by more
_LOOK_BACK = tuple(timedelta(hours=hours) for hours in (1, 24, 32 * 24, 367 * 24))


def instant(wall: datetime, zone: tzinfo) -> datetime:
    """The moment in UTC at which a clock on the wall of a zone shows a time.

    One that is jumped over is the moment of the jump, one that comes twice the first of both.
    """
    at = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if exists(wall, zone):
        return at
    before, jump = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), at  # the jump lies between both readings
    offset = _offset(at, zone)
    while jump - before > _SECOND:
        middle = before + (jump - before) // _SECOND // 2 * _SECOND
        before, jump = (before, middle) if _offset(middle, zone) == offset else (middle, jump)
    return jump


def exists(wall: datetime, zone: tzinfo) -> bool:
    """Whether the clock on the wall shows that time at all that day."""
    at = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return at.astimezone(zone).replace(tzinfo=None, fold=0) == wall


@dataclass(frozen=True, slots=True)
class Once:
    """One moment."""

    at: datetime

    def following(self, after: datetime, zone: tzinfo) -> datetime | None:
        """The moment, if it is still to come."""
        del zone
        return self.at if self.at > after else None

    @property
    def text(self) -> str:
        """As it is stored."""
        return f"once {self.at.isoformat()}"


@dataclass(frozen=True, slots=True)
class Every:
    """Every so many seconds that pass, counted from a moment; clocks on walls do not matter."""

    seconds: int
    start: datetime

    def following(self, after: datetime, zone: tzinfo) -> datetime | None:
        """The next one."""
        del zone
        if after < self.start:
            return self.start
        passed = (after - self.start) // timedelta(seconds=self.seconds)
        return self.start + timedelta(seconds=self.seconds * (passed + 1))

    @property
    def text(self) -> str:
        """As it is stored."""
        return f"every {self.seconds} {self.start.isoformat()}"


@dataclass(frozen=True, slots=True)
class EveryDays:
    """Every so many days at a time of the day, counted from a day; `start` is naive, as on the wall."""

    days: int
    start: datetime

    def following(self, after: datetime, zone: tzinfo) -> datetime | None:
        """The next one."""
        wall = after.astimezone(zone).replace(tzinfo=None)
        passed = max(0, (wall - self.start) // timedelta(days=self.days) - 1)
        while True:
            at = instant(self.start + timedelta(days=self.days * passed), zone)
            if at > after:
                return at
            passed += 1

    @property
    def text(self) -> str:
        """As it is stored."""
        return f"days {self.days} {self.start.isoformat()}"


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron line of checked fields, as `core.schedule.cron` reads it: minute, hour, day, month, day of the week.

    Where both days are given, either will do, as every cron does.
    """

    minute: str
    hour: str
    day: str
    month: str
    weekday: str

    def following(self, after: datetime, zone: tzinfo) -> datetime | None:
        """The next one within twelve years; None if there is none."""
        wall = after.astimezone(zone).replace(tzinfo=None, fold=0)
        first = next((at for each in self._walls(wall) if (at := instant(each, zone)) > after), None)
        if first is None or not self._within_hours:
            return first
        if _offset(after - _FOLD, zone) <= _offset(first, zone):
            return first  # no clock is put back around here
        again = (_second(each, zone) for each in self._walls(wall - _FOLD, until=wall + 2 * _FOLD))
        return min((at for at in again if at is not None and after < at < first), default=first)

    @property
    def text(self) -> str:
        """As it is stored."""
        return f"cron {self.minute};{self.hour};{self.day};{self.month};{self.weekday}"

    @property
    def _within_hours(self) -> bool:
        """Whether it repeats with the hours, and not at given ones."""
        return self.hour.startswith("*")

    def _walls(self, start: datetime, until: datetime | None = None) -> Iterator[datetime]:
        """Times on the wall, from `start` on, that the line names. A world without changes of clocks: UTC stands for it."""
        end = min(until or start + HORIZON, datetime(9998, 1, 1))  # noqa: DTZ001 - on the wall
        triggers = [self._trigger(self.day, "*", end), self._trigger("*", self.weekday, end)]
        if self.day.startswith("*") or self.weekday == "*":
            triggers = [self._trigger(self.day, self.weekday, end)]
        found = [_next(trigger, start) for trigger in triggers]
        while any(found):
            wall = min(each for each in found if each is not None)
            yield wall
            after = wall + timedelta(seconds=1)
            found = [
                _next(trigger, after) if each == wall else each for each, trigger in zip(found, triggers, strict=True)
            ]

    def _trigger(self, day: str, weekday: str, end: datetime) -> Any:
        from apscheduler.triggers.cron import CronTrigger  # pyright: ignore[reportMissingTypeStubs] - it has none

        make = cast("Any", CronTrigger)
        return make(
            minute=self.minute,
            hour=self.hour,
            day=day,
            month=self.month,
            day_of_week=weekday,
            end_date=end.replace(tzinfo=UTC),  # else a day that never comes is looked for until the year 9999
            timezone=UTC,
        )


Rule = Once | Every | EveryDays | Cron


def read_rule(text: str) -> Rule:
    """A rule as it was stored.

    Raises:
        ValueError: It is none.
    """
    kind, _, rest = text.partition(" ")
    if kind == "once":
        return Once(datetime.fromisoformat(rest))
    if kind == "every":
        seconds, _, start = rest.partition(" ")
        return Every(int(seconds), datetime.fromisoformat(start))
    if kind == "days":
        days, _, start = rest.partition(" ")
        return EveryDays(int(days), datetime.fromisoformat(start))
    if kind == "cron":
        minute, hour, day, month, weekday = rest.split(";")
        return Cron(minute, hour, day, month, weekday)
    raise ValueError(f"no rule: {text[:40]!r}")


def latest(rule: Rule, until: datetime, zone: tzinfo, *, since: datetime) -> datetime:
    """The last time of a rule up to `until`, not looking before `since`, which is one.

    It takes about the same whether a minute or a year has passed.
    """
    for back in _LOOK_BACK:
        start = until - back
        if start <= since:
            break
        found = None
        at = rule.following(start, zone)
        while at is not None and at <= until:
            found, at = at, rule.following(at, zone)
        if found is not None:
            return found
    found = since
    at = rule.following(since, zone)
    while at is not None and at <= until:
        found, at = at, rule.following(at, zone)
    return found


def count(rule: Rule, since: datetime, until: datetime, zone: tzinfo, most: int) -> int:
    """How often a rule comes after `since` and up to `until`; it is not counted further than to `most`."""
    found = 0
    at = rule.following(since, zone)
    while at is not None and at <= until and found < most:
        found, at = found + 1, rule.following(at, zone)
    return found


def _next(trigger: Any, start: datetime) -> datetime | None:
    found: datetime | None = trigger.get_next_fire_time(None, start.replace(tzinfo=UTC))
    return None if found is None else found.replace(tzinfo=None)


def _offset(at: datetime, zone: tzinfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def _second(wall: datetime, zone: tzinfo) -> datetime | None:
    """The second moment at which the wall shows a time; None if there is one alone."""
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return second if second > first else None

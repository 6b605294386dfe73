"""What is to become of times that are due: done, made up once, or skipped. Plain functions of what is known and the time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from core.schedule.rules import count, latest, read_rule

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from core.schedule.rules import Rule
    from core.store.schedules import Schedule

ON_TIME = timedelta(seconds=60)  # what is not later is on time
BACK = timedelta(hours=6)  # a clock that is put back by no more repeats nothing; by more, it was wrong before
MOST_COUNTED = 100  # of times that were missed: a line of every five minutes has 100,000 a year

MISSED = "{times} missed, the last {at}: {why}."
SKIPPED, MADE_UP, DONE_SINCE = " Skipped.", " Made up once.", ""
NEW_CLOCK = "My clock went back by more than six hours; the next time is reckoned anew."


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of a schedule that is due.

    Attributes:
        schedule: As it was when this was planned.
        due: The time that is done, or the last of those that are skipped.
        run: Whether it is done.
        late_s: How late that is.
        next_at: When it is due then; None: never again.
        missed: How many times are not done.
        note: What to say of those; empty if there is none.
    """

    schedule: Schedule
    due: datetime
    run: bool
    late_s: float
    next_at: datetime | None
    missed: int = 0
    note: str = ""


def plan(schedule: Schedule, now: datetime, zone: ZoneInfo, why: str) -> Plan:
    """What becomes of a schedule whose time has come; `why` says what kept it, if it is late."""
    rule = read_rule(schedule.rule)
    first = schedule.next_at or now
    if now - first <= ON_TIME:
        return Plan(schedule, first, True, (now - first).total_seconds(), rule.following(first, zone))
    last = latest(rule, now, zone, since=first)
    before = count(rule, first, last, zone, MOST_COUNTED)
    late = now - last
    on_time = late <= ON_TIME
    run = on_time or (schedule.late == "once" and late <= timedelta(seconds=schedule.grace_s))
    missed = before if on_time else before + 1
    ending = DONE_SINCE if on_time else (MADE_UP if run else SKIPPED)
    times = "1 time" if missed == 1 else f"{missed}{'+' if before >= MOST_COUNTED else ''} times"
    told = _before(rule, first, last, zone) if on_time else last
    note = MISSED.format(times=times, at=stamp(told), why=why) + ending
    return Plan(schedule, last, run, late.total_seconds(), rule.following(last, zone), missed, note)


def follows(schedule: Schedule, after: datetime, zone: ZoneInfo) -> datetime | None:
    """When a schedule comes next after a moment."""
    return read_rule(schedule.rule).following(after, zone)


def mended(schedule: Schedule, now: datetime, zone: ZoneInfo) -> Schedule | None:
    """A schedule whose next time was reckoned by a clock that was wrong, as it is by the one that is right; None: it is right.

    What was done is not done again when the clock comes back from wherever it was.
    """
    if schedule.rule.startswith("once") or schedule.next_at is None or schedule.state == "over":
        return None
    last = schedule.last_due
    if max(schedule.added_at, last or schedule.added_at) > now + BACK:
        next_at = follows(schedule, now, zone)
        note = schedule.missed_last if next_at == schedule.next_at else NEW_CLOCK
        return replace(schedule, added_at=min(schedule.added_at, now), next_at=next_at, missed_last=note)
    if last is not None and schedule.next_at <= last <= now:
        return replace(schedule, next_at=follows(schedule, last, zone))
    return None


def stamp(at: datetime, style: str = "f") -> str:
    """A moment as Discord shows it to each reader in their own time zone."""
    return f"<t:{int(at.timestamp())}:{style}>"


def _before(rule: Rule, first: datetime, last: datetime, zone: ZoneInfo) -> datetime:
    """The time before the last one: that is the last that was missed."""
    return latest(rule, last - timedelta(seconds=1), zone, since=first)

"""What people read about schedules, as Discord's markdown; what somebody wrote is no markup in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.discord_limits import CHOICE_LENGTH
from core.names import code, plain, shown
from core.schedule.planning import stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.schedule.service import Schedules
    from core.store.schedules import Schedule

PAGE = 8  # schedules of one message, if they are short
PAGE_CHARACTERS = 1850
DETAIL = 200  # characters of how something went
DOES = {
    "say": "says in {channel}: “{text}”",
    "ask": "asks the model, and answers in {channel}: “{text}”",
    "play": "plays {file} in the voice channel",
    "picture": "posts a picture in {channel}{text}",
    "record": "records {channel}",
}
OUTCOMES = {
    "done": "✅ done",
    "failed": "⚠️ failed",
    "overdue": "⚠️ given up",
    "skipped": "⏭️ skipped",
    "cut": "⚠️ broken off",
}
ADDED = "Scheduled as **#{id}**: {does}. {when} Next: {next}."
ONE_TIME = "One time."
REPEATED = "It repeats: {wording}, in the time zone {zone}."
LATE = {
    "skip": "A time that I miss by more than a minute is skipped.",
    "once": "Times that I miss are made up once, if that is within {grace}.",
}
NONE = (
    "Nothing is scheduled here. `/schedule add` does that, for example `when:every Monday 18:00 what:say text:Hello`."
)
HEAD = "**Schedules** ({count} of {most}), in the time zone {zone}{pages}"
PAGES = ", page {page} of {pages}"
NO_PAGE = "There are {pages} page(s)."


def does(schedule: Schedule) -> str:
    """What a schedule does, in a few words."""
    what = schedule.what
    text = shown(str(what.get("text", "")), 80)
    if schedule.kind == "picture":
        text = f": “{text}”" if text else ""
    return DOES.get(schedule.kind, "does something that this version does not know").format(
        channel=f"<#{schedule.channel_id}>", text=text, file=shown(str(what.get("file", "")), 80)
    )


def added(schedule: Schedule, schedules: Schedules, note: str, grace: str) -> str:
    """What becomes of a schedule that was just added."""
    when = when_of(schedule, schedules)
    text = ADDED.format(id=schedule.id, does=does(schedule), when=when, next=next_of(schedule))
    return " ".join(part for part in (text, note, LATE[schedule.late].format(grace=grace)) if part)


def when_of(schedule: Schedule, schedules: Schedules) -> str:
    """Whether and how it repeats, as a sentence."""
    if schedule.rule.startswith("once"):
        return ONE_TIME
    zone = schedules.zone(schedule.guild_id).key
    return REPEATED.format(wording=code(schedule.wording, 60), zone=zone)


def listed(found: Sequence[Schedule], schedules: Schedules, page: int, most: int, zone: str) -> str:
    """One page of the list."""
    if not found:
        return NONE
    pages = _pages([_line(each, schedules.waits(each.id)) for each in found])
    if page > len(pages):
        return NO_PAGE.format(pages=len(pages))
    count = sum(each.state != "over" for each in found)
    told = PAGES.format(page=page, pages=len(pages)) if len(pages) > 1 else ""
    return "\n".join([HEAD.format(count=count, most=most, zone=zone, pages=told), *pages[page - 1]])


def _pages(lines: Sequence[str]) -> list[list[str]]:
    """The lines as messages take them: none is cut, and none is left out."""
    pages: list[list[str]] = [[]]
    for line in lines:
        if pages[-1] and (len(pages[-1]) >= PAGE or sum(map(len, pages[-1])) + len(line) > PAGE_CHARACTERS):
            pages.append([])
        pages[-1].append(line)
    return pages


def _line(schedule: Schedule, waits: str) -> str:
    parts = [f"**#{schedule.id}** {code(schedule.wording, 60)} {does(schedule)}"]
    if schedule.state == "over":
        parts.append("-# over")
    elif schedule.state == "paused":
        parts.append(f"-# ⏸️ paused{f': {_cut(schedule.reason)}' if schedule.reason else ''}")
    elif waits:
        parts.append(f"-# ⏳ due {next_of(schedule)}, and waits: {waits}")
    else:
        parts.append(f"-# next {next_of(schedule)}")
    if schedule.outcome and schedule.last_due is not None:
        detail = f": {_cut(schedule.detail)}" if schedule.detail else ""
        parts[-1] += f" · last {stamp(schedule.last_due, 'R')} {OUTCOMES[schedule.outcome]}{detail}"
    if schedule.missed_last:
        parts.append(f"-# {schedule.missed_last}")
    return "\n".join(parts)


def _cut(sentence: str) -> str:
    return sentence if len(sentence) <= DETAIL else f"{sentence[: DETAIL - 1]}…"


def choice(schedule: Schedule) -> str:
    """A schedule as a choice of a command, which shows no markup."""
    state = "" if schedule.state == "active" else f" ({schedule.state})"
    what = schedule.what.get("text") or schedule.what.get("file") or ""
    return plain(f"#{schedule.id} {schedule.wording}: {schedule.kind} {what}{state}", CHOICE_LENGTH)


def next_of(schedule: Schedule) -> str:
    """When a schedule comes next, as Discord shows it to each reader in their own time."""
    return "never" if schedule.next_at is None else f"{stamp(schedule.next_at, 'F')} ({stamp(schedule.next_at, 'R')})"

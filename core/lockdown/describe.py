"""Describes the lockdown's status in lines that people read, in Discord's markup."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.discord_limits import FIELD_LENGTH as FIELD
from core.names import code, plain, shown, shown_reason

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from core.lockdown.status import FeatureStatus, LockdownStatus, OwedUndo
    from core.machine.memory import Memory
    from core.store.lockdown import Hold

GIB = 2**30
MARKS = {"free": "▫️", "locked": "🔒", "resuming": "⚠️", "answering": "💬"}
KINDS = {"route": "the model route", "hook": "the hook", "lock": "the lock of", "pause": "resuming"}
NOTHING = "Nothing takes part yet: no loaded cog has registered a feature."


def overview(status: LockdownStatus) -> list[str]:
    """Who holds locks, one line each."""
    return [_hold(hold) for hold in status.holds] or ["Nothing is locked."]


def features(status: LockdownStatus) -> list[str]:
    """Each feature: state, why, since when, what waits, what failed."""
    return [_feature(feature) for feature in status.features] or [NOTHING]


def problems(status: LockdownStatus) -> list[str]:
    """What could not be applied, and what is still to be undone."""
    return [f"⚠️ {fault}" for fault in status.faults] + [_owed(owed) for owed in status.owed]


def problem_count(status: LockdownStatus) -> str:
    """The same without saying of what: hooks, routes and machines are the owner's business. Empty if all is well."""
    count = len(status.faults) + len(status.owed)
    return f"⚠️ {count} thing(s) failed or are not undone yet; the bot's owner sees which." if count else ""


def short(locked: int, faults: int, owed: int) -> str:
    """All of it in one line, with nothing said of what is as it should be."""
    parts = [f"🔒 {locked} feature(s)" if locked else "nothing locked"]
    parts += [f"⚠️ {faults} could not give way"] if faults else []
    parts += [f"⚠️ {owed} not undone yet"] if owed else []
    return ", ".join(parts) + (": see `/lockdown status`" if faults or owed else "")


def undo(owed: OwedUndo) -> str:
    """What is to be undone."""
    return f"{KINDS[owed.kind]} “{shown(owed.name)}”"


def undo_choice(owed: OwedUndo) -> str:
    """What is to be undone, as a choice of a command, where markdown is not read."""
    return plain(f"{KINDS[owed.kind]} “{owed.name}”")


def memories(found: Sequence[Memory]) -> list[str]:
    """How full each memory is."""
    return [
        f"{shown(memory.name)}: {memory.used_bytes / GIB:.1f} of {memory.total_bytes / GIB:.1f} GiB ({memory.share:.0%})"
        for memory in found
    ]


def cut(lines: Sequence[str], limit: int = FIELD) -> str:
    """As many lines as fit, and how many more there are."""
    shown: list[str] = []
    room = limit - 20
    for index, line in enumerate(lines):
        if len(line) + 1 > room:
            return "\n".join([*shown, f"and {len(lines) - index} more"])
        shown.append(line)
        room -= len(line) + 1
    return "\n".join(shown)


def fields(lines: Sequence[str], most: int = 3) -> list[str]:
    """Lines in as many fields as they need, up to `most`; what does not fit is counted in the last."""
    found: list[str] = []
    rest = list(lines)
    while rest and len(found) < most - 1:
        count = 1
        while count < len(rest) and len("\n".join(rest[: count + 1])) < FIELD - 20:
            count += 1
        found.append(cut(rest[:count]))
        rest = rest[count:]
    return [*found, cut(rest)] if rest else found


def low_memory(name: str, used_bytes: int, total_bytes: int) -> str:
    """The warning in the prompt channel."""
    return (
        f"⚠️ {shown(name)} is nearly full: {used_bytes / GIB:.1f} of {total_bytes / GIB:.1f} GiB. "
        "The voice may stutter; closing other programs helps."
    )


def _hold(hold: Hold) -> str:
    what = "everything" if hold.feature is None else f"“{shown(hold.feature)}”"
    where = f" in <#{hold.channel_id}>" if hold.channel_id else ""
    until = f", until {_moment(hold.until)}" if hold.until else ""
    return f"🔒 {shown_reason(hold.reason)}{where} holds {what} since {_moment(hold.since)}{until}"


def _feature(feature: FeatureStatus) -> str:
    parts = [feature.state]
    if feature.since is not None:
        parts.append(f"since {_moment(feature.since)}")
        parts.append(" and ".join(dict.fromkeys(shown_reason(hold.reason) for hold in feature.holds)))
    if feature.waiting:
        parts.append(f"{feature.waiting} waiting")
    if feature.in_use:
        parts.append(f"{feature.in_use} in use")
    line = f"{MARKS[feature.state]} **{shown(feature.title)}** ({code(feature.name)}, {feature.policy}): {', '.join(parts)}"
    return f"{line}\n⚠️ {feature.fault}" if feature.fault else line


def _owed(owed: OwedUndo) -> str:
    what = undo(owed)
    if owed.next_try_at is None and owed.kind != "pause" and not owed.error:
        return f"⚠️ Not undone yet: {what}; it is being tried now."
    if owed.next_try_at is None:
        return f"⚠️ Not undone yet: {what}; it waits until its cog is loaded." if not owed.error else _failed(owed, what)
    return f"{_failed(owed, what)} Next try {_moment(owed.next_try_at)}."


def _failed(owed: OwedUndo, what: str) -> str:
    return f"⚠️ Not undone yet: {what}, tried {owed.attempts} time(s). {owed.error or ''}".rstrip()


def _moment(at: datetime) -> str:
    return f"<t:{int(at.timestamp())}:R>"

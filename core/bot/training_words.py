"""What the commands of the trainer say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from core.names import shown, shown_text
from core.training.sets import NONE, DataSets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from core.store.training_records import Instruction
    from core.store.training_values import Example
    from core.training.sets import Overview

CREATED = "The data set {name} is made: what people judge from now on goes into it."
SELECTED = "What people judge from now on goes into {name}."
ARCHIVED = "Put aside, with today's date: {names}. Nothing is lost: `/trainer dataset select` brings one back."
NOTHING_TO_ARCHIVE = "There is nothing to put aside."
SURE = "Delete {name} with its {count} examples for good? `/trainer dataset archive` would only put it aside."
DELETED = "{name} is deleted, with its {count} examples."
IMPORTED = "{count} {what} read into {name}, each with where it came from."
GONE = "That data set is not there any more."
HOLDS = "I go by this instruction here from now on (version {version}):\n{text}"
TAKEN_AWAY = "There is no instruction here from now on (version {version}); `undo` brings the one before back."
UNDONE = "The newest version is taken back. {now}"
NOW = "What holds now:\n{text}"
NO_INSTRUCTION = "No instruction holds here."
VERSIONS = "{count} versions are kept: `/trainer file name:instruction` sends them all."
LISTED = 20
SHOWN = 3  # examples of a data set
TASTE = 300  # characters of each text of one


def set_list(sets: Sequence[Overview], waiting: int) -> str:
    """The data sets of a server."""
    if not sets:
        return NONE
    lines: list[str] = []
    for each in sets[-LISTED:]:
        kept = each.kept
        aside = f", put aside {_day(kept.archived_at)}" if kept.archived_at else ""
        mark = " ← takes what is judged" if kept.selected else ""
        lines.append(f"{DataSets.shown(kept.name)}: {_count(each.count)}, made {_day(kept.made_at)}{aside}{mark}")
    if len(sets) > LISTED:
        lines.append(f"and {len(sets) - LISTED} older ones")
    return "\n".join([*lines, f"{waiting} of my answers are kept to be judged."])


def set_shown(name: str, count: int, ready: int) -> str:
    """How much is in a data set; what people said who have not agreed is shown to nobody."""
    return f"{DataSets.shown(name)}: {_count(count)}, of which {ready} may be handed out."


def example_shown(example: Example) -> str:
    """One example, shortened."""
    asked = next((line for line in reversed(example.messages) if line.role == "user"), None)
    parts = [f"**{shown(example.source)}**, {_day(example.at)}"]
    parts += [f"> {_quoted(asked.content)}"] if asked else []
    parts += [f"✅ {_quoted(example.chosen)}"] if example.chosen else []
    parts += [f"❌ {_quoted(example.rejected)}"] if example.rejected else []
    return "\n".join(parts)


def archived(put: Sequence[Overview]) -> str:
    """What was put aside."""
    if not put:
        return NOTHING_TO_ARCHIVE
    return ARCHIVED.format(names=", ".join(f"{DataSets.shown(each.kept.name)} ({_count(each.count)})" for each in put))


def instruction_shown(versions: Sequence[Instruction], now: str) -> str:
    """What holds, and how many versions there are."""
    holds = NOW.format(text=quoted(now)) if now else NO_INSTRUCTION
    return f"{holds}\n{VERSIONS.format(count=len(versions))}" if versions else holds


def quoted(text: str) -> str:
    """A text of several lines, quoted, its markup protected."""
    return "\n".join(f"> {line}" for line in shown_text(text).split("\n"))


def _quoted(text: str) -> str:
    return shown_text(" ".join(text.split()), TASTE)


def _count(count: int) -> str:
    return f"{count} example{'' if count == 1 else 's'}"


def _day(moment: datetime) -> str:
    return discord.utils.format_dt(moment, "d")

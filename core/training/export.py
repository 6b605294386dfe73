"""Makes the files of a data set: without people and secrets, checked, split, and read once more as whoever gets them would.

It computes for a while on what people wrote: it runs in a process that may be ended.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.errors import TrainingError
from core.training.checks import Checked
from core.training.formats import EXTENSIONS, count_lines, write
from core.training.placeholders import Placeholders
from core.training.reading import read
from core.training.split import split

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.store.training_values import Example
    from core.training.checks import CountTokens, Format

UNREADABLE = "What I made of that data set could not be read again, so it does not go out; the log says more."
LEAKED = "What I made of that data set still held the id of a person, so it does not go out."
_ROOM = 2**40


@dataclass(frozen=True, slots=True)
class ExportWish:
    """How a data set is to be handed out. `share` is that of the conversations held out as a test; 0 makes one file."""

    form: Format
    share: float
    seed: int
    max_tokens: int
    count_tokens: CountTokens  # a top-level function: it travels to another process
    secrets: tuple[str, ...] = field(default=(), repr=False)
    names: tuple[tuple[int, tuple[str, ...]], ...] = ()  # that people go by, beside those in the examples


@dataclass(frozen=True, slots=True)
class FilePart:
    """One file: its examples, and its bytes in the format that was wished."""

    examples: tuple[Example, ...]
    data: bytes
    lines: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Made:
    """The files of a data set, and what was left out of them or replaced in them."""

    train: FilePart
    test: FilePart
    left_out: Mapping[str, int]
    dropped: int
    secrets: int
    people: int


def make(examples: Sequence[Example], wish: ExportWish) -> Made:
    """The files of a data set, of examples whose people agreed.

    Raises:
        TrainingError: What was made does not stand its own checks.
    """
    people = _names(examples, wish)
    others = {user_id: names for user_id, names in wish.names if user_id not in people}
    placeholders = Placeholders(people, wish.secrets, others)
    cleaned = [placeholders.clean(each) for each in examples]
    checked = Checked([each.example for each in cleaned], wish.form, wish.max_tokens, wish.count_tokens)
    parts = split(checked.kept, wish.share, wish.seed)
    train, test = _part(parts.train, wish, checked), _part(parts.test, wish, checked)
    _require_sound(train, test, wish, [user_id for each in examples for user_id in each.people])
    secrets, mentions = sum(each.secrets for each in cleaned), sum(each.people for each in cleaned)
    return Made(train, test, dict(checked.left_out), parts.dropped, secrets, mentions)


def _names(examples: Sequence[Example], wish: ExportWish) -> dict[int, list[str]]:
    by_now = dict(wish.names)
    names: dict[int, list[str]] = {}
    for each in examples:
        for user_id, name in each.people.items():
            names.setdefault(user_id, list(by_now.get(user_id, ()))).append(name)
        for line in each.messages:
            if line.name and line.name not in each.people.values():
                names.setdefault(-len(names) - 1, []).append(line.name)  # a character, or somebody without an id
    return {user_id: list(dict.fromkeys(filter(None, known))) for user_id, known in names.items()}


def _part(examples: Sequence[Example], wish: ExportWish, checked: Checked) -> FilePart:
    lines, tokens = count_lines(examples, wish.form), checked.tokens_in(examples)
    return FilePart(tuple(examples), write(examples, wish.form), lines, tokens)


def _require_sound(train: FilePart, test: FilePart, wish: ExportWish, people: Sequence[int]) -> None:
    """Read the files as their takers would: each line is whole, and no id of a person is in any."""
    for part in (train, test):
        if not part.examples:
            continue
        if any(str(user_id).encode() in part.data for user_id in set(people)):
            raise TrainingError(LEAKED)
        try:
            found = read(part.data, _ROOM, _ROOM)
        except TrainingError as error:
            raise TrainingError(UNREADABLE) from error
        if len(found) != part.lines:
            raise TrainingError(UNREADABLE)
        asked = Counter(each.messages[-1].role for each in found)
        if set(asked) != {"user"}:
            raise TrainingError(UNREADABLE)


def file_name(name: str, side: str, form: Format) -> str:
    """The name of a file; `side` is “train”, “test”, or empty."""
    kept = "".join(character if character.isalnum() or character in "-_" else "-" for character in name).strip("-")
    return ".".join(part for part in (kept[:60] or "data", side, form, EXTENSIONS[form]) if part)

"""A server's data sets: made, selected, shown, put aside with their date, deleted; none of it loses what people judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import TrainingError
from core.names import plain, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.clock import Clock
    from core.config.trainer import TrainerSection
    from core.store.training_sets import SetsRepository
    from core.store.training_values import Example, PeopleOf, TrainingSet

FIRST = "corrections"  # what people judge goes there until somebody makes or selects another
LONGEST_NAME = 60
NO_SUCH = "There is no data set {name} here. {known}"
KNOWN = "There are: {names}."
NONE = "There is none yet: `/trainer dataset create` makes one."
TAKEN = "There is a data set {name} already."
NAMELESS = "A data set needs a name that can be read."
FULL = "This server has {there} examples, and may keep {most}: export and delete a data set to make room."
TOO_MANY = (
    "That has {count} examples; with the {there} that are here it would be more than the {most} that a server may keep."
)
LISTED = 20
MOST_SETS = 500
FULL_OF_SETS = "This server has {most} data sets; delete one to make room for another."


@dataclass(frozen=True, slots=True)
class Overview:
    """A data set, and how many examples it has."""

    kept: TrainingSet
    count: int


class DataSets:
    """The data sets of all servers; each belongs to one."""

    def __init__(self, section: TrainerSection, sets: SetsRepository, clock: Clock) -> None:
        self._section = section
        self._sets = sets
        self._clock = clock
        self._names: dict[int, list[str]] = {}  # by server, for whoever types: answered from memory

    def names(self, guild_id: int) -> Sequence[str]:
        """The names of a server's data sets, as far as they were looked at since the start."""
        return self._names.get(guild_id, ())

    @staticmethod
    def shown(name: str) -> str:
        """A data set's name as a message may show it."""
        return f"“{shown(name, LONGEST_NAME)}”"

    async def list(self, guild_id: int) -> list[Overview]:
        """A server's data sets, oldest first."""
        counts = await self._sets.counts(guild_id)
        sets = await self._sets.all(guild_id)
        self._names[guild_id] = [each.name for each in sets]
        return [Overview(each, counts.get(each.id, 0)) for each in sets]

    async def find(self, guild_id: int, name: str) -> TrainingSet:
        """A data set by its name.

        Raises:
            TrainingError: The server has none of that name.
        """
        sets = [each.kept for each in await self.list(guild_id)]
        found = next((each for each in sets if each.name.casefold() == name.strip().casefold()), None)
        if found is None:
            names = ", ".join(self.shown(each.name) for each in sets[:LISTED])
            known = KNOWN.format(names=names) if names else NONE
            raise TrainingError(NO_SUCH.format(name=self.shown(name), known=known))
        return found

    async def create(self, guild_id: int, name: str, by_id: int | None) -> TrainingSet:
        """Make an empty data set, and select it.

        Raises:
            TrainingError: The name is taken, or none.
        """
        name = plain(name, LONGEST_NAME)
        if not any(character.isalnum() for character in name):
            raise TrainingError(NAMELESS)
        if await self._sets.named(guild_id, name) is not None:
            raise TrainingError(TAKEN.format(name=self.shown(name)))
        if len(await self._sets.all(guild_id)) >= MOST_SETS:
            raise TrainingError(FULL_OF_SETS.format(most=MOST_SETS))
        made = await self._sets.create(guild_id, name, by_id, self._clock.now(), selected=True)
        await self.list(guild_id)
        return made

    async def for_import(self, guild_id: int, name: str | None, file_name: str, by_id: int) -> TrainingSet:
        """The data set of that name; without one, a new one called like the file. What people judge goes where it went.

        Raises:
            TrainingError: The server has none of that name.
        """
        if name is not None:
            return await self.find(guild_id, name)
        taken = {each.kept.name.casefold() for each in await self.list(guild_id)}
        title = plain(file_name.partition(".")[0], LONGEST_NAME - 4)
        title = title if any(map(str.isalnum, title)) else "import"
        names = (title if not number else f"{title} {number + 1}" for number in range(len(taken) + 1))
        free = next(each for each in names if each.casefold() not in taken)
        made = await self._sets.create(guild_id, free, by_id, self._clock.now(), selected=False)
        await self.list(guild_id)
        return made

    async def select(self, guild_id: int, name: str) -> TrainingSet:
        """Have what people judge go into this data set; one that was put aside comes back."""
        kept = await self.find(guild_id, name)
        await self._sets.select(kept)
        return kept

    async def archive(self, guild_id: int, name: str | None = None) -> list[Overview]:
        """Put one data set aside, or all, with today's date; nothing in them is lost. Returns those that were not before.

        Raises:
            TrainingError: The server has none of that name.
        """
        chosen = await self.find(guild_id, name) if name is not None else None
        put = await self._sets.archive(guild_id, self._clock.now(), chosen.id if chosen else None)
        counts = await self._sets.counts(guild_id)
        return [Overview(each, counts.get(each.id, 0)) for each in put]

    async def delete(self, kept: TrainingSet) -> int:
        """Delete a data set for good; returns how many examples it had."""
        count = await self._sets.delete(kept.id)
        await self.list(kept.guild_id)
        return count

    async def by_id(self, guild_id: int, set_id: int) -> TrainingSet | None:
        """A data set of a server by its number."""
        return next((each for each in await self._sets.all(guild_id) if each.id == set_id), None)

    async def examples(self, kept: TrainingSet, ids: Sequence[int] | None = None) -> list[Example]:
        """Everything in a data set, in the order in which it came; or the examples of these numbers."""
        return await self._sets.examples(kept.id, ids)

    async def people(self, kept: TrainingSet) -> list[PeopleOf]:
        """Whose words each example of a data set holds, in the order in which they came."""
        return await self._sets.people(kept.id)

    async def add_judged(self, example: Example) -> TrainingSet:
        """Put an example into the selected data set; where none is, into a new one.

        Raises:
            TrainingError: The server has no room for more.
        """
        await self.require_room(example.guild_id, 1)
        sets = await self._sets.all(example.guild_id)
        kept = next((each for each in sets if each.selected), None)
        if kept is None:
            taken = {each.name.casefold() for each in sets}
            names = (FIRST if not number else f"{FIRST} {number + 1}" for number in range(len(sets) + 1))
            kept = await self.create(example.guild_id, next(name for name in names if name not in taken), None)
        await self._sets.add(kept.id, [example])
        return kept

    async def add(self, kept: TrainingSet, examples: Sequence[Example]) -> None:
        """Add many examples, all or none.

        Raises:
            TrainingError: The server has no room for so many.
        """
        await self.require_room(kept.guild_id, len(examples))
        await self._sets.add(kept.id, examples)

    async def require_room(self, guild_id: int, more: int) -> None:
        """Refuse more than a server may keep.

        Raises:
            TrainingError: It would be more.
        """
        there, most = sum((await self._sets.counts(guild_id)).values()), self._section.max_examples
        if there + more > most:
            raise TrainingError((FULL if more == 1 else TOO_MANY).format(count=more, there=there, most=most))

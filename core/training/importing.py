"""Takes examples from files that people send: in the formats that we write, all or none; or what they say in a sound file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import TrainingError, WorkerDied, WorkerOverdue, WorkerOverMemory
from core.names import plain
from core.store.training_values import Example, Line
from core.training.reading import ReadExample, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.clock import Clock
    from core.config.trainer import TrainerSection
    from core.machine.lane import Lane, Owner
    from core.store.training_values import TrainingSet
    from core.training.sets import DataSets

TOO_MUCH_WORK = "That file takes too much time or memory to read, so nothing was read from it."
DEADLINE_S = 20.0
LONGEST_SOURCE = 80


class Importing:
    """Reads files where what strangers send is opened, within a budget."""

    def __init__(self, section: TrainerSection, data_sets: DataSets, strangers: Lane, clock: Clock) -> None:
        self._section = section
        self._data_sets = data_sets
        self._strangers = strangers
        self._clock = clock

    @property
    def most_bytes(self) -> int:
        """Of a file."""
        return int(self._section.max_import_mb * 1e6)

    async def read(self, data: bytes, owner: Owner) -> list[ReadExample]:
        """The examples of a file, all or none.

        Raises:
            TrainingError: Something in it is wrong; its sentence names the lines.
            WorkerError: Too much waits already.
        """
        try:
            most = self._section.max_examples
            return await self._strangers.run(read, data, self.most_bytes, most, deadline_s=DEADLINE_S, owner=owner)
        except (WorkerOverdue, WorkerOverMemory, WorkerDied) as error:
            raise TrainingError(TOO_MUCH_WORK) from error

    async def add(self, kept: TrainingSet, found: Sequence[ReadExample], file_name: str, owner: Owner) -> None:
        """Add the examples of a file to a data set, all or none.

        They are nobody's words here: whoever brings them answers for their permission, and stands beside each of them.

        Raises:
            TrainingError: The server has no room for so many.
        """
        now, source = self._clock.now(), f"import of {plain(file_name, LONGEST_SOURCE)}"
        examples = [
            Example(
                guild_id=kept.guild_id,
                conversation=f"import/{each.conversation}",
                messages=each.messages,
                source=source,
                at=now,
                chosen=each.chosen,
                rejected=each.rejected,
                note=each.note,
                by_id=owner.user_id,
            )
            for each in found
        ]
        await self._data_sets.add(kept, examples)

    async def add_spoken(self, kept: TrainingSet, asked: str, answer: str, owner: Owner, name: str) -> Example:
        """Add what was said in a sound file, with the answer that it should have.

        It holds the words of whoever brings it: they must agree before it goes anywhere, as with what they type.

        Raises:
            TrainingError: The server has no room for more.
        """
        example = Example(
            guild_id=kept.guild_id,
            conversation=f"spoken/{self._clock.now():%Y%m%dT%H%M%S%f}",
            messages=(Line("user", asked, name),),
            source="sound file",
            at=self._clock.now(),
            chosen=answer,
            by_id=owner.user_id,
            people={owner.user_id: name},
        )
        await self._data_sets.add(kept, [example])
        return example

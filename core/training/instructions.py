"""A server's standing instruction: every version is kept, the newest that was not undone holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from core.clock import Clock
    from core.store.training_records import Instruction, InstructionsRepository

LONGEST = 2000
TOO_LONG = "That instruction has {count} characters; the model is told at most {most}."
NOTHING = "There is no instruction to undo."


class Instructions:
    """What every answer on a server is told, kept in memory too: it is asked for at each turn."""

    def __init__(self, repository: InstructionsRepository, clock: Clock) -> None:
        self._repository = repository
        self._clock = clock
        self._current: dict[int, str] = {}

    async def open(self) -> None:
        """Load what holds.

        Raises:
            StoreError: The database cannot be read.
        """
        self._current = dict(await self._repository.current())

    def of(self, guild_id: int | None) -> str:
        """What holds on a server; empty if nothing does."""
        return self._current.get(guild_id, "") if guild_id is not None else ""

    async def versions(self, guild_id: int) -> list[Instruction]:
        """Every version, newest first."""
        return await self._repository.versions(guild_id)

    async def set(self, guild_id: int, text: str, by_id: int) -> int:
        """Have a text hold from now on; returns the number of its version.

        Raises:
            TrainingError: It is too long.
        """
        text = text.strip()
        if len(text) > LONGEST:
            raise TrainingError(TOO_LONG.format(count=len(text), most=LONGEST))
        version = await self._repository.add(guild_id, text, by_id, self._clock.now())
        await self.open()
        return version

    async def undo(self, guild_id: int) -> str:
        """Take the newest version back; returns what holds now.

        Raises:
            TrainingError: There is none.
        """
        if not await self._repository.undo(guild_id, self._clock.now()):
            raise TrainingError(NOTHING)
        await self.open()
        return self.of(guild_id)

    async def count_of(self, user_id: int) -> int:
        """How many versions somebody wrote."""
        return await self._repository.count_of(user_id)

    async def forget_person(self, user_id: int, clean: Callable[[str], str], words: Iterable[str]) -> None:
        """Nothing says any more who wrote a version; `clean` takes their name out of those that hold one of `words`."""
        await self._repository.forget_person(user_id, clean, words)
        await self.open()

"""Keeps how characters feel, on each server and apart in direct messages, and writes it down."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from core.errors import PersonaError, StoreError
from core.names import shown
from core.persona import moods
from core.persona.feelings import felt
from core.persona.moods import MoodState
from core.store.persona import StoredMood
from core.tasks import Tasks

if TYPE_CHECKING:
    from core.clock import Clock
    from core.config.persona import MoodsSection
    from core.persona.sheet import MoodTable, Sheet
    from core.store.persona import PersonaRepository

_log = logging.getLogger(__name__)

WRITE_AFTER_S = 5.0  # many messages make one write

MoodKey = tuple[int, str]
"""A server, 0 for direct messages, and a character's id."""


class MoodKeeper:
    """Moods by server and character, in memory; what nobody pushed rests at the character's nature."""

    def __init__(self, section: MoodsSection, repository: PersonaRepository, clock: Clock) -> None:
        self._section = section
        self._repository = repository
        self._clock = clock
        self._states: dict[MoodKey, MoodState] = {}
        self._unwritten: set[MoodKey] = set()
        self._tasks = Tasks("moods")

    async def open(self) -> None:
        """Read how everybody felt.

        Raises:
            StoreError: It cannot be read.
        """
        stored = await self._repository.moods()
        self._states = {key: MoodState(mood.at, mood.pushes) for key, mood in stored.items()}

    async def close(self) -> None:
        """Write what is not written yet."""
        await self._tasks.cancel_all()
        await self._write()

    def now(self, guild_id: int | None, sheet: Sheet) -> MoodTable | None:
        """How a character feels on a server (None: in direct messages) at this moment; None if it has no moods."""
        if not self._section.enabled:
            return None
        key = guild_id or 0, sheet.id
        return moods.current(self._state(key), sheet.table.moods, self._clock.now(), f"{key[0]}/{key[1]}")

    def levels(self, guild_id: int | None, sheet: Sheet) -> dict[str, float]:
        """How high each of its moods stands there."""
        key = guild_id or 0, sheet.id
        return moods.levels(self._state(key), sheet.table.moods, self._clock.now(), f"{key[0]}/{key[1]}")

    def said(self, guild_id: int | None, sheet: Sheet, text: str) -> bool:
        """Let what somebody said to a character move it; whether it carried any feeling. Keeps nothing of the text."""
        if not (self._section.enabled and self._section.by_words and sheet.table.moods):
            return False
        feelings = felt(text)
        if not feelings:
            return False
        key = guild_id or 0, sheet.id
        self._put(key, moods.moved(self._state(key), sheet.table.moods, self._clock.now(), feelings))
        return True

    def choose(self, guild_id: int | None, sheet: Sheet, name: str | None) -> MoodTable | None:
        """Put a character into a mood, which fades again; None lets it be as it is by nature. Gives the mood of the moment.

        Raises:
            PersonaError: It has no such mood, or moods are switched off.
        """
        if not self._section.enabled:
            raise PersonaError("Moods are switched off: [persona.moods] enabled.")
        wanted = None if name is None else name.strip().casefold()
        mood = next((mood for mood in sheet.table.moods if mood.name.casefold() == wanted), None)
        if name is not None and mood is None:
            known = ", ".join(shown(each.name) for each in sheet.table.moods) or "none"
            raise PersonaError(f"{shown(sheet.name)} has no mood “{shown(name, 40)}”. Its moods are: {known}.")
        found = moods.chosen(sheet.table.moods, self._clock.now(), mood.name if mood else None)
        self._put((guild_id or 0, sheet.id), found)
        return self.now(guild_id, sheet)

    async def forget(self, guild_id: int, character_id: str) -> None:
        """Forget how a character felt that is no more.

        Raises:
            StoreError: It cannot be written.
        """
        self._states.pop((guild_id, character_id), None)
        self._unwritten.discard((guild_id, character_id))
        await self._repository.forget_character(guild_id, character_id)

    def _state(self, key: MoodKey) -> MoodState:
        return self._states.get(key) or MoodState(self._clock.now())

    def _put(self, key: MoodKey, state: MoodState) -> None:
        self._states[key] = state
        self._unwritten.add(key)
        self._tasks.start(self._write_soon(), "write")

    async def _write_soon(self) -> None:
        while self._unwritten:
            await self._clock.sleep(WRITE_AFTER_S)
            if not await self._write():
                await self._clock.sleep(WRITE_AFTER_S * 6)

    async def _write(self) -> bool:
        """Write what changed; whether that could be done. What cannot be is tried again."""
        for guild_id, character_id in tuple(self._unwritten):
            key = guild_id, character_id
            state = self._states[key]
            self._unwritten.discard(key)
            written = False
            try:
                await self._repository.save_mood(guild_id, character_id, StoredMood(dict(state.pushes), state.at))
                written = True
            except StoreError:
                _log.warning("a mood could not be written", exc_info=True)
                return False
            finally:
                if not written:  # also when the bot closes in the middle of it: `close` writes it then
                    self._unwritten.add(key)
        return True

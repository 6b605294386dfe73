"""What the database keeps of people beside recordings: conversations, voices they chose, messages that wait."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from core.privacy.mentions import cleaner
from core.privacy.owners import About
from core.store.history import HistoryRepository
from core.store.lockdown import QueueRepository
from core.store.settings import PersonVoice, SettingsRepository

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.privacy.owners import Person
    from core.store.store import Store

REMEMBERED = "I remember {count} of your messages in conversations."
CHOSEN = "You chose a voice or a name to be called by."
WAITING = "{count} of your messages wait to be answered."
FORGOTTEN = "Forgotten: {count} of your messages in conversations, with what was answered to them."
RESET = "Your voice and the name you are called by are as if you had never chosen any."
DROPPED = "{count} of your messages that waited for an answer wait no more."


class StoredData:
    """A `DataOwner` over the tables that hold people's words and wishes."""

    def __init__(self, store: Store, settings: SettingsRepository | None = None) -> None:
        """Takes the repository that others read as well: it keeps something in memory."""
        self._history = HistoryRepository(store)
        self._settings = settings or SettingsRepository(store)
        self._queue = QueueRepository(store)

    async def describe_person(self, person: Person) -> About:
        """Say what is kept of a person.

        Raises:
            StoreError: The database cannot be read.
        """
        lines: list[str] = []
        own = [line for line in await self._history.lines_of(person.id) if line.role == "user"]
        names = set(await self._history.names_of(person.id))
        if own:
            lines.append(REMEMBERED.format(count=len(own)))
        voice = await self._settings.person_voice(person.id)
        if voice != PersonVoice(person.id):
            lines.append(CHOSEN)
        if voice.nickname:
            names.add(voice.nickname)
        waiting = await self._queue.count_of(person.id)
        if waiting:
            lines.append(WAITING.format(count=waiting))
        return About(lines, frozenset(names))

    async def export_person(self, person: Person) -> Mapping[str, bytes]:
        """Return what a person wrote with what was answered, and their voice.

        Raises:
            StoreError: The database cannot be read.
        """
        files: dict[str, bytes] = {}
        lines = await self._history.lines_of(person.id)
        if lines:
            told = [{"at": line.at.isoformat(), "role": line.role, "text": line.content} for line in lines]
            files["conversations.json"] = json.dumps(told, indent=2, ensure_ascii=False).encode()
        voice = await self._settings.person_voice(person.id)
        if voice != PersonVoice(person.id):
            chosen = {"voice": voice.voice, "rate": voice.rate, "pitch": voice.pitch, "nickname": voice.nickname}
            chosen["language"] = voice.language
            files["voice.json"] = json.dumps(chosen, indent=2, ensure_ascii=False).encode()
        return files

    async def delete_person(self, person: Person) -> Sequence[str]:
        """Delete all of that.

        Raises:
            StoreError: The database cannot be written.
        """
        told: list[str] = []
        count = await self._history.delete_person(person.id, cleaner(person.id, person.names), person.until)
        if count:
            told.append(FORGOTTEN.format(count=count))
        if await self._settings.delete_person_voice(person.id):
            told.append(RESET)
        dropped = await self._queue.delete_person(person.id)
        if dropped:
            told.append(DROPPED.format(count=dropped))
        return told

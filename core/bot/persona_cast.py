"""Who the bot is where: the characters that servers chose, told to each turn."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from core.character import Character, Mood, Voice
from core.conversation.advice import Advice
from core.events import CharacterChosen
from core.llm.tokens import estimate_tokens
from core.persona import prompts

if TYPE_CHECKING:
    from collections.abc import Collection

    from core.config.persona import PersonaSection
    from core.conversation.turn import Turn
    from core.conversation.voice_preferences import VoicePreferences
    from core.hub import Hub
    from core.persona.mood_keeper import MoodKeeper
    from core.persona.sheet import MoodTable, Sheet
    from core.persona.shelf import Shelf
    from core.store.persona import PersonaRepository

_log = logging.getLogger(__name__)

DIRECT = 0  # stands for direct messages where a server's id stands else
ITSELF = ""  # the id of the bot itself


class Cast:
    """Gives each turn the character that its server chose; an `Adviser` of the conversation."""

    def __init__(
        self,
        section: PersonaSection,
        shelf: Shelf,
        repository: PersonaRepository,
        *,
        moods: MoodKeeper,
        hub: Hub,
        voices: VoicePreferences,
        routes: Collection[str],
    ) -> None:
        """Nothing is read before `open`.

        Args:
            section: `[persona]`.
            shelf: The characters there are.
            repository: Where choices are kept.
            moods: How they feel.
            hub: Told of choices.
            voices: Knows which voices the engine has.
            routes: The model routes there are.
        """
        self._section = section
        self._shelf = shelf
        self._repository = repository
        self._moods = moods
        self._hub = hub
        self._voices = voices
        self._routes = routes
        self._choices: dict[int, str] = {}
        self._missing: set[tuple[int, str]] = set()

    async def open(self) -> None:
        """Read what servers chose.

        Raises:
            StoreError: It cannot be read.
        """
        self._choices = await self._repository.choices()
        for place in (DIRECT, *self._choices):
            await self._prepare(self.active(place or None))

    def active(self, guild_id: int | None) -> Sheet | None:
        """The character of a server, or of direct messages (None); None is the bot itself."""
        place = guild_id or DIRECT
        configured = self._section.default if guild_id is not None else self._section.direct_messages
        id_ = self._choices.get(place, configured)
        sheet = self._shelf.find(id_, guild_id) if id_ else None
        if id_ and sheet is None and (place, id_) not in self._missing:
            self._missing.add((place, id_))
            _log.warning("the character %r of %s is gone; the bot is itself there", id_, place or "direct messages")
        return sheet

    def played(self, character_id: str, guild_id: int | None) -> Sheet | None:
        """The character of this id, if it may play on that server: the active one, or another that has a part of its own."""
        return self._shelf.find(character_id, guild_id) if character_id else None

    async def choose(self, guild_id: int | None, sheet: Sheet | None) -> None:
        """Have the bot be this character on a server (None: in direct messages); without one, itself.

        Raises:
            StoreError: It cannot be written; nothing has changed then.
        """
        place, id_ = guild_id or DIRECT, sheet.id if sheet is not None else ITSELF
        await self._prepare(sheet)
        await self._repository.choose(place, id_)
        self._choices[place] = id_
        self._missing.discard((place, id_))
        self._hub.publish(CharacterChosen(place, id_))

    async def forget(self, guild_id: int | None) -> None:
        """Have a server be as it is configured again.

        Raises:
            StoreError: It cannot be written; nothing has changed then.
        """
        place = guild_id or DIRECT
        await self._repository.choose(place, None)
        self._choices.pop(place, None)
        active = self.active(guild_id)
        self._hub.publish(CharacterChosen(place, active.id if active else ITSELF))

    async def advise(self, turn: Turn) -> Advice | None:
        """The character that answers a turn which was not given one."""
        if turn.answering:
            return None
        sheet = self.active(turn.prompt.guild_id)
        return None if sheet is None else Advice(self.character(sheet, turn.prompt.guild_id, turn.prompt.author_name))

    def character(self, sheet: Sheet, guild_id: int | None, person: str = "") -> Character:
        """A character as it speaks to somebody on a server at this moment: our rules on top, its mood, its voice."""
        mood = self._moods.now(guild_id, sheet)
        route = sheet.table.route if sheet.table.route in self._routes else None
        instruction = self._instruction(sheet, person)
        return Character(sheet.id, sheet.name, instruction, self._voice(sheet), told(mood), route)

    def _instruction(self, sheet: Sheet, person: str) -> str:
        section = self._section
        return prompts.instruction(
            sheet.table,
            person,
            style=section.style,
            description_tokens=section.description_tokens,
            example_tokens=section.example_tokens,
            count=estimate_tokens,
        )

    async def _prepare(self, sheet: Sheet | None) -> None:
        """Read a character's long texts before a turn does: that may take some milliseconds, once."""
        if sheet is not None:
            await asyncio.to_thread(self._instruction, sheet, "")

    def called(self, guild_id: int | None) -> tuple[str, ...]:
        """The words by which the character of a server is called."""
        sheet = self.active(guild_id)
        return sheet.called if sheet is not None else ()

    def troubles(self, sheet: Sheet) -> list[str]:
        """What of a character cannot be had here, in sentences."""
        table, found = sheet.table, list[str]()
        if table.route and table.route not in self._routes:
            found.append(f"There is no model route “{table.route}”; the usual one answers.")
        if table.voice.name and not self._voices.has(table.voice.name):
            found.append(f"My voice engine has no voice “{table.voice.name}”; it speaks with the usual one.")
        return found

    def _voice(self, sheet: Sheet) -> Voice | None:
        """Its own voice; None takes that of whoever asks. A name that the engine does not have is passed over."""
        wanted = sheet.table.voice
        name = wanted.name if wanted.name and self._voices.has(wanted.name) else ""
        if not name and wanted.rate == 1.0 and wanted.pitch == 0.0:
            return None
        return Voice(name, wanted.rate, wanted.pitch)


def told(mood: MoodTable | None) -> Mood | None:
    """A mood as it colours voice and prompt."""
    if mood is None:
        return None
    return Mood(mood.pitch, mood.rate, prompts.mood_told(mood.name, mood.told))

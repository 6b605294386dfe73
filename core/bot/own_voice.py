"""As whom the bot speaks by itself on a server: what the model is told of who it is, and what is remembered of that."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from core.store.history import HistoryEntry

if TYPE_CHECKING:
    from core.bot.persona_cast import Cast
    from core.conversation.service import Conversation
    from core.store.settings import SettingsRepository


class OwnVoice:
    """The server's character, or else its own persona, or else the configured one."""

    def __init__(self, cast: Cast, settings: SettingsRepository, conversation: Conversation, persona: str) -> None:
        """Takes the characters, what servers set, where is remembered what was said, and the configured persona."""
        self._cast = cast
        self._settings = settings
        self._conversation = conversation
        self._persona = persona

    async def instruction(self, guild_id: int) -> str:
        """What the model is told of who it is.

        Raises:
            StoreError: The server's settings cannot be read.
        """
        sheet = self._cast.active(guild_id)
        if sheet is not None:
            character = self._cast.character(sheet, guild_id)
            mood = character.mood.told if character.mood is not None else ""
            return "\n\n".join(part for part in (character.instruction, mood) if part) or self._persona
        kept = await self._settings.guild(guild_id)
        return kept.persona or self._persona

    def likes(self, guild_id: int) -> list[str]:
        """Times of the day at which the server's character likes to speak up; none if it does not say."""
        sheet = self._cast.active(guild_id)
        return [] if sheet is None else list(sheet.table.likes)

    async def remember(self, guild_id: int, channel_id: int, cue: str, text: str) -> None:
        """Remember where it was said what the bot said by itself, so that it can be asked about it.

        `cue` stands where a person's prompt would: models take no answer that nothing stands before.
        """
        memory, sheet = self._conversation.memory, self._cast.active(guild_id)
        usual = self._conversation.character
        name, character_id = (usual.name, usual.id) if sheet is None else (sheet.name, sheet.id)
        exchange = memory.begin(channel_id, ())
        try:
            turn_id, at = secrets.token_hex(6), exchange.asked_at
            cued = HistoryEntry(turn_id, "user", cue, at)
            await memory.keep(exchange, [cued, HistoryEntry(turn_id, "assistant", text, at, None, name, character_id)])
        finally:
            memory.end(exchange)

"""As whom the bot speaks by itself on a server: what the model is told of who it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.bot.rooms import Rooms


async def instruction_of(rooms: Rooms, guild_id: int) -> str:
    """The instruction of the server's character, or else of its own persona, or of the configured one.

    Raises:
        StoreError: The server's settings cannot be read.
    """
    sheet = rooms.persona.cast.active(guild_id)
    if sheet is not None:
        return rooms.persona.cast.character(sheet, guild_id).instruction or rooms.config.prompt.persona
    kept = await rooms.settings.guild(guild_id)
    return kept.persona or rooms.config.prompt.persona

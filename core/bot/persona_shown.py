"""What each server's profile of the bot shows of its character, in memory and in the store; two hands write it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from core.errors import StoreError
from core.store.persona import Shown

if TYPE_CHECKING:
    from core.store.persona import PersonaRepository

_log = logging.getLogger(__name__)


class ShownBook:
    """Shown pictures and emoji by server."""

    def __init__(self, repository: PersonaRepository) -> None:
        self._repository = repository
        self._shown: dict[int, Shown] = {}

    async def open(self) -> None:
        """Read what was shown when the last process ended.

        Raises:
            StoreError: It cannot be read.
        """
        self._shown = await self._repository.shown()

    def of(self, guild_id: int) -> Shown:
        """What is shown on a server."""
        return self._shown.get(guild_id) or Shown()

    async def note(self, guild_id: int, **changes: Any) -> None:
        """Note what is shown from now on. It is so on Discord already: a database that is away is logged, not raised."""
        self._shown[guild_id] = replace(self.of(guild_id), **changes)
        try:
            await self._repository.save_shown(guild_id, self._shown[guild_id])
        except StoreError:
            _log.warning("what server %d shows of a character could not be written", guild_id, exc_info=True)

"""Slash commands that people send while the cog that has them is being reloaded: they wait until it is back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.clock import Clock

_log = logging.getLogger(__name__)

WAIT_S = 1.8  # Discord wants an answer within three seconds
LOOK_S = 0.05
COMMAND, AUTOCOMPLETE = 2, 4  # Discord's types of interactions
SUBCOMMANDS = (1, 2)  # Discord's types of options: a subcommand, or a group of them
AWAY = "This part of me is not there right now. If it is being loaded anew, please try again in a moment."


class Returning:
    """Sends a command on to its cog once that is back.

    discord.py drops what it finds no command for, and tells other code of each interaction besides.
    """

    def __init__(self, tree: Any, clock: Clock) -> None:
        """Begin without names.

        Args:
            tree: discord.py's `CommandTree` of the bot.
            clock: Time.
        """
        self._tree = tree
        self._clock = clock
        self._ours: set[str] = set()

    def know(self, names: Iterable[str]) -> None:
        """Commands of these names are ours: it is for them that we wait."""
        self._ours.update(names)

    async def seen(self, interaction: Any) -> None:
        """An interaction came; discord.py has looked for its command already."""
        data: dict[str, Any] = interaction.data or {}
        if interaction.type.value not in (COMMAND, AUTOCOMPLETE) or data.get("name") not in self._ours:
            return
        if self._is_there(data):
            return
        until_s = self._clock.monotonic() + WAIT_S
        while self._clock.monotonic() < until_s:
            await self._clock.sleep(LOOK_S)
            if interaction.response.is_done():  # a host answers what it does not know
                return
            if self._is_there(data):
                _log.info("/%s came while its cog was away; it goes on now", data["name"])
                self._tree._from_interaction(interaction)
                return
        if interaction.type.value == COMMAND and not interaction.response.is_done():
            await interaction.response.send_message(AWAY, ephemeral=True)

    def _is_there(self, data: dict[str, Any]) -> bool:
        command: Any = self._tree.get_command(data["name"])
        options: list[dict[str, Any]] = data.get("options") or []
        while command is not None and options and options[0].get("type") in SUBCOMMANDS:
            find = getattr(command, "get_command", None)
            command = find(options[0]["name"]) if find is not None else None
            options = options[0].get("options") or []
        return command is not None

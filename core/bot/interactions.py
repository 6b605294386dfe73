"""Routes presses of buttons and submitted forms to the loaded cog; they and commands wait while it is being reloaded."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from discord import AppCommandType

from core.handles import Handle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from core.clock import Clock

    Pressed = Callable[[Any, str], Awaitable[None]]

_log = logging.getLogger(__name__)

WAIT_S = 1.8  # Discord wants an answer within three seconds
LOOK_S = 0.05
COMMAND, COMPONENT, AUTOCOMPLETE, FORM = 2, 3, 4, 5  # Discord's types of interactions
SLASH = 1  # Discord's type of commands that are typed
SUBCOMMANDS = (1, 2)  # Discord's types of options: a subcommand, or a group of them
BUTTONS = "parley:"  # what the ids of our buttons and forms begin with; then comes `owner:what`
AWAY = "This part of me is not there right now. If it is being loaded anew, please try again in a moment."


class InteractionRouter:
    """Sends a command or a press on to its cog once that is back.

    discord.py drops what it finds no command for, and tells other code of each interaction besides. Views it keeps in
    memory for as long as the code that made them; our buttons and forms live by their ids alone, through reloads and
    restarts.
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
        self._pressed: dict[str, Pressed] = {}

    def know(self, names: Iterable[str]) -> None:
        """Commands of these names are ours: it is for them that we wait."""
        self._ours.update(names)

    def take(self, owner: str, pressed: Pressed) -> Handle:
        """Presses of buttons whose id is `parley:<owner>:<what>` go to `pressed(interaction, what)` from now on.

        So do forms (modals) with such an id; `written` reads their fields. Once the handle is ended, presses wait.
        """
        self._pressed[owner] = pressed

        def leave() -> None:
            if self._pressed.get(owner) is pressed:  # the next one may be there already
                del self._pressed[owner]

        return Handle(leave, f"buttons of {owner}")

    async def seen(self, interaction: Any) -> None:
        """An interaction came; discord.py has looked for its command already."""
        kind: int = interaction.type.value
        data: dict[str, Any] = interaction.data or {}
        if kind in (COMPONENT, FORM) and data["custom_id"].startswith(BUTTONS):
            await self._press(interaction, data["custom_id"].removeprefix(BUTTONS))
        elif kind in (COMMAND, AUTOCOMPLETE) and data.get("name") in self._ours and not self._is_there(data):
            await self._call(interaction, data)

    async def _press(self, interaction: Any, button: str) -> None:
        owner, _, what = button.partition(":")
        await self._until(lambda: owner in self._pressed)
        pressed = self._pressed.get(owner)
        if pressed is not None:
            await pressed(interaction, what)
        else:
            await self._say_away(interaction)

    async def _call(self, interaction: Any, data: dict[str, Any]) -> None:
        await self._until(lambda: interaction.response.is_done() or self._is_there(data))
        if interaction.response.is_done():  # a host answers what it does not know
            return
        if self._is_there(data):
            _log.info("/%s came while its cog was away; it goes on now", data["name"])
            self._tree._from_interaction(interaction)
        elif interaction.type.value == COMMAND:
            await self._say_away(interaction)

    async def _say_away(self, interaction: Any) -> None:
        try:
            await interaction.response.send_message(AWAY, ephemeral=True)
        except Exception:  # noqa: BLE001 - a host may have answered meanwhile; its handler of errors is not for ours
            _log.info("nobody could be told that a part is away", exc_info=True)

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Wait until it is so, at most as long as people can be let wait."""
        until_s = self._clock.monotonic() + WAIT_S
        while not condition() and self._clock.monotonic() < until_s:
            await self._clock.sleep(LOOK_S)

    def _is_there(self, data: dict[str, Any]) -> bool:
        """Whether discord.py finds the command, looked for as it does: a server's own first."""
        tree, name, command = self._tree, data["name"], None
        of_kind = {"type": AppCommandType(data.get("type", SLASH))}  # or of a message's or a person's menu
        if "guild_id" in data:
            command = tree.get_command(name, guild=SimpleNamespace(id=int(data["guild_id"])), **of_kind)
        if command is None and ("guild_id" not in data or tree.fallback_to_global):
            command = tree.get_command(name, **of_kind)
        options: list[dict[str, Any]] = data.get("options") or []
        while command is not None and options and options[0].get("type") in SUBCOMMANDS:
            find = getattr(command, "get_command", None)
            command = find(options[0]["name"]) if find is not None else None
            options = options[0].get("options") or []
        return command is not None


def written(interaction: Any, field: str) -> str:
    """What was written into a field of a submitted form; empty if it has no such field."""
    data: dict[str, Any] = interaction.data or {}
    waiting: list[dict[str, Any]] = list(data.get("components") or ())
    while waiting:
        component = waiting.pop()
        if component.get("custom_id") == field:
            return str(component.get("value") or "")
        waiting += component.get("components") or ()  # a row
        waiting += [component["component"]] if "component" in component else []  # a label
    return ""

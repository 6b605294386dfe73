"""The slash menu of one person in one channel: which commands the client offers, and what it sends for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loopback.interactions.command_form import CHAT_INPUT
from loopback.people.command_options import fill, leaves
from loopback.people.refused import Refused
from loopback.world.permissions import Permission
from loopback.world.rights import in_channel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loopback.interactions.command_registry import CommandRegistry
    from loopback.people.command_options import Resolver
    from loopback.world.guilds import Channel
    from loopback.world.users import User
    from loopback.world.world import World

_GUILD_INSTALL = 0
_CONTEXT_GUILD = 0
_CONTEXT_BOT_DM = 1


@dataclass(frozen=True, slots=True)
class Offer:
    """A command of an application that the client shows."""

    bot: User
    command: dict[str, Any]


class SlashMenu:
    """What the client offers a person in a channel. Built anew for each look: commands and permissions change."""

    def __init__(self, world: World, registry: CommandRegistry, user: User, channel: Channel) -> None:
        self._user = user
        self._channel = channel
        self._granted = in_channel(channel, user)
        self.offers: list[Offer] = []
        self._hidden: list[Offer] = []
        for bot in _applications(world, channel):
            for command in registry.offered(bot.id, channel.guild_id):
                shown = self._shows(command)
                (self.offers if shown else self._hidden).append(Offer(bot, command))

    def _shows(self, command: Mapping[str, Any]) -> bool:
        if self._channel.guild is None:
            contexts = command.get("contexts")
            return _CONTEXT_BOT_DM in contexts if contexts is not None else command.get("dm_permission", False)
        contexts = command.get("contexts")
        if contexts is not None and _CONTEXT_GUILD not in contexts:
            return False
        if not self._granted & Permission.USE_APPLICATION_COMMANDS or not self._granted & Permission.VIEW_CHANNEL:
            return False
        if command.get("nsfw") and not self._channel.nsfw:
            return False
        needed = command.get("default_member_permissions")
        if needed is None or self._granted & Permission.ADMINISTRATOR:
            return True
        return int(needed) != 0 and int(self._granted) & int(needed) == int(needed)

    def lines(self) -> list[str]:
        """Everything a person can run: `["ping", "voice join", ...]`."""
        commands = [offer.command for offer in self.offers if offer.command["type"] == CHAT_INPUT]
        return [" ".join([command["name"], leaf]).strip() for command in commands for leaf in leaves(command) or [""]]

    def find(self, name: str, kind: int, bot: User | None = None) -> Offer:
        """The offered command of that name; raises Refused with the reason if the client shows none, or several."""

        def fits(offer: Offer) -> bool:
            same = offer.command["name"] == name and offer.command["type"] == kind
            return same and (bot is None or offer.bot is bot)

        found = [offer for offer in self.offers if fits(offer)]
        if len(found) == 1:
            return found[0]
        if found:
            raise Refused(f"{[offer.bot.name for offer in found]} all offer {name!r}: say which one")
        if any(map(fits, self._hidden)):
            raise Refused(f"the client hides {name!r} from {self._user.name} here (permission or context)")
        names = sorted(offer.command["name"] for offer in self.offers if offer.command["type"] == kind)
        raise Refused(f"the client offers no command {name!r} here; it offers {names}")

    def slash(
        self,
        line: str,
        given: Mapping[str, object],
        resolver: Resolver,
        *,
        bot: User | None = None,
        focused: str | None = None,
    ) -> tuple[User, dict[str, Any]]:
        """The application and interaction data of a slash command such as "voice join"."""
        name, *words = line.removeprefix("/").split()
        offer = self.find(name, CHAT_INPUT, bot)
        filled = fill(offer.command, words, given, resolver, focused=focused)
        data = _data(offer.command)
        if filled.options:
            data["options"] = filled.options
        if filled.resolved and focused is None:
            data["resolved"] = filled.resolved
        return offer.bot, data

    def menu(
        self, name: str, kind: int, target_id: int, resolved: dict[str, dict[str, Any]], *, bot: User | None = None
    ) -> tuple[User, dict[str, Any]]:
        """The application and interaction data of a user or message command."""
        offer = self.find(name, kind, bot)
        return offer.bot, _data(offer.command) | {"target_id": str(target_id), "resolved": resolved}


def _data(command: Mapping[str, Any]) -> dict[str, Any]:
    data = {"id": command["id"], "name": command["name"], "type": command["type"]}
    return data | ({"guild_id": command["guild_id"]} if "guild_id" in command else {})


def _applications(world: World, channel: Channel) -> list[User]:
    if channel.guild is None:
        users = list(channel.recipients)
    else:
        users = [world.users[user_id] for user_id in channel.guild.members]
    return [user for user in users if user.bot]

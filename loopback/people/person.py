"""Somebody who uses this Discord through a client: writes, runs commands, presses buttons, talks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopback.people.talking import Talking

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loopback.people.clients import LocalDiscord
    from loopback.world.guilds import Guild, Role


class Person(Talking):
    """A person of this Discord. Everything they do is checked as their client would check it.

    Args:
        loopback: The Discord they use.
        user: Their account.
    """

    @classmethod
    async def create(
        cls,
        loopback: LocalDiscord,
        name: str,
        guild: Guild,
        *,
        roles: Iterable[Role] = (),
        nick: str | None = None,
        global_name: str | None = None,
    ) -> Person:
        """Make an account and let it into a guild."""
        user = loopback.world.add_user(name, global_name=global_name)
        loopback.world.add_member(guild, user, roles, nick=nick)
        return cls(loopback, user)

"""A Discord on localhost without voice, its usual guild, and a discord.py client of the bot in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loopback.people.clients import Listening, client_options, running
from loopback.server import Loopback

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from loopback.server import Standard
    from loopback.world import User


@pytest.fixture
async def quiet() -> AsyncIterator[Loopback]:
    """A loopback without a voice server, with discord.py pointed at it."""
    async with Loopback(voice=False) as loopback:
        loopback.redirect()
        yield loopback


@pytest.fixture
def usual(quiet: Loopback) -> Standard:
    """The usual guild."""
    return quiet.standard()


@pytest.fixture
async def bot(quiet: Loopback, usual: Standard) -> AsyncIterator[Listening]:
    """A client of the usual bot, ready."""
    async with running(Listening(**client_options(quiet)), usual.bot.token) as client:
        yield client
        assert quiet.unknown_routes == []


@pytest.fixture
def friend(quiet: Loopback, usual: Standard) -> User:
    """A person in the usual guild."""
    user = quiet.world.add_user("friend", global_name="Friend")
    quiet.world.add_member(usual.guild, user)
    return user

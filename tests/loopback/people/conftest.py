"""A guild with two people in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from loopback.server import Loopback, Standard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from loopback.people.person import Person


@dataclass
class Room:
    loopback: Loopback
    standard: Standard
    alice: Person
    bob: Person


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    async with Loopback() as loopback:
        standard = loopback.standard()
        alice = await loopback.person("alice", standard.guild)
        bob = await loopback.person("bob", standard.guild)
        async with alice, bob:
            yield Room(loopback, standard, alice, bob)

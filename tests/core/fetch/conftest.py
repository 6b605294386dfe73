"""A web server on loopback, and fetchers that may or may not ask it."""

from __future__ import annotations

import pytest

from core.config.fetch import FetchSection
from core.fetch import Fetcher
from tests.web_site import serving


@pytest.fixture
async def site():
    """A web server on loopback."""
    async with serving() as place:
        yield place


@pytest.fixture
async def make():
    """A fetcher with settings of its own; nothing private is allowed unless named."""
    made: list[Fetcher] = []

    def fetcher(**settings) -> Fetcher:
        made.append(Fetcher(FetchSection(**settings)))
        return made[-1]

    yield fetcher
    for each in made:
        await each.close()


@pytest.fixture
def fetcher(make):
    """A fetcher that may ask servers on this machine."""
    return make(allow=("127.0.0.1",))

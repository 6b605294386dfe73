"""One house a test."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.core.lockdown.house import House

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    house.hub.bind(asyncio.get_running_loop())
    yield house
    await house.close()

"""A studio for each test."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from loopback.server import Loopback
from tests.journeys.studio import Studio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path


@pytest.fixture
async def studio(tmp_path: Path) -> AsyncGenerator[Studio]:
    async with AsyncExitStack() as stack:
        discord = await stack.enter_async_context(Loopback())
        discord.redirect()
        yield Studio(stack, discord, tmp_path)

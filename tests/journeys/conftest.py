"""A studio for each test, and workers that all of them share."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from core.machine.workers import Workers
from loopback.server import Loopback
from tests.journeys.studio import Studio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from pathlib import Path


class SharedPool(ProcessPoolExecutor):
    """Worker processes that stay when a bot closes: starting them takes longer than most of what they do here."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Not yet."""

    def end(self) -> None:
        super().shutdown()


@pytest.fixture(scope="session")
def pool() -> Iterator[SharedPool]:
    pool = SharedPool(1, mp_context=multiprocessing.get_context("spawn"))
    yield pool
    pool.end()


@pytest.fixture
async def studio(tmp_path: Path, pool: SharedPool, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Studio]:
    monkeypatch.setattr(Workers, "_create", lambda _workers: pool)
    async with AsyncExitStack() as stack:
        discord = await stack.enter_async_context(Loopback())
        discord.redirect()
        yield Studio(stack, discord, tmp_path)

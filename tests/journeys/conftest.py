"""A studio for each test, and workers that all of them share."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from core.machine import lane
from core.machine.worker_process import Kind, WorkerProcess
from loopback.server import Loopback
from tests.journeys.studio import Studio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from core.machine.worker_main import Call


class KeptProcess(WorkerProcess):
    """Stays when a bot that has no work for it closes: starting one takes longer than most of what they do here."""

    def __init__(self, kind: Kind, kept: list[KeptProcess]) -> None:
        super().__init__(kind)
        self.kind = kind
        self._kept = kept
        self._last: Future[Any] | None = None

    def submit(self, call: Call, deadline_s: float) -> Future[Any]:
        """Remember what it does."""
        self._last = super().submit(call, deadline_s)
        return self._last

    def kill(self) -> None:
        """Keep it for the next bot, unless it is at work."""
        if self.usable and (self._last is None or self._last.done()):
            self._kept.append(self)
        else:
            super().kill()

    def join(self) -> None:
        """Only for one that ends."""
        if self not in self._kept:
            super().join()

    def kill_at_last(self) -> None:
        super().kill()
        super().join()


@pytest.fixture(scope="session")
def take_process() -> Iterator[Callable[[Kind], WorkerProcess]]:
    kept: list[KeptProcess] = []

    def take(kind: Kind) -> WorkerProcess:
        for process in kept:
            if process.kind == kind and process.usable:
                kept.remove(process)
                return process
        return KeptProcess(kind, kept)

    yield take
    for process in kept:
        process.kill_at_last()


@pytest.fixture
async def studio(
    tmp_path: Path, take_process: Callable[[Kind], WorkerProcess], monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Studio]:
    monkeypatch.setattr(lane, "WorkerProcess", take_process)
    async with AsyncExitStack() as stack:
        discord = await stack.enter_async_context(Loopback())
        discord.redirect()
        yield Studio(stack, discord, tmp_path)

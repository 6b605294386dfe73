"""A real database, a lockdown on it, a clock that is turned by hand, and a server that remembers its requests."""

from __future__ import annotations

import asyncio
import heapq
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from core.config.lockdown import LockdownSection
from core.hub import Hub
from core.lockdown.service import Lockdown
from core.machine.memory import Memory, MemoryReader
from core.store.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncSession

LOOKS, LOOK_S = 8, 0.002


class HandClock:
    """Time passes only when a test says so."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._serial = 0

    def monotonic(self) -> float:
        return self.elapsed_s

    def now(self) -> datetime:
        return datetime(2026, 11, 21, tzinfo=UTC) + timedelta(seconds=self.elapsed_s)

    async def sleep(self, duration_s: float) -> None:
        if duration_s <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        self._serial += 1
        heapq.heappush(self._sleepers, (self.elapsed_s + duration_s, self._serial, future))
        await future

    async def turn(self, duration_s: float) -> None:
        """Let time pass, waking sleepers in order and letting each do its work."""
        end = self.elapsed_s + duration_s
        while self._sleepers and self._sleepers[0][0] <= end:
            at, _, future = heapq.heappop(self._sleepers)
            self.elapsed_s = max(self.elapsed_s, at)
            if not future.done():
                future.set_result(None)
                await breathe()
        self.elapsed_s = end
        await breathe()


class WatchedStore(Store):
    """A database that knows whether something is being read or written, so that a test can wait for it."""

    under_way = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncSession]:
        WatchedStore.under_way += 1
        try:
            async with super().transaction() as session:
                yield session
        finally:
            WatchedStore.under_way -= 1


async def breathe() -> None:
    """Let tasks go on, and the database's threads, until they have nothing more to do."""
    quiet = 0
    async with asyncio.timeout(30):
        while quiet < LOOKS:
            await asyncio.sleep(LOOK_S)
            quiet = 0 if WatchedStore.under_way else quiet + 1


async def until(condition: Callable[[], Any], timeout: float = 30.0) -> None:
    """Wait in real time until something is so."""
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110 - what is waited for is not ours to signal
            await asyncio.sleep(0.005)


@dataclass
class Written:
    """A chat message of the shape that the lockdown looks for."""

    id: int
    channel_id: int = 10
    author_id: int = 100
    content: str = ""
    reactions: list[str] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.channel = SimpleNamespace(id=self.channel_id)
        self.guild = SimpleNamespace(id=1)
        self.author = SimpleNamespace(id=self.author_id)

    async def add_reaction(self, emoji: str, /) -> None:
        self.reactions.append(emoji)

    async def reply(self, text: str, *, mention_author: bool) -> None:
        assert not mention_author
        self.replies.append(text)


class FakeRoutes:
    """The model client's switch."""

    def __init__(self, *known: str) -> None:
        self.known = ("default", *known)
        self.current = "default"

    def use(self, name: str) -> str:
        from core.errors import ModelError

        if name not in self.known:
            raise ModelError(f"There is no route {name}.")
        before, self.current = self.current, name
        return before


class SetMemory(MemoryReader):
    """Memory as full as a test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.memories = [Memory("System memory", 1, 10)]

    def read(self) -> list[Memory]:
        return self.memories


async def open_store(path: Path) -> Store:
    store = WatchedStore(f"sqlite+aiosqlite:///{path}")
    await store.open()
    return store


class House:
    """Opens lockdowns on one database, one after another, as a process that starts again does."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "parley.db"
        self.clock = HandClock()
        self.hub = Hub()
        self.routes = FakeRoutes("voice")
        self.memory = SetMemory()
        self.environ = {"HOOK_KEY": "secret"}
        self._stores: list[Store] = []
        self._opened: list[Lockdown] = []

    async def open(self, **section: Any) -> Lockdown:
        store = await open_store(self.path)
        self._stores.append(store)
        self.routes.current = "default"
        lockdown = Lockdown(
            LockdownSection(**section),
            store,
            self.hub,
            self.clock,
            routes=self.routes,
            environ=self.environ,
            memory=self.memory,
        )
        self._opened.append(lockdown)
        await lockdown.open()
        return lockdown

    async def die(self, lockdown: Lockdown) -> None:
        """Stop without undoing anything, as a killed process does."""
        await lockdown.close()

    async def close(self) -> None:
        for lockdown in self._opened:
            await lockdown.close()
        for store in self._stores:
            await store.close()
        await self.hub.close()

    async def rows(self, table: str) -> list[Any]:
        from sqlalchemy import text

        async with self._stores[-1].transaction() as session:
            return list(await session.execute(text(f"SELECT * FROM {table}")))  # noqa: S608 - the test names the table

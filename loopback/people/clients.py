"""Runs discord.py clients for as long as a block lasts."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import discord

from loopback.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import aiohttp

    from loopback.interactions.command_registry import CommandRegistry
    from loopback.interactions.lifecycle import Interactions
    from loopback.world.world import World

Client = TypeVar("Client", bound=discord.Client)

READY_AFTER_LAST_GUILD_S = 0.05


class LocalDiscord(Protocol):
    """The Discord that people and their clients use."""

    world: World
    registry: CommandRegistry
    interactions: Interactions

    def connector(self) -> aiohttp.TCPConnector:
        """A new connector that trusts its certificates."""
        ...

    def redirect(self) -> None:
        """Point the discord.py of this process to it."""
        ...


def client_options(loopback: LocalDiscord, intents: discord.Intents | None = None) -> dict[str, Any]:
    """Keyword arguments for any discord.py client that is to use this loopback.

    discord.py waits `guild_ready_timeout` after the last guild, 2 s by default: here all guilds come at once.
    """
    return {
        "intents": discord.Intents.all() if intents is None else intents,
        "connector": loopback.connector(),
        "guild_ready_timeout": READY_AFTER_LAST_GUILD_S,
    }


class Listening(discord.Client):
    """A client that keeps every event it dispatched, so that one can wait for what may have come already."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.events: list[tuple[str, tuple[Any, ...]]] = []
        self._news = asyncio.Event()

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        """Keep the event after the usual handlers were started."""
        super().dispatch(event, *args, **kwargs)
        self.events.append((event, args))
        self._news.set()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Identify again at once: discord.py's 5 s are for the public Discord's identify limit."""

    async def heard(
        self, event: str, check: Callable[..., bool] = lambda *_: True, *, timeout_s: float = PATIENCE_S
    ) -> Any:
        """The arguments of the first such event, past or to come; a single argument is given bare."""
        async with asyncio.timeout(timeout_s):
            while True:
                for name, args in self.events:
                    if name == event and check(*args):
                        return args[0] if len(args) == 1 else args
                self._news.clear()
                await self._news.wait()

    def all_heard(self, event: str) -> list[Any]:
        """The first argument of every such event so far."""
        return [args[0] for name, args in self.events if name == event]


async def until(true: Callable[[], object], *, timeout_s: float = PATIENCE_S) -> None:
    """Wait until something is true that no event tells of; raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while True:
            if true():
                return
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def running(client: Client, token: str, *, timeout_s: float = PATIENCE_S) -> AsyncIterator[Client]:
    """Log the client in, wait until it is ready, and close it afterwards.

    Raises:
        Whatever ends the client before it is ready, such as `discord.LoginFailure`, or TimeoutError.
    """
    async with client:
        task = asyncio.create_task(client.start(token), name="discord-client")
        ready = asyncio.create_task(client.wait_until_ready(), name="discord-client-ready")
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
            yield client
        finally:
            ready.cancel()
            await client.close()
            await asyncio.gather(task, ready, return_exceptions=True)

"""Connections that go only where they may: the address is looked at when it is connected to, not when it is looked up.

So it does not matter what a name meant a moment ago, nor whether it is a name at all.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import BadHttpMessage

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import SimpleNamespace

    from core.fetch.addresses import Gatekeeper

LOOKUPS = 4  # names looked up at once: one that never answers holds a thread for up to half a minute
MAX_HEAD_BYTES = 65_536  # of an answer, provisional ones included
SLICE_BYTES = 4096  # of a head that is read at once
OLD_RADIO = b"ICY "  # how radio servers of the nineties begin their answer
REFUSED = "not a public address"


@dataclass(slots=True)
class Attempt:
    """One connection being made.

    Attributes:
        allowed: Whether the host is allowed by name.
        refused: Addresses that were not connected to.
        connected: Called once it stands; None afterwards.
    """

    allowed: bool = False
    refused: list[str] = field(default_factory=list[str])
    connected: Callable[[], None] | None = None


attempt: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


def trace_connections() -> aiohttp.TraceConfig:
    """Tells each attempt when its connection stands."""

    async def made(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        trial: Attempt = context.trace_request_ctx
        if trial.connected is not None:
            trial.connected()
            trial.connected = None

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(made)
    return trace


class RefusedAddressError(OSError):
    """An address that is not connected to."""


class GuardedConnector(aiohttp.TCPConnector):
    """Connects to public addresses, and to those that the gatekeeper opens besides. One connection, one answer."""

    def __init__(self, gate: Gatekeeper) -> None:
        self._gate = gate
        self.lookups = ThreadPoolExecutor(LOOKUPS, "fetch lookup")
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - of sockets' addresses, in the library
            limit=0,  # the fetcher counts; a radio that plays keeps its connection
            force_close=True,
            use_dns_cache=False,
            resolver=ThreadResolver(self.lookups),
            socket_factory=self._socket,
        )
        self._factory = partial(AnswerGuard, loop=self._loop)

    def _socket(self, info: tuple[int, int, int, str, tuple[Any, ...]]) -> socket.socket:
        """Called for every address that is about to be connected to, also for those that were no names."""
        now = attempt.get()
        text = str(info[4][0])
        if now is None or not (now.allowed or self._gate.opens(text)):
            if now is not None:
                now.refused.append(text)
            raise RefusedAddressError(REFUSED)
        return socket.socket(family=info[0], type=info[1], proto=info[2])


class ThreadResolver(AbstractResolver):
    """The system's lookup in threads of its own: names that never answer must not hold the bot's."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host."""
        loop = asyncio.get_running_loop()
        look = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
        found = await loop.run_in_executor(self._threads, look)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, proto, _, address in found
            if kind in (socket.AF_INET, socket.AF_INET6)
        ]

    async def close(self) -> None:
        """End the threads as soon as they are free."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class AnswerGuard(ResponseHandler):
    """Reads a head in small pieces and not without end, and understands radio servers that say ICY for HTTP."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._greeting: bytes | None = b""
        self._head_bytes = 0
        self._answered = False

    def data_received(self, data: bytes) -> None:
        """What the server sent. The body, once the head is whole, passes as it is."""
        if self._answered or not data:
            super().data_received(data)
            return
        if self._greeting is not None:
            data = self._greeting + data
            if len(data) < len(OLD_RADIO) and OLD_RADIO.startswith(data):
                self._greeting = data
                return
            self._greeting = None
            if data.startswith(OLD_RADIO):
                data = b"HTTP/1.0 " + data[len(OLD_RADIO) :]
        view = memoryview(data)
        while view and not self._answered:
            self._head_bytes += len(view[:SLICE_BYTES])
            if self._head_bytes > MAX_HEAD_BYTES + SLICE_BYTES:
                self._refuse()
                return
            super().data_received(bytes(view[:SLICE_BYTES]))
            view = view[SLICE_BYTES:]
            if self.exception() is not None:
                return
        if view:
            super().data_received(bytes(view))

    def feed_data(self, data: Any, size: int = 0) -> None:
        """A head that is whole; provisional ones (1xx) are followed by another."""
        self._answered = bool(data[0].code >= 200)
        super().feed_data(data, size)

    def _refuse(self) -> None:
        if self.transport is not None:
            self.transport.abort()
        self.set_exception(BadHttpMessage("the headers have no end"))

"""The Wyoming protocol's wire, as Home Assistant's voice servers speak it over TCP.

An event is a line of JSON `{"type", "data_length", "payload_length"}`, then that many bytes of JSON and of payload; some
servers write the data into the line.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from core.errors import ParleyError

CONNECT_S = 5.0
MOST_DATA = 4 * 2**20  # bytes of one event, and of the line it begins with


@dataclass(frozen=True, slots=True)
class WyomingEvent:
    """One event of the protocol."""

    type: str
    data: dict[str, Any] = field(default_factory=dict[str, Any])
    payload: bytes = b""

    def encode(self) -> bytes:
        """The event as it travels."""
        data = json.dumps(self.data).encode() if self.data else b""
        head = {"type": self.type, "data_length": len(data), "payload_length": len(self.payload)}
        return json.dumps(head).encode() + b"\n" + data + self.payload


class WyomingConnection:
    """One connection, made by `connected`.

    Args:
        reader: What the server sends.
        writer: What it is sent.
        failure: Makes the error for people from the end of "The engine X ...".
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, failure: Callable[[str], ParleyError]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._failure = failure

    async def send(self, kind: str, data: dict[str, Any] | None = None, payload: bytes = b"") -> None:
        """Send one event.

        Raises:
            ConnectionError: The server closed; `connected` makes a `ParleyError` of it.
        """
        self._writer.write(WyomingEvent(kind, data or {}, payload).encode())
        await self._writer.drain()

    async def next(self) -> WyomingEvent:
        """The next event.

        Raises:
            ParleyError: What came is none.
            asyncio.IncompleteReadError: The stream ended; `connected` makes a `ParleyError` of it.
        """
        try:
            line = await self._reader.readline()
            if not line.endswith(b"\n"):
                raise asyncio.IncompleteReadError(line, None)
            head: Any = json.loads(line)  # LimitOverrunError, for a longer line, is told as ValueError
            kind, sizes = str(head["type"]), [int(head.get(key) or 0) for key in ("data_length", "payload_length")]
            if not all(0 <= size <= MOST_DATA for size in sizes):
                raise ValueError(f"an event of {sizes} bytes")
            data: Any = dict(head.get("data") or {})
            if sizes[0]:
                data |= json.loads(await self._reader.readexactly(sizes[0]))
            return WyomingEvent(kind, data, await self._reader.readexactly(sizes[1]))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise self._failure("sent something that is no Wyoming event") from error

    async def describe(self, kind: str) -> list[dict[str, Any]]:
        """The programs of one kind that the server runs, `asr` or `tts`; empty if it does something else."""
        await self.send("describe")
        while (event := await self.next()).type != "info":
            pass
        return dicts(event.data.get(kind))


@asynccontextmanager
async def connected(
    host: str, port: int, failure: Callable[[str], ParleyError]
) -> AsyncGenerator[WyomingConnection, None]:
    """A connection for as long as the context lasts; it ends at once, whatever is under way.

    Raises:
        ParleyError: Made by `failure`: nobody answers, or the connection breaks.
    """
    try:
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_connection(host, port, limit=MOST_DATA)
    except (OSError, TimeoutError) as error:
        raise failure("cannot be reached; is it running?") from error
    try:
        yield WyomingConnection(reader, writer, failure)
    except (ConnectionError, asyncio.IncompleteReadError) as error:
        raise failure("broke the connection") from error
    finally:
        writer.transport.abort()  # a cancelled turn must not wait for a goodbye


def dicts(value: Any) -> list[dict[str, Any]]:
    """The objects in a list of JSON; none if it is no list."""
    items = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]

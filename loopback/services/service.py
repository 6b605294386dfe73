"""What every stand-in has: a port, a record of what arrived, and behaviour that can be set for each request."""

from __future__ import annotations

import asyncio
import json
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from loopback.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from types import TracebackType
    from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How one request is met. Times are in seconds; a piece is one chunk, event or message of the answer."""

    delay_s: float = 0.0  # before anything is answered
    lead_s: float = 0.0  # after the answer has begun (headers are out), before its first piece
    pace_s: float = 0.0  # between two pieces
    status: int = 200  # another HTTP status is answered with an error in the service's own form
    error: str = ""  # words of that error; empty takes the service's usual ones
    headers: Mapping[str, str] = field(default_factory=dict)  # added to the answer's
    silent: bool = False  # takes the request and never answers
    refuse: bool = False  # drops the connection before anything is answered
    hang_after: int | None = None  # stops for good after that many pieces, connection open
    cut_after: int | None = None  # drops the connection after that many pieces
    garbage_after: int | None = None  # sends `garbage` once after that many pieces, then goes on
    garbage: bytes | str = b"\x00\xff{not what was asked for"


B = TypeVar("B", bound=Behaviour)


@dataclass(frozen=True, slots=True)
class SentMessage:
    """One message on an open connection, and when it arrived (`time.monotonic`)."""

    data: Any  # parsed JSON, text or bytes
    at_s: float


@dataclass(slots=True)
class Recorded:
    """One request or one kept-open connection: what arrived and what became of it."""

    method: str
    path: str
    at_s: float
    query: dict[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    messages: list[SentMessage] = field(default_factory=list[SentMessage])
    sent: int = 0  # pieces that were answered
    first_sent_s: float | None = None
    ended_s: float | None = None
    disconnected: bool = False  # the other side went away before the answer was complete

    @property
    def json(self) -> Any:
        """The body as JSON; raises `ValueError` if it is none."""
        return json.loads(self.body)


class Answer:
    """One answer on its way, with the pace and the faults of its behaviour."""

    def __init__(
        self,
        service: Service[Any],
        behaviour: Behaviour,
        recorded: Recorded,
        *,
        send: Callable[[Any], Awaitable[object]],
        cut: Callable[[], None],
    ) -> None:
        self._service = service
        self._behaviour = behaviour
        self._recorded = recorded
        self._send = send
        self._cut = cut
        self._pieces = 0
        self._due_s = time.monotonic() + behaviour.lead_s

    async def send(self, piece: Any) -> None:
        """Sends one piece when it is due, or does what should happen in its stead."""
        await self._meet_faults()
        await asyncio.sleep(max(0.0, self._due_s - time.monotonic()))
        await self._send(piece)
        now = time.monotonic()
        self._due_s = max(self._due_s + self._behaviour.pace_s, now)
        self._pieces += 1
        self._recorded.sent += 1
        self._recorded.first_sent_s = self._recorded.first_sent_s or now
        self._service.note()

    async def finish(self) -> None:
        """Does what should happen after the last piece."""
        await self._meet_faults()

    async def _meet_faults(self) -> None:
        behaviour = self._behaviour
        if behaviour.garbage_after == self._pieces:
            self._behaviour = replace(behaviour, garbage_after=None)
            await self._send(behaviour.garbage)
        if behaviour.cut_after == self._pieces:
            self._cut()
            await asyncio.Event().wait()  # the lost connection, or the service's end, cancels this
        if behaviour.hang_after == self._pieces:
            await asyncio.Event().wait()


class Service(ABC, Generic[B]):
    """A stand-in on a port of its own; an async context manager.

    `script(...)` sets how the next request is met, `always(...)` how every one is. Both speak of the service's main
    requests; `on="/v1/models"` names others by the end of their path.
    """

    behaviour: ClassVar[type[Behaviour]] = Behaviour
    scheme: ClassVar[str] = "http"
    main: ClassVar[tuple[str, ...]] = ()  # ends of the paths that `script` without `on` means; none: all paths

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host = host
        self.port = port  # 0 takes any free one; known, and kept over a restart, after the first start
        self.requests: list[Recorded] = []
        self._scripted: list[tuple[str, Behaviour]] = []
        self._always: dict[str, Behaviour] = {"": self.behaviour()}
        self._changed = asyncio.Event()

    @property
    def url(self) -> str:
        """Where clients reach it, without a path."""
        return f"{self.scheme}://{self.host}:{self.port}"

    def script(self, *, on: str = "", times: int = 1, **changes: Any) -> None:
        """Sets how the next request (or the next `times`) differ from the usual; several calls queue up."""
        behaviour = replace(self._usual(on), **changes)
        self._scripted.extend([(on, behaviour)] * times)

    def always(self, *, on: str = "", **changes: Any) -> None:
        """Changes how every request without a script of its own is met."""
        self._always[on] = replace(self._usual(on), **changes)

    def take(self, path: str) -> Any:
        """The behaviour for a request on `path`: its script if there is one, else the usual."""
        for index, (on, behaviour) in enumerate(self._scripted):
            if self._means(on, path):
                del self._scripted[index]
                return behaviour
        for on, behaviour in reversed(self._always.items()):
            if self._means(on, path):
                return behaviour
        return self.behaviour()

    def note(self) -> None:
        """Wakes whoever waits for something to be recorded."""
        self._changed.set()

    async def wait_for(self, condition: Callable[[Recorded], bool], *, timeout: float = PATIENCE_S) -> Recorded:
        """The first recorded request for which `condition` holds, as soon as there is one; else `TimeoutError`."""
        async with asyncio.timeout(timeout):
            while True:
                for recorded in self.requests:
                    if condition(recorded):
                        return recorded
                self._changed.clear()
                await self._changed.wait()

    @abstractmethod
    async def start(self) -> None:
        """Opens the port."""

    @abstractmethod
    async def close(self) -> None:
        """Closes the port and every connection."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _usual(self, on: str) -> Behaviour:
        return self._always.get(on) or self.behaviour()

    def _means(self, on: str, path: str) -> bool:
        return path.endswith(on) if on else not self.main or path.endswith(self.main)

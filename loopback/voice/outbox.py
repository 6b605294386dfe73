"""What lets a user into a voice channel, and the messages on their way to them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import web


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Admission:
    """The main gateway's word that this user, in this session, may enter this channel."""

    guild_id: int
    channel_id: int
    user_id: int
    session_id: str
    token: str


class Outbox:
    """The messages on their way to one websocket, in order, written by a task of their own."""

    def __init__(self, websocket: web.WebSocketResponse) -> None:
        self._websocket = websocket
        self._queue: asyncio.Queue[str | bytes | int] = asyncio.Queue()
        self.close_code: int | None = None
        """With what this side hangs up, once it does."""

    def put(self, message: str | bytes) -> None:
        """Queues a message."""
        self._queue.put_nowait(message)

    def close(self, code: int) -> None:
        """Queues the end of the connection, behind all that was put before."""
        if self.close_code is None:
            self.close_code = code
            self._queue.put_nowait(code)

    async def drain(self) -> None:
        """Writes until the close or until the connection is gone."""
        while True:
            message = await self._queue.get()
            if isinstance(message, int):
                await self._websocket.close(code=message)
                return
            if self._websocket.closed:
                return
            try:
                if isinstance(message, str):
                    await self._websocket.send_str(message)
                else:
                    await self._websocket.send_bytes(message)
            except ConnectionError as error:
                _log.debug("a voice websocket went away while it was written to: %s", error)
                return

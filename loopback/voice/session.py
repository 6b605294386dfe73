"""One user's stay in a voice channel: it outlives a websocket, so that a client can resume."""

from __future__ import annotations

import asyncio
import json
import logging
import struct
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import web

    from loopback.voice.endpoint import Endpoint
    from loopback.voice.opcodes import Op
    from loopback.voice.room import Room

_log = logging.getLogger(__name__)

_REPLAY = 512
"""Messages kept for a client that comes back."""


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


class VoiceSession:
    """Numbers, keeps and sends one client's messages, and knows its media endpoint."""

    def __init__(self, admission: Admission, room: Room, endpoint: Endpoint, dave_version: int) -> None:
        self.admission = admission
        self.room = room
        self.endpoint = endpoint
        self.dave_version = dave_version
        """The newest DAVE version the client speaks; 0: none."""
        self.mode: str | None = None
        self.secret_key = b""
        self.speaking: int | None = None
        """Flags of its last op 5."""
        self.camera: dict[str, object] | None = None
        """Its last op 12, while the camera is on."""
        self.joined = False
        """Whether the session description went out: others know of it."""
        self.over = False
        self.seq_ack = -1
        self.outbox: Outbox | None = None
        self.expiry: asyncio.TimerHandle | None = None
        self._seq = -1
        self._sent: deque[tuple[int, str | bytes]] = deque(maxlen=_REPLAY)

    @property
    def user_id(self) -> int:
        """Whose stay this is."""
        return self.admission.user_id

    def send_json(self, op: Op, data: object) -> None:
        """Queues a numbered JSON message; kept for a resume."""
        seq = self._next()
        self._put(seq, json.dumps({"op": int(op), "d": data, "seq": seq}, separators=(",", ":")))

    def send_binary(self, op: Op, payload: bytes) -> None:
        """Queues a numbered binary message (`u16 sequence | u8 op | payload`); kept for a resume."""
        seq = self._next()
        self._put(seq, struct.pack(">HB", seq, op) + payload)

    def missed_since(self, seq_ack: int) -> list[str | bytes] | None:
        """What a client that saw everything up to `seq_ack` has not seen; None if that is no longer known."""
        if seq_ack == self._seq:
            return []
        numbers = [seq for seq, _ in self._sent]
        if seq_ack in numbers:
            start = len(numbers) - numbers[::-1].index(seq_ack)
        elif seq_ack == -1 and numbers[:1] == [0]:
            start = 0
        else:
            return None
        return [message for _, message in list(self._sent)[start:]]

    def hang_up(self, code: int) -> None:
        """Closes the websocket, if there is one, after what is queued."""
        if self.outbox is not None:
            self.outbox.close(code)

    def _next(self) -> int:
        self._seq = self._seq + 1 & 0xFFFF
        return self._seq

    def _put(self, seq: int, message: str | bytes) -> None:
        self._sent.append((seq, message))
        if self.outbox is not None:
            self.outbox.put(message)

"""Just enough of a main gateway client to walk into a voice channel with a token."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any

import aiohttp

from loopback.voice.client import Invitation
from loopback.waiting import PATIENCE_S

_log = logging.getLogger(__name__)

_DISPATCH, _HEARTBEAT, _IDENTIFY, _VOICE_STATE, _HELLO = 0, 1, 2, 4, 10
_GUILD_VOICE_STATES = 1 << 7


class LightGateway:
    """Identifies with a bot token and asks to enter and leave voice channels (op 4)."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token
        self._http: aiohttp.ClientSession | None = None
        self._websocket: aiohttp.ClientWebSocketResponse | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._sequence: int | None = None
        self._ready: asyncio.Future[dict[str, Any]] | None = None
        self._server: asyncio.Future[dict[str, Any]] | None = None
        self.user_id = 0
        self.session_id = ""

    async def connect(self, timeout: float = PATIENCE_S) -> None:
        """Returns after READY. Raises `ConnectionError` when refused, `TimeoutError`."""
        self._ready = asyncio.get_running_loop().create_future()
        self._http = aiohttp.ClientSession()
        self._websocket = await self._http.ws_connect(f"{self._url}/?v=10&encoding=json", max_msg_size=16 << 20)
        self._tasks.append(asyncio.create_task(self._read(self._websocket), name="light gateway"))
        properties = {"os": sys.platform, "browser": "loopback", "device": "loopback"}
        identity = {"token": self._token, "intents": _GUILD_VOICE_STATES, "properties": properties}
        await self._send(_IDENTIFY, identity)
        ready = await asyncio.wait_for(self._ready, timeout)
        self.user_id, self.session_id = int(ready["user"]["id"]), ready["session_id"]

    async def enter(self, guild_id: int, channel_id: int, timeout: float = PATIENCE_S) -> Invitation:
        """Asks for a place in a voice channel. Raises `TimeoutError` when there is none."""
        self._server = asyncio.get_running_loop().create_future()
        await self._change(guild_id, channel_id)
        place = await asyncio.wait_for(self._server, timeout)
        return Invitation(place["endpoint"], place["token"], self.session_id, guild_id, channel_id, self.user_id)

    async def leave(self, guild_id: int) -> None:
        """Leaves voice."""
        await self._change(guild_id, None)

    async def close(self) -> None:
        """Hangs up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._websocket is not None:
            await self._websocket.close()
        if self._http is not None:
            await self._http.close()

    async def _change(self, guild_id: int, channel_id: int | None) -> None:
        place = {"guild_id": str(guild_id), "channel_id": None if channel_id is None else str(channel_id)}
        await self._send(_VOICE_STATE, place | {"self_mute": False, "self_deaf": False})

    async def _send(self, op: int, data: object) -> None:
        if self._websocket is None:
            raise ConnectionError("not connected")
        await self._websocket.send_str(json.dumps({"op": op, "d": data}))

    async def _read(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in websocket:
            content = json.loads(message.data)
            self._sequence = content.get("s") or self._sequence
            if content["op"] == _HELLO:
                interval_s = content["d"]["heartbeat_interval"] / 1000
                self._tasks.append(asyncio.create_task(self._beat(interval_s), name="light gateway heartbeat"))
            elif content["op"] == _DISPATCH and content["t"] == "READY":
                _settle(self._ready, content["d"])
            elif content["op"] == _DISPATCH and content["t"] == "VOICE_SERVER_UPDATE":
                _settle(self._server, content["d"])
        for future in (self._ready, self._server):
            if future is not None and not future.done():
                future.set_exception(ConnectionError(f"the gateway closed with {websocket.close_code}"))

    async def _beat(self, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            await self._send(_HEARTBEAT, self._sequence)


def _settle(future: asyncio.Future[dict[str, Any]] | None, data: dict[str, Any]) -> None:
    if future is not None and not future.done():
        future.set_result(data)

"""The part that stand-ins over HTTP and WebSocket share: an aiohttp server that records and misbehaves on demand."""

from __future__ import annotations

import asyncio
import json
import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from loopback.services.service import Answer, B, Behaviour, Recorded, SentMessage, Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from aiohttp.typedefs import Handler

RECORDED = web.RequestKey("recorded", Recorded)
BEHAVIOUR = web.RequestKey("behaviour", Behaviour)
BODY_LIMIT = 128 * 2**20


class HttpService(Service[B]):
    """A stand-in that speaks HTTP: subclasses give the routes."""

    _runner: web.AppRunner | None = None

    @abstractmethod
    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """What is served."""

    def failure(self, status: int, words: str) -> dict[str, Any]:
        """The JSON body of an error, in the form of the real service."""
        return {"error": words or f"status {status}"}

    def refused(self, status: int, words: str = "", headers: Any = None) -> web.Response:
        """An error answer."""
        return web.json_response(self.failure(status, words), status=status, headers=headers)

    def admits(self, request: web.Request) -> bool:
        """Whether a request is let in at all."""
        del request
        return True

    def refusal(self, behaviour: Any) -> web.Response:
        """The error that a behaviour asks for."""
        return self.refused(behaviour.status, behaviour.error, behaviour.headers)

    async def start(self) -> None:
        """Opens the port."""
        app = web.Application(middlewares=[self._meet], client_max_size=BODY_LIMIT)
        app.add_routes(self.routes())
        app.on_response_prepare.append(_drop_empty_type)
        self._runner = runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, self.host, self.port).start()
        self.port = runner.addresses[0][1]

    async def close(self) -> None:
        """Closes the port; requests under way are dropped."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def answer(self, request: web.Request, response: web.StreamResponse | web.WebSocketResponse) -> Answer:
        """A way to send the pieces of an answer as its behaviour says."""
        return self.answer_with(request, response, request[BEHAVIOUR])

    def answer_with(
        self, request: web.Request, response: web.StreamResponse | web.WebSocketResponse, behaviour: Any
    ) -> Answer:
        """The same for one of several answers on a kept-open connection."""

        async def send(piece: Any) -> None:
            if not isinstance(response, web.WebSocketResponse):
                await response.write(piece)
            elif isinstance(piece, bytes):
                await response.send_bytes(piece)
            elif isinstance(piece, str):
                await response.send_str(piece)
            else:
                await response.send_str(json.dumps(piece))

        return Answer(self, behaviour, request[RECORDED], send=send, cut=lambda: _cut(request))

    async def heard(self, request: web.Request, socket: web.WebSocketResponse) -> AsyncIterator[Any]:
        """What arrives on a WebSocket, recorded: parsed JSON, text that is none, or bytes."""
        async for message in socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                continue
            data: Any = message.data
            if message.type is WSMsgType.TEXT:
                try:
                    data = json.loads(data)
                except ValueError:
                    data = message.data
            request[RECORDED].messages.append(SentMessage(data, time.monotonic()))
            self.note()
            yield data

    @web.middleware
    async def _meet(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        behaviour = self.take(request.path)
        recorded = Recorded(
            request.method,
            request.path,
            time.monotonic(),
            query=dict(request.query),
            headers=request.headers.copy(),
            body=await request.read(),
        )
        request[RECORDED] = recorded
        request[BEHAVIOUR] = behaviour
        self.requests.append(recorded)
        self.note()
        try:
            await asyncio.sleep(behaviour.delay_s)
            if not self.admits(request):
                return self.refused(401)
            if behaviour.refuse:
                _cut(request)
            if behaviour.silent or behaviour.refuse:
                await asyncio.Event().wait()  # until the connection is gone
            if behaviour.status != 200:
                return self.refusal(behaviour)
            return await handler(request)
        except (asyncio.CancelledError, ConnectionError):
            recorded.disconnected = True
            raise
        finally:
            recorded.ended_s = time.monotonic()
            self.note()


async def _drop_empty_type(_request: web.Request, response: web.StreamResponse) -> None:
    """An empty Content-Type stands for an answer without that header."""
    if response.headers.get("Content-Type") == "":
        del response.headers["Content-Type"]


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()

"""A ComfyUI server: queues workflows, tells of their progress on a WebSocket, and gives a real picture.

Wire format: ComfyUI's own `server.py`: `POST /prompt`, `GET /history/{id}`, `/view`, `/queue`, `POST /interrupt`,
`/free`, `GET /system_stats`, `/object_info`, and `/ws?clientId=` with JSON messages and binary previews (big-endian
`u32 1`, `u32 format` (1 JPEG, 2 PNG), then the picture). Every path also answers under `/api`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from typing import TYPE_CHECKING, Any, ClassVar, cast

from aiohttp import web

from loopback.services.comfyui_nodes import NODES, Node, check
from loopback.services.comfyui_run import ComfyBehaviour, Job, run
from loopback.services.http_service import BEHAVIOUR, RECORDED, HttpService

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from loopback.services.service import Behaviour


class ComfyUI(HttpService[ComfyBehaviour]):
    """The picture server. It runs one workflow at a time; `script` speaks of `POST /prompt`.

    `prefix` puts all of it below a path, as behind a proxy; `demands` are headers without which nobody is let in.
    """

    behaviour: ClassVar[type[Behaviour]] = ComfyBehaviour
    main: ClassVar[tuple[str, ...]] = ("/prompt",)

    def __init__(
        self,
        *,
        prefix: str = "",
        demands: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(host=host, port=port)
        self.prefix = prefix
        self.demands = dict(demands or {})
        self.files: dict[str, bytes] = {}
        self.history: dict[str, dict[str, Any]] = {}
        self.interrupted = asyncio.Event()  # set while the workflow under way is to stop
        self.freed: list[dict[str, Any]] = []  # bodies of POST /free
        self._jobs: list[Job] = []  # the first one runs
        self._sockets: dict[str, tuple[web.WebSocketResponse, web.Request]] = {}
        self._number = 0
        self._waiting = asyncio.Event()
        self._runner_task: asyncio.Task[None] | None = None

    @property
    def ws_url(self) -> str:
        """Address of the WebSocket, without `clientId`."""
        return f"ws://{self.host}:{self.port}{self.prefix}/ws"

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Every path, plain and under `/api`."""
        for prefix in (self.prefix, f"{self.prefix}/api"):
            yield web.get(prefix + "/ws", self._open_socket)
            yield web.post(prefix + "/prompt", self._queue)
            yield web.get(prefix + "/prompt", self._show_remaining)
            yield web.get(prefix + "/queue", self._show_queue)
            yield web.post(prefix + "/queue", self._change_queue)
            yield web.get(prefix + "/history", self._show_history)
            yield web.get(prefix + "/history/{id}", self._show_history)
            yield web.get(prefix + "/view", self._view)
            yield web.post(prefix + "/interrupt", self._interrupt)
            yield web.post(prefix + "/free", self._free)
            yield web.get(prefix + "/system_stats", self._show_stats)
            yield web.get(prefix + "/object_info", self._show_nodes)

    def admits(self, request: web.Request) -> bool:
        """Whether the headers that are demanded came along."""
        return all(request.headers.get(header) == value for header, value in self.demands.items())

    def failure(self, status: int, words: str) -> dict[str, Any]:
        """An error in the form of a refused prompt."""
        error = {"type": "error", "message": words or f"status {status}", "details": "", "extra_info": {}}
        return {"error": error, "node_errors": {}}

    async def start(self) -> None:
        """Opens the port and starts to run what is queued."""
        await super().start()
        self._runner_task = asyncio.create_task(self._run_all())

    async def close(self) -> None:
        """Closes the port; the workflow under way is dropped."""
        task, self._runner_task = self._runner_task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):  # it was just told to
                await task
        await super().close()

    async def _open_socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        client_id = request.query.get("clientId") or uuid.uuid4().hex
        self._sockets[client_id] = socket, request
        await socket.send_json({"type": "status", "data": {"status": self._remaining(), "sid": client_id}})
        try:
            async for _ in self.heard(request, socket):
                pass  # clients say nothing; they are only told
        finally:
            if self._sockets.get(client_id) == (socket, request):
                del self._sockets[client_id]
        return socket

    async def _queue(self, request: web.Request) -> web.Response:
        try:
            asked = request[RECORDED].json
        except ValueError:
            return self.refused(400, "Invalid JSON")
        if "prompt" not in asked:
            error = {"type": "no_prompt", "message": "No prompt provided", "details": "No prompt provided"}
            return web.json_response({"error": error | {"extra_info": {}}, "node_errors": {}}, status=400)
        refusal = check(asked["prompt"])
        if refusal:
            return web.json_response({"error": refusal.error, "node_errors": refusal.node_errors}, status=400)
        behaviour = cast("ComfyBehaviour", request[BEHAVIOUR])
        job = Job(str(uuid.uuid4()), self._number, str(asked.get("client_id", "")), asked["prompt"], behaviour)
        self._number += 1
        self._jobs.append(job)
        self._waiting.set()
        await self._tell_remaining()
        return web.json_response({"prompt_id": job.id, "number": job.number, "node_errors": {}})

    async def _show_remaining(self, _request: web.Request) -> web.Response:
        return web.json_response(self._remaining())

    async def _show_queue(self, _request: web.Request) -> web.Response:
        entries = [job.entry for job in self._jobs]
        if any(job.behaviour.nulls for job in self._jobs):
            return web.json_response({"queue_running": [None, *entries], "queue_pending": None})
        return web.json_response({"queue_running": entries[:1], "queue_pending": entries[1:]})

    async def _change_queue(self, request: web.Request) -> web.Response:
        asked = request[RECORDED].json
        gone = set(asked.get("delete", []))
        self._jobs[1:] = [job for job in self._jobs[1:] if job.id not in gone and not asked.get("clear")]
        await self._tell_remaining()
        return web.Response()

    async def _show_history(self, request: web.Request) -> web.Response:
        wanted = request.match_info.get("id")
        return web.json_response({key: entry for key, entry in self.history.items() if wanted in (None, key)})

    async def _view(self, request: web.Request) -> web.Response:
        data = self.files.get(request.query.get("filename", ""))
        if data is None:
            return web.Response(status=404)
        return web.Response(body=data, content_type="image/png")

    async def _interrupt(self, request: web.Request) -> web.Response:
        asked = request[RECORDED]
        wanted = asked.json.get("prompt_id") if asked.body else None
        if not wanted or any(job.id == wanted for job in self._jobs[:1]):
            self.interrupted.set()
        return web.Response()

    async def _free(self, request: web.Request) -> web.Response:
        self.freed.append(request[RECORDED].json)
        return web.Response()

    async def _show_stats(self, _request: web.Request) -> web.Response:
        gib = 2**30
        device = {"name": "cuda:0 Stand-in", "type": "cuda", "index": 0, "vram_total": 8 * gib, "vram_free": 6 * gib}
        system = {"os": "posix", "ram_total": 16 * gib, "ram_free": 8 * gib, "comfyui_version": "0.3.0"}
        return web.json_response({"system": system, "devices": [device]})

    async def _show_nodes(self, _request: web.Request) -> web.Response:
        return web.json_response({name: _describe(name, node) for name, node in NODES.items()})

    def _remaining(self) -> dict[str, Any]:
        return {"exec_info": {"queue_remaining": len(self._jobs)}}

    async def _run_all(self) -> None:
        while True:
            while not self._jobs:
                self._waiting.clear()
                await self._waiting.wait()
            job = self._jobs[0]
            self.interrupted.clear()
            await run(self, job)
            self._jobs.remove(job)
            await self._tell_remaining()

    async def _tell_remaining(self) -> None:
        for client_id in list(self._sockets):
            await self.tell(client_id, "status", {"status": self._remaining()})

    async def tell(self, client_id: str, kind: str, data: dict[str, Any] | bytes) -> None:
        """Sends one message to a client, if it is connected: JSON, or a binary preview."""
        socket, _ = self._sockets.get(client_id, (None, None))
        if socket is None or socket.closed:
            return
        with contextlib.suppress(ConnectionError):  # it left just now
            if isinstance(data, bytes):
                await socket.send_bytes(data)
            else:
                await socket.send_str(json.dumps({"type": kind, "data": data}))

    def drop(self, client_id: str) -> None:
        """Cuts a client's WebSocket; the workflow goes on."""
        _, request = self._sockets.get(client_id, (None, None))
        if request is not None and request.transport is not None:
            request.transport.abort()


def _describe(name: str, node: Node) -> dict[str, Any]:
    required = {key: [list(kind) if isinstance(kind, tuple) else kind, {}] for key, kind in node.inputs.items()}
    return {
        "name": name,
        "input": {"required": required},
        "output": list(node.outputs),
        "output_node": node.gives_files,
    }

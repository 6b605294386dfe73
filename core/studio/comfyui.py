"""Draws with a ComfyUI server: queues a workflow, follows its progress, fetches the picture.

Protocol: ComfyUI's `server.py`: `POST /prompt`, `/interrupt`, `/queue`, `GET /history/{id}`, `/view`, `/queue`, and the
WebSocket `/ws?clientId=`, which tells `execution_start`, `executing`, `progress`, `executed`, `execution_success`,
`execution_error` and `execution_interrupted`, each with the `prompt_id` it is about.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

from core.errors import StudioError
from core.studio.refusals import execution_error, refusal
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    from core.config.studio import ComfySection

_log = logging.getLogger(__name__)

POLL_S = 0.5  # how often the history is asked once the WebSocket is gone
ABORT_TIMEOUT_S = 5.0
PICTURE_LIMIT = 64 * 2**20

DOWN = "I cannot draw right now: ComfyUI at {address} cannot be reached."
SLOW = "I cannot draw right now: ComfyUI at {address} did not answer within {timeout:g} s."
STATUS = "I cannot draw right now: ComfyUI at {address} answered with status {status}."
GARBAGE = "I cannot draw right now: what answers at {address} is no ComfyUI."
TOO_LONG = "The drawing was not ready within {timeout:g} s, so I stopped it."
INTERRUPTED = "The drawing was interrupted."
NO_PICTURE = "The workflow ended without a picture; it needs a node that saves one."
LOST = "ComfyUI forgot the drawing; perhaps it was restarted."
TOO_LARGE = "The drawing is too large to fetch."

Line = list[list[Any]]  # of a server's queue


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a drawing is. Without `steps` it waits in line or loads its model."""

    step: int = 0
    steps: int = 0


@dataclass(frozen=True, slots=True)
class Drawing:
    """A finished picture as ComfyUI gave it."""

    data: bytes
    name: str


class ComfyUI:
    """One ComfyUI server. Connections are opened for each drawing, so that nothing lingers while nobody draws."""

    def __init__(self, section: ComfySection) -> None:
        self._section = section
        self._url = section.url.rstrip("/")
        self.address = self._url.partition("://")[2]
        self._tasks = Tasks("comfyui")

    async def draw(self, workflow: Mapping[str, Any]) -> AsyncGenerator[Progress | Drawing]:
        """Progress as it comes, then the picture. Closing the generator or cancelling its reader stops the server's work.

        Raises:
            StudioError: The server is down, refuses the workflow, fails in it, or takes too long.
        """
        client_id = uuid.uuid4().hex
        deadline_s = asyncio.get_running_loop().time() + self._section.timeout_s
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._section.connect_timeout_s)
        async with aiohttp.ClientSession(self._url, timeout=timeout) as http:
            socket = await self._open(http, client_id)
            finished = False
            try:
                prompt_id = await self._queue(http, workflow, client_id)
                _log.info("drawing %s is queued", prompt_id)
                yield Progress()
                async with aclosing(self._follow(http, socket, prompt_id)) as told:
                    while (progress := await self._next(told, deadline_s)) is not None:
                        yield progress
                finished = True
                yield await self._fetch(http, prompt_id)
            except _EndedError:
                finished = True  # the server refused or ended it; there is nothing to stop
                raise
            finally:
                await socket.close()
                if not finished:
                    await asyncio.shield(self._tasks.start(self._abort(client_id), f"abort {client_id}"))

    async def check(self) -> None:
        """Whether the server is there.

        Raises:
            StudioError: It is not.
        """
        async with aiohttp.ClientSession(self._url) as http:
            await self._json(http, "GET", "/system_stats")

    # The steps of a drawing -------------------------------------------------------------------------------------------

    async def _open(self, http: aiohttp.ClientSession, client_id: str) -> aiohttp.ClientWebSocketResponse:
        async with self._reaching():
            return await http.ws_connect("/ws", params={"clientId": client_id}, max_msg_size=PICTURE_LIMIT)

    async def _queue(self, http: aiohttp.ClientSession, workflow: Mapping[str, Any], client_id: str) -> str:
        """Put the workflow in line. Its answer is waited for even if the drawing is given up meanwhile.

        Else a server that has just read it would draw it for nobody, after we looked whether there is anything to stop.
        """

        async def ask() -> dict[str, Any] | StudioError:
            try:
                return await self._json(http, "POST", "/prompt", {"prompt": workflow, "client_id": client_id})
            except StudioError as error:
                return error

        asked = self._tasks.start(ask())
        try:
            answer = await asyncio.shield(asked)
        except asyncio.CancelledError:
            await asyncio.wait([asked])
            raise
        if isinstance(answer, StudioError):
            raise answer
        prompt_id = answer.get("prompt_id")
        if not isinstance(prompt_id, str):
            raise StudioError(GARBAGE.format(address=self.address))
        return prompt_id

    async def _next(self, told: AsyncIterator[Progress], deadline_s: float) -> Progress | None:
        try:
            async with asyncio.timeout_at(deadline_s):
                return await anext(told, None)
        except TimeoutError as error:
            raise StudioError(TOO_LONG.format(timeout=self._section.timeout_s)) from error

    async def _follow(
        self, http: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse, prompt_id: str
    ) -> AsyncGenerator[Progress]:
        """Progress until the workflow has ended well and is in the history, which the server writes last.

        If the WebSocket goes, the history alone is asked.
        """
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue  # previews
            kind, data = _parse(message.data)
            if data.get("prompt_id") != prompt_id:
                continue
            if kind == "progress":
                yield _progress(data)
            elif _ends(kind, data):
                break
        else:
            _log.info("drawing %s: the WebSocket is gone; asking the history", prompt_id)
        while not await self._is_done(http, prompt_id):  # noqa: ASYNC110 - the server has no other way to tell
            await asyncio.sleep(POLL_S)

    async def _is_done(self, http: aiohttp.ClientSession, prompt_id: str) -> bool:
        entry = await self._entry(http, prompt_id)
        if entry is None:
            running, pending = await self._lines(http)
            known = any(prompt_id in entry for entry in (*running, *pending))
            if not known and await self._entry(http, prompt_id) is None:
                raise _EndedError(LOST)
            return False
        for kind, data in entry.get("status", {}).get("messages", []):
            _ends(kind, data)  # raises what went wrong
        return True

    async def _entry(self, http: aiohttp.ClientSession, prompt_id: str) -> dict[str, Any] | None:
        """What the history says of a drawing; None until it has ended."""
        return (await self._json(http, "GET", f"/history/{prompt_id}")).get(prompt_id)

    async def _fetch(self, http: aiohttp.ClientSession, prompt_id: str) -> Drawing:
        entry = await self._entry(http, prompt_id) or {}
        outputs: dict[str, dict[str, Any]] = entry.get("outputs", {})
        images: list[dict[str, str]] = [image for output in outputs.values() for image in output.get("images", [])]
        if not images:
            raise StudioError(NO_PICTURE)
        image = min(images, key=lambda image: image.get("type") != "output")  # saved ones before previews
        params = {key: image[key] for key in ("filename", "subfolder", "type") if key in image}
        async with self._reaching(), http.get("/view", params=params) as response:
            if response.status != 200:
                raise StudioError(STATUS.format(address=self.address, status=response.status))
            data = await response.content.read(PICTURE_LIMIT + 1)
            while len(data) <= PICTURE_LIMIT and (more := await response.content.read(PICTURE_LIMIT + 1)):
                data += more
        if len(data) > PICTURE_LIMIT:
            raise StudioError(TOO_LARGE)
        return Drawing(data, image.get("filename", "drawing.png"))

    async def _abort(self, client_id: str) -> None:
        """Stop a drawing at the server, and nobody else's: in line it is taken out, at work it is interrupted."""
        try:
            async with asyncio.timeout(ABORT_TIMEOUT_S), aiohttp.ClientSession(self._url) as http:
                running, pending = await self._lines(http)
                for prompt_id in _of_client(running, client_id):
                    await self._json(http, "POST", "/interrupt", {"prompt_id": prompt_id})
                if mine := _of_client(pending, client_id):
                    await self._json(http, "POST", "/queue", {"delete": mine})
        except (StudioError, TimeoutError) as error:
            _log.warning("a drawing could not be stopped at the server: %s", error)

    async def _lines(self, http: aiohttp.ClientSession) -> tuple[Line, Line]:
        """What is at work, and what waits: lists of number, prompt id, workflow, extra data and output nodes."""
        queue = await self._json(http, "GET", "/queue")
        return queue.get("queue_running", []), queue.get("queue_pending", [])

    # Asking -----------------------------------------------------------------------------------------------------------

    async def _json(self, http: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """One request; an empty answer is an empty object."""
        async with self._reaching(), http.request(method, path, json=body) as response:
            text = await response.text(errors="replace")
        try:
            answer: Any = json.loads(text) if text else {}
        except json.JSONDecodeError:
            answer = None
        if response.status == 400 and isinstance(answer, dict):
            raise _EndedError(refusal(answer))  # pyright: ignore[reportUnknownArgumentType] - JSON of any shape
        if response.status >= 400:
            raise StudioError(STATUS.format(address=self.address, status=response.status))
        if not isinstance(answer, dict):
            raise StudioError(GARBAGE.format(address=self.address))
        return answer  # pyright: ignore[reportUnknownVariableType] - JSON of any shape

    @asynccontextmanager
    async def _reaching(self) -> AsyncGenerator[None]:
        """Failures of one request as sentences."""
        timeout_s = self._section.connect_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                yield
        except TimeoutError as error:
            raise StudioError(SLOW.format(address=self.address, timeout=timeout_s)) from error
        except aiohttp.WSServerHandshakeError as error:
            raise StudioError(STATUS.format(address=self.address, status=error.status)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise StudioError(DOWN.format(address=self.address)) from error


class _EndedError(StudioError):
    """The server itself ended the workflow, or never took it."""


def _of_client(line: Line, client_id: str) -> list[str]:
    """The ids of a client's workflows in a line."""
    return [str(entry[1]) for entry in line if client_id in str(entry[3:4])]


def _parse(text: str) -> tuple[str, dict[str, Any]]:
    try:
        message: Any = json.loads(text)
        return str(message["type"]), dict(message["data"])
    except (ValueError, KeyError, TypeError):
        _log.debug("ComfyUI sent something unknown: %.80s", text)
        return "", {}


def _progress(data: Mapping[str, Any]) -> Progress:
    value, most = data.get("value"), data.get("max")
    return Progress(value, most) if isinstance(value, int) and isinstance(most, int) else Progress()


def _ends(kind: str, data: Mapping[str, Any]) -> bool:
    """Whether a message says that the workflow ended well; raises if it ended otherwise."""
    if kind == "execution_error":
        _log.warning("ComfyUI: %s", data.get("exception_message"))
        raise _EndedError(execution_error(data))
    if kind == "execution_interrupted":
        raise _EndedError(INTERRUPTED)
    return kind == "execution_success" or (kind == "executing" and data.get("node") is None)

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
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import aiohttp

from core.errors import StudioError
from core.studio.comfyui_http import GARBAGE, ComfyServer, EndedError
from core.studio.outputs import chosen, table
from core.studio.refusals import execution_error, refusal
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    from core.config.studio import ComfySection

_log = logging.getLogger(__name__)

POLL_S = 0.5  # how often the history is asked once the WebSocket is gone
SILENCE_S = 5.0  # after this long without a word the history is asked, in case that the WebSocket does not tell all
ABORT_TIMEOUT_S = 5.0
PICTURE_LIMIT = 64 * 2**20

TOO_LONG = "The drawing was not ready within {timeout:g} s, so I stopped it."
INTERRUPTED = "The drawing was interrupted."
NO_OUTPUT = "The workflow gave no picture from node {node}; check output_node under [studio.comfyui]."
NO_PICTURE = "The workflow ended without a picture; it needs a node that saves one."
FAILED = "The drawing failed; the log of ComfyUI says why."
LOST = "ComfyUI forgot the drawing; perhaps it was restarted."
TOO_LARGE = "The drawing is too large to fetch."

_CLOSED = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)

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

    def __init__(self, section: ComfySection, environ: Mapping[str, str] | None = None) -> None:
        """Name the server; `environ` holds the values of the headers that `header_env` names."""
        self._section = section
        self._server = ComfyServer(section, environ or {})
        self.address = self._server.address
        self._tasks = Tasks("comfyui")

    async def draw(self, workflow: Mapping[str, Any]) -> AsyncGenerator[Progress | Drawing]:
        """Progress as it comes, then the picture. Closing the generator or cancelling its reader stops the server's work.

        Raises:
            StudioError: The server is down, refuses the workflow, fails in it, or takes too long.
        """
        client_id = uuid.uuid4().hex
        deadline_s = asyncio.get_running_loop().time() + self._section.timeout_s
        async with self._server.open() as http:
            socket = await self._server.socket(http, client_id)
            finished = False
            try:
                prompt_id = await self._queue(http, workflow, client_id)
                _log.info("drawing %s is queued", prompt_id)
                yield Progress()
                async with aclosing(self._follow(http, socket, prompt_id)) as told:
                    while (progress := await self._next(told, deadline_s)) is not None:
                        yield progress
                finished = True
                yield await self._fetch(http, prompt_id, workflow)
            except EndedError:
                finished = True  # the server refused or ended it; there is nothing to stop
                raise
            finally:
                if socket is not None:
                    await socket.close()
                if not finished:
                    await asyncio.shield(self._tasks.start(self._abort(client_id), f"abort {client_id}"))

    async def check(self) -> None:
        """Whether the server is there.

        Raises:
            StudioError: It is not.
        """
        async with self._server.open() as http:
            await self._server.json(http, "GET", "system_stats")

    # The steps of a drawing -------------------------------------------------------------------------------------------

    async def _queue(self, http: aiohttp.ClientSession, workflow: Mapping[str, Any], client_id: str) -> str:
        """Put the workflow in line. Its answer is waited for even if the drawing is given up meanwhile.

        Else a server that has just read it would draw it for nobody, after we looked whether there is anything to stop.
        """

        async def ask() -> dict[str, Any] | StudioError:
            try:
                return await self._server.json(http, "POST", "prompt", {"prompt": workflow, "client_id": client_id})
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
        if not prompt_id and (answer.get("error") or answer.get("node_errors")):
            raise EndedError(refusal(answer))
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
        self, http: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse | None, prompt_id: str
    ) -> AsyncGenerator[Progress]:
        """Progress until the workflow has ended well and is in the history, which the server writes last.

        If the WebSocket goes, says nothing or was never there, the history is asked.
        """
        while socket is not None:
            try:
                message = await socket.receive(SILENCE_S)
            except TimeoutError:
                if await self._is_done(http, prompt_id):
                    return
                continue
            if message.type in _CLOSED:
                break
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue  # previews
            kind, data = _parse(message.data)
            if data.get("prompt_id") != prompt_id:
                continue
            if kind == "progress":
                yield _progress(data)
            elif _ends(kind, data):
                break
        while not await self._is_done(http, prompt_id):  # noqa: ASYNC110 - the server has no other way to tell
            await asyncio.sleep(POLL_S)

    async def _is_done(self, http: aiohttp.ClientSession, prompt_id: str) -> bool:
        entry = await self._entry(http, prompt_id)
        if entry is None:
            running, pending = await self._lines(http)
            known = any(prompt_id in entry[:2] for entry in (*running, *pending))
            if not known and await self._entry(http, prompt_id) is None:
                raise EndedError(LOST)
            return False
        status = table(entry.get("status"))
        for message in _list(status.get("messages")):
            if isinstance(message, list) and len(parts := cast("list[Any]", message)) > 1:
                _ends(str(parts[0]), table(parts[1]))  # raises what went wrong
        if status.get("status_str") == "error":
            raise EndedError(FAILED)
        return True

    async def _entry(self, http: aiohttp.ClientSession, prompt_id: str) -> dict[str, Any] | None:
        """What the history says of a drawing; None until it has ended."""
        entry: Any = (await self._server.json(http, "GET", f"history/{prompt_id}")).get(prompt_id)
        return cast("dict[str, Any]", entry) if isinstance(entry, dict) else None

    async def _fetch(self, http: aiohttp.ClientSession, prompt_id: str, workflow: Mapping[str, Any]) -> Drawing:
        wanted = self._section.output_node
        image = chosen(await self._entry(http, prompt_id) or {}, workflow, wanted)
        if image is None:
            raise StudioError(NO_OUTPUT.format(node=wanted) if wanted else NO_PICTURE)
        params = {key: str(image[key]) for key in ("filename", "subfolder", "type") if image.get(key) is not None}
        data = await self._server.file(http, params, PICTURE_LIMIT)
        if len(data) > PICTURE_LIMIT:
            raise StudioError(TOO_LARGE)
        return Drawing(data, str(image["filename"]))

    async def _abort(self, client_id: str) -> None:
        """Stop a drawing at the server, and nobody else's: in line it is taken out, at work it is interrupted."""
        try:
            async with asyncio.timeout(ABORT_TIMEOUT_S), self._server.open() as http:
                running, pending = await self._lines(http)
                for prompt_id in _of_client(running, client_id):
                    await self._server.json(http, "POST", "interrupt", {"prompt_id": prompt_id})
                if mine := _of_client(pending, client_id):
                    await self._server.json(http, "POST", "queue", {"delete": mine})
        except (StudioError, TimeoutError) as error:
            _log.warning("a drawing could not be stopped at the server: %s", error)

    async def _lines(self, http: aiohttp.ClientSession) -> tuple[Line, Line]:
        """What is at work, and what waits: lists of number, prompt id, workflow, extra data and output nodes."""
        queue = await self._server.json(http, "GET", "queue")
        running, pending = (
            [_list(entry) for entry in _list(queue.get(name)) if len(_list(entry)) > 1]
            for name in ("queue_running", "queue_pending")
        )
        return running, pending


def _of_client(line: Line, client_id: str) -> list[str]:
    """The ids of a client's workflows in a line."""
    return [str(entry[1]) for entry in line if client_id in str(entry[3:4])]


def _list(value: Any) -> list[Any]:
    """A JSON list, or an empty one for anything else."""
    return cast("list[Any]", value) if isinstance(value, list) else []


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
        raise EndedError(execution_error(data))
    if kind == "execution_interrupted":
        raise EndedError(INTERRUPTED)
    return kind == "execution_success" or (kind == "executing" and data.get("node") is None)

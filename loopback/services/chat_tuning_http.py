"""The paths of fine-tuning, for a server of the OpenAI kind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiohttp import web

from loopback.services.chat_tuning import Tuning, TuningError
from loopback.services.http_service import RECORDED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
    Refuse = Callable[[int, str], web.Response]

PREFIXES = ("/v1", "/openai", "/openai/v1")
NO_SUCH_PATH = "Unknown request URL: please check the URL for typos, or see the docs."


class TuningPaths:
    """Answers requests about files and jobs.

    Args:
        tuning: Files and jobs.
        may_enter: Whether a request carries the key.
        refuse: An error answer in the server's form, by status and words.
    """

    def __init__(self, tuning: Tuning, may_enter: Callable[[web.Request], bool], refuse: Refuse) -> None:
        self._tuning = tuning
        self._may_enter = may_enter
        self._refuse = refuse

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """OpenAI's and Azure's paths."""
        for prefix in PREFIXES:
            jobs, job = f"{prefix}/fine_tuning/jobs", f"{prefix}/fine_tuning/jobs/{{job}}"
            yield web.post(f"{prefix}/files", self._guarded(self._upload))
            yield web.get(f"{prefix}/files/{{file}}", self._guarded(self._show_file))
            yield web.delete(f"{prefix}/files/{{file}}", self._guarded(self._delete_file))
            yield web.post(jobs, self._guarded(self._create))
            yield web.get(jobs, self._guarded(self._list))
            yield web.get(job, self._guarded(self._look))
            yield web.get(f"{job}/events", self._guarded(self._events))
            yield web.post(f"{job}/cancel", self._guarded(self._cancel))

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            if not self._may_enter(request):
                return self._refuse(401, "")
            azure = request.path.startswith("/openai/") and not request.path.startswith("/openai/v1/")
            if not self._tuning.offered or (azure and "api-version" not in request.query):
                return self._refuse(404, NO_SUCH_PATH)
            try:
                return await handler(request)
            except TuningError as error:
                return self._refuse(error.status, str(error))
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                return self._refuse(400, f"Invalid body: {error!r}")

        return guarded

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        parts = _parts(request.content_type, request.headers.get("Content-Type", ""), await request.read())
        name, data = parts["file"]
        return web.json_response(self._tuning.add_file(name, parts["purpose"][1].decode(), data).to_json())

    async def _show_file(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._tuning.file(request.match_info["file"]).to_json())

    async def _delete_file(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._tuning.delete_file(request.match_info["file"]))

    async def _create(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._tuning.create(request[RECORDED].json).to_json())

    async def _list(self, request: web.Request) -> web.StreamResponse:
        marks = {
            key.removeprefix("metadata[").removesuffix("]"): value
            for key, value in request.query.items()
            if key.startswith("metadata[")
        }
        return web.json_response(self._tuning.list(marks))

    async def _look(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._tuning.look(request.match_info["job"]).to_json())

    async def _events(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._tuning.events(request.match_info["job"]))

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._tuning.cancel(request.match_info["job"]).to_json())


def _parts(kind: str, header: str, body: bytes) -> dict[str, tuple[str, bytes]]:
    """The parts of a form, by name, each with its file's name and its bytes; what arrived is recorded, so it was read."""
    boundary = re.search(r'boundary="?([^";,]+)', header)
    if kind != "multipart/form-data" or boundary is None:
        raise ValueError("a multipart form is wanted")
    found: dict[str, tuple[str, bytes]] = {}
    for part in body.split(b"--" + boundary[1].encode())[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        name = re.search(rb'[ ;]name="([^"]*)"', head)
        file = re.search(rb'filename="([^"]*)"', head)
        if name is not None:
            found[name[1].decode()] = (file[1].decode() if file else "", data.removesuffix(b"\r\n"))
    return found

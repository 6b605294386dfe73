"""Requests to a ComfyUI server: its address, its headers, and failures as sentences."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import yarl

from core.errors import StudioError
from core.redaction import address
from core.studio.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from core.config.studio import ComfySection

_log = logging.getLogger(__name__)

NO_SOCKET = (200, 400, 404, 405, 426, 501)  # statuses of what takes the request for a common one
MESSAGE_LIMIT = 64 * 2**20

DOWN = "I cannot draw right now: ComfyUI at {address} cannot be reached."
SLOW = "I cannot draw right now: ComfyUI at {address} did not answer within {timeout:g} s."
STATUS = "I cannot draw right now: ComfyUI at {address} answered with status {status}."
KEY = (
    "I cannot draw right now: ComfyUI at {address} does not let me in (status {status}); whoever runs this bot has to check "
    "headers and header_env under [studio.comfyui]."
)
GARBAGE = "I cannot draw right now: what answers at {address} is no ComfyUI."
BAD_URL = "I cannot draw: the url under [studio.comfyui] is no address of a server."


class EndedError(StudioError):
    """The server itself ended the workflow, or never took it."""


class ComfyServer:
    """Where a ComfyUI server is and what it wants to be told with every request.

    The address may have a path, a query (as `?token=`), user and password; only host and path are ever shown.
    """

    def __init__(self, section: ComfySection, environ: Mapping[str, str]) -> None:
        self._timeout_s = section.connect_timeout_s
        self._url = section.url
        self.address = address(section.url).partition("://")[2]
        self._headers = dict(section.headers)
        for header, variable in section.header_env.items():
            if environ.get(variable):
                self._headers[header] = environ[variable]

    def open(self) -> aiohttp.ClientSession:
        """An HTTP session for one drawing."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout_s)
        return aiohttp.ClientSession(timeout=timeout, headers=self._headers)

    def at(self, path: str) -> yarl.URL:
        """The full address of a path. Raises `StudioError` if the configured one is none."""
        try:
            base = yarl.URL(self._url)
            if any(header.lower() == "authorization" for header in self._headers):
                base = base.with_user(None)  # the header says it; both together are refused by aiohttp
            place = base.with_path(f"{base.raw_path.rstrip('/')}/{path}", encoded=True)
        except ValueError as error:
            raise StudioError(BAD_URL) from error
        return place.with_query(base.query)

    async def socket(self, http: aiohttp.ClientSession, client_id: str) -> aiohttp.ClientWebSocketResponse | None:
        """The WebSocket that tells of a client's drawings; None if there is none, as behind a proxy that passes none on."""
        url = self.at("ws").update_query(clientId=client_id)
        async with self.reaching():
            try:
                return await http.ws_connect(url, max_msg_size=MESSAGE_LIMIT)
            except aiohttp.WSServerHandshakeError as error:
                if error.status not in NO_SOCKET:
                    raise
                _log.info("ComfyUI at %s has no WebSocket (status %d); asking the history", self.address, error.status)
        return None

    async def json(self, http: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """One request; an empty answer, or null, is an empty object."""
        async with (
            self.reaching(),
            http.request(method, self.at(path), json=body, allow_redirects=False) as response,
        ):
            text = await response.text(errors="replace")
        try:
            answer: Any = json.loads(text) if text.strip() else {}
        except (ValueError, RecursionError):
            answer = ""
        if response.status == 400 and isinstance(answer, dict):
            raise EndedError(refusal(cast("dict[str, Any]", answer)))
        if response.status != 200:
            raise self.refused(response.status)
        if answer is None:
            return {}
        if not isinstance(answer, dict):
            raise StudioError(GARBAGE.format(address=self.address))
        return cast("dict[str, Any]", answer)

    async def file(self, http: aiohttp.ClientSession, params: Mapping[str, str], limit: int) -> bytes:
        """A picture's file; of a larger one a byte more than the limit."""
        url = self.at("view").update_query(params)
        async with self.reaching(), http.get(url, allow_redirects=False) as response:
            if response.status != 200:
                raise self.refused(response.status)
            parts: list[bytes] = []
            size = 0
            async for part in response.content.iter_any():
                parts.append(part)
                size += len(part)
                if size > limit:
                    break
        return b"".join(parts)

    def refused(self, status: int) -> StudioError:
        """The error for an answer of another status than 200."""
        words = KEY if status in (401, 403, 407) or 300 <= status < 400 else STATUS
        return StudioError(words.format(address=self.address, status=status))

    @asynccontextmanager
    async def reaching(self) -> AsyncGenerator[None]:
        """Failures of one request as sentences."""
        try:
            async with asyncio.timeout(self._timeout_s):
                yield
        except TimeoutError as error:
            raise StudioError(SLOW.format(address=self.address, timeout=self._timeout_s)) from error
        except aiohttp.WSServerHandshakeError as error:
            raise self.refused(error.status) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:  # the last: a header or an address that is none
            raise StudioError(DOWN.format(address=self.address)) from error

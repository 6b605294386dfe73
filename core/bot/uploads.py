"""Fetches attachments from Discord piece by piece, so that no file is held in memory whole."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp

from core.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

FETCH_S = 60.0  # for an upload
PIECE = 256 * 1024
AT_ONCE = 4
NOT_FETCHED = "Discord did not hand over the file. Please upload it once more."


class UploadReader:
    """Reads what Discord keeps of people's uploads."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._places = asyncio.Semaphore(AT_ONCE)

    async def close(self) -> None:
        """End what is being fetched."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def parts(self, url: str, limit_bytes: int) -> AsyncGenerator[bytes]:
        """The bytes of an attachment, at its address as Discord gives it.

        Raises:
            AudioError: Discord does not hand it over, or more than it said.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=True)
        given = 0
        timeout = aiohttp.ClientTimeout(total=FETCH_S)
        try:
            async with self._places, self._session.get(url, timeout=timeout) as response:
                response.raise_for_status()
                async for part in response.content.iter_chunked(PIECE):
                    given += len(part)
                    if given > limit_bytes:
                        raise AudioError(NOT_FETCHED)
                    yield part
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise AudioError(NOT_FETCHED) from error

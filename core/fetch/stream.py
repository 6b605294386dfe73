"""An answer whose body is looked at before it is decided what becomes of it: heard without end, kept, or read."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from core.errors import FetchError
from core.fetch.answers import Downloaded
from core.fetch.files import keep
from core.fetch.limits import MB

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from core.fetch.answers import Head
    from core.fetch.limits import FetchLimits

LARGE = "What {host} sends is larger than {limit:g} MB, which is the most I take."
SLOW = "{host} took longer than {limit:g} s, which is the most I wait."


class FetchStream:
    """An answer: its head, and its bytes as they come. At most a few hundred kilobytes wait; then the sender does.

    `length` is how long the server says the body is, packed as it comes; None if it does not say.
    """

    def __init__(self, head: Head, length: int | None, pieces: AsyncGenerator[bytes], host: str) -> None:
        self.head = head
        self.length = length
        self.host = host
        self._pieces = pieces
        self._seen: list[bytes] = []

    async def peek(self, size: int) -> bytes:
        """The first `size` bytes, or fewer if there are no more; they come again.

        Raises:
            FetchError: They do not come.
        """
        while sum(map(len, self._seen)) < size:
            piece = await anext(self._pieces, None)
            if piece is None:
                break
            self._seen.append(piece)
        return b"".join(self._seen)[:size]

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        """The bytes, from the first on that were not taken."""
        while self._seen:
            yield self._seen.pop(0)
        async for piece in self._pieces:
            yield piece

    async def read(self, limits: FetchLimits) -> bytes:
        """All of it, in memory.

        Raises:
            FetchError: It is larger than may be, or takes longer.
        """
        body = bytearray()
        async with aclosing(self._within(limits)) as parts:
            async for part in parts:
                body += part
        return bytes(body)

    async def download(self, into: Path, limits: FetchLimits) -> Downloaded:
        """All of it, as a private file in a folder; the caller deletes it. Nothing is left if it fails.

        Raises:
            FetchError: It is larger than may be, or takes longer.
            OSError: The disk is full or gone.
        """
        path, size = await keep(into, self._within(limits))
        return Downloaded(self.head, path, size)

    async def aclose(self) -> None:
        """Give up what is still to come."""
        await self._pieces.aclose()

    async def _within(self, limits: FetchLimits) -> AsyncGenerator[bytes]:
        """The bytes, as long as they keep to the limits."""
        size, until = 0, asyncio.get_running_loop().time() + limits.total_s
        parts = aiter(self)
        while True:
            try:
                async with asyncio.timeout_at(until if limits.total_s else None):
                    part = await anext(parts, None)
            except TimeoutError as error:
                raise FetchError(
                    SLOW.format(host=self.host, limit=limits.total_s), kind="slow", host=self.host
                ) from error
            if part is None:
                return
            size += len(part)
            if limits.size_bytes and max(size, self.length or 0) > limits.size_bytes:
                raise FetchError(
                    LARGE.format(host=self.host, limit=limits.size_bytes / MB), kind="large", host=self.host
                )
            yield part

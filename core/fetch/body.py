"""The body of an answer, piece by piece: unpacked, counted, and given up when it is too large or too slow."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING

from core.errors import FetchError
from core.fetch.limits import GRACE_S, MB

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    import aiohttp

    from core.fetch.limits import FetchLimits

PIECE_BYTES = 65_536  # that is unpacked at once
MAX_MEMBERS = 1000  # packed parts one behind the other; a bomb of empty ones would take time without growing

LARGE = "What {host} sends is larger than {limit:g} MB, which is the most I take."
SLOW = "{host} sends too slowly."
STALLED = "{host} sent nothing for {limit:g} s in the middle."
PACKED = "What {host} sends is packed in a way that I do not know."
DAMAGED = "What {host} sends is packed and damaged."
BROKEN = "{host} broke off in the middle."


async def pieces(response: aiohttp.ClientResponse, limits: FetchLimits, host: str) -> AsyncGenerator[bytes]:
    """The body, unpacked, in pieces of at most 64 KiB.

    Raises:
        FetchError: It is too large, comes too slowly, or is damaged. What was given until then is real.
    """
    packed = response.headers.get("Content-Encoding", "").strip().lower()
    unpack = _Unpacker(packed, host) if packed not in ("", "identity") else None
    loop = asyncio.get_running_loop()
    began, raw, size = loop.time(), 0, 0
    async for data in _received(response, limits, host):
        raw += len(data)
        for piece in unpack.feed(data) if unpack else _cut(data):
            size += len(piece)
            if limits.size_bytes and size > limits.size_bytes:
                raise too_large(host, limits)
            yield piece
            await asyncio.sleep(0)  # unpacking takes its time; others are let through
        took = loop.time() - began
        if took > GRACE_S and raw < limits.least_rate * (took - GRACE_S):
            raise FetchError(SLOW.format(host=host), kind="slow", host=host)
    if unpack and not unpack.whole:
        raise FetchError(DAMAGED.format(host=host), kind="dead", host=host)


def too_large(host: str, limits: FetchLimits) -> FetchError:
    """The refusal of a body that is, or says it is, larger than may be."""
    return FetchError(LARGE.format(host=host, limit=limits.size_bytes / MB), kind="large", host=host)


async def _received(response: aiohttp.ClientResponse, limits: FetchLimits, host: str) -> AsyncGenerator[bytes]:
    """What comes over the wire. The library's buffer holds at most twice 64 KiB, then the sender waits."""
    import aiohttp

    while True:
        try:
            async with asyncio.timeout(limits.idle_s):
                data = await response.content.readany()
        except TimeoutError as error:
            raise FetchError(STALLED.format(host=host, limit=limits.idle_s), kind="slow", host=host) from error
        except (aiohttp.ClientError, OSError) as error:
            raise FetchError(BROKEN.format(host=host), kind="dead", host=host) from error
        if not data:
            return
        yield data


def _cut(data: bytes) -> Iterator[bytes]:
    return (data[start : start + PIECE_BYTES] for start in range(0, len(data), PIECE_BYTES))


class _Unpacker:
    """Unpacks gzip and deflate, a bounded piece at a time, however much is packed into little."""

    def __init__(self, kind: str, host: str) -> None:
        if kind not in ("gzip", "x-gzip", "deflate"):
            raise FetchError(PACKED.format(host=host), kind="type", host=host)
        self._host = host
        self._bare = kind == "deflate"  # some servers leave out the frame
        self._machine = zlib.decompressobj(zlib.MAX_WBITS | 32)
        self._begun = False
        self._members = 1

    @property
    def whole(self) -> bool:
        """Whether the end was reached; nothing at all is a whole nothing."""
        return self._machine.eof or not self._begun

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Unpack what came."""
        while data:
            if self._machine.eof:
                if not data.startswith(b"\x1f\x8b") or self._members >= MAX_MEMBERS:
                    return  # padding behind the end
                self._members += 1
                self._machine = zlib.decompressobj(zlib.MAX_WBITS | 32)
            piece = self._unpack(data)
            self._begun = True
            if piece:
                yield piece
            data = self._machine.unused_data if self._machine.eof else self._machine.unconsumed_tail
        while not self._machine.eof and (rest := self._unpack(b"")):
            yield rest

    def _unpack(self, data: bytes) -> bytes:
        try:
            return self._machine.decompress(data, PIECE_BYTES)
        except zlib.error as error:
            if self._bare and not self._begun:
                self._machine = zlib.decompressobj(-zlib.MAX_WBITS)
                self._bare = False
                return self._unpack(data)
            raise FetchError(DAMAGED.format(host=self._host), kind="dead", host=self._host) from error

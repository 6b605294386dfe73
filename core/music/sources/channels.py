"""Where endless sound comes from: a station's stream (ICY), or a list of pieces that grows (HLS)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import yarl

from core.errors import FetchError
from core.fetch.urls import parse
from core.music.sources.icy import TitleCutter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from core.clock import Clock
    from core.fetch import Fetcher

ICY = {"Icy-MetaData": "1", "Accept": "audio/*, application/ogg, */*;q=0.5"}

PIECE_MB = 16
MAX_LIST_BYTES = 1_000_000
MAX_VARIANTS = 50
AHEAD = 3  # pieces before the end of a live list, where to begin
MAX_NEW = 200  # pieces taken of one list
RELOAD_S = (1.0, 10.0)
STALE = 6  # looks at a list that does not grow

LOCKED = "What {host} sends is encrypted (DRM), so I cannot play it."
PARTS = "{host} sends its stream in a way (parts of files) that I cannot play."
EMPTY = "{host} names no pieces of its stream."
STILL = "{host} has stopped sending."


class StationChannel:
    """A station's stream: the same bytes for everybody, with titles in between."""

    ends = False

    def __init__(self, fetcher: Fetcher, url: str, headers: Mapping[str, str] | None = None) -> None:
        self._fetcher = fetcher
        self._url = url
        self._headers = {**ICY, **(headers or {})}
        self._cutter = TitleCutter()

    @property
    def title(self) -> str:
        """What plays now; plain text."""
        return self._cutter.title

    async def listen(self) -> AsyncGenerator[bytes]:
        """The sound as it comes; see `Channel.listen`."""
        async with self._fetcher.stream(self._url, headers=self._headers) as stream:
            self._cutter = TitleCutter.of(stream.head.headers)
            async for data in stream:
                yield self._cutter.feed(data)


@dataclass(frozen=True, slots=True)
class PieceList:
    """A list of pieces as it is now. `first` is the number of the first of them."""

    pieces: tuple[str, ...]
    first: int
    target_s: float
    ended: bool
    beginning: str = ""  # what belongs before the first piece


class PiecesChannel:
    """A stream in pieces (HLS). Every address in its lists goes through the guarded fetch like the first."""

    title = ""

    def __init__(self, fetcher: Fetcher, url: str, clock: Clock, headers: Mapping[str, str] | None = None) -> None:
        self._fetcher = fetcher
        self._url = url
        self._clock = clock
        self._headers = headers
        self.ends = False

    async def listen(self) -> AsyncGenerator[bytes]:
        """The pieces one after the other; see `Channel.listen`."""
        limits = replace(self._fetcher.page_limits, size_bytes=PIECE_MB * 1_000_000)
        place, now = await self._list(self._url)
        number = now.first if now.ended else max(now.first, now.first + len(now.pieces) - AHEAD)
        if now.beginning:
            yield (await self._fetcher.get(now.beginning, limits, headers=self._headers)).body
        stale = 0
        while True:
            fresh = now.pieces[max(0, number - now.first) :][:MAX_NEW]
            number = max(number, now.first)
            for piece in fresh:
                yield (await self._fetcher.get(piece, limits, headers=self._headers)).body
                number += 1
            if now.ended and number >= now.first + len(now.pieces):
                self.ends = True
                return
            stale = 0 if fresh else stale + 1
            if stale > STALE:
                host = yarl.URL(place).host or ""
                raise FetchError(STILL.format(host=host), kind="dead", host=host)
            await self._clock.sleep(min(max(now.target_s / (2 if stale else 1), RELOAD_S[0]), RELOAD_S[1]))
            place, now = await self._list(place)

    async def _list(self, url: str) -> tuple[str, PieceList]:
        """A list of pieces, and where it was found; a list of variants leads to the one of the least bandwidth."""
        limits = replace(self._fetcher.page_limits, size_bytes=MAX_LIST_BYTES)
        for _ in range(2):
            fetched = await self._fetcher.get(url, limits, headers=self._headers)
            base = yarl.URL(fetched.head.url)
            text = fetched.body.decode("utf-8", "replace")
            variant = best_variant(text, base)
            if variant is None:
                return url, read_pieces(text, base)
            url = variant
        host = yarl.URL(url).host or ""
        raise FetchError(EMPTY.format(host=host), kind="type", host=host)


def best_variant(text: str, base: yarl.URL) -> str | None:
    """Of a list of variants the one with sound alone, else of the least bandwidth; None if it is no such list."""
    found: list[tuple[bool, int, str]] = []
    bandwidth: int | None = None
    for line in map(str.strip, text.splitlines()):
        if line.startswith("#EXT-X-MEDIA:") and "TYPE=AUDIO" in line and (uri := re.search(r'URI="([^"]+)"', line)):
            found.append((False, 0, str(parse(uri[1], base))))
        elif line.startswith("#EXT-X-STREAM-INF:"):
            number = re.search(r"[:,]BANDWIDTH=(\d{1,12})", line)
            bandwidth = int(number[1]) if number else 10**12
        elif line and not line.startswith("#") and bandwidth is not None:
            found.append((True, bandwidth, str(parse(line, base))))
            bandwidth = None
        if len(found) >= MAX_VARIANTS:
            break
    return min(found)[2] if found else None


def read_pieces(text: str, base: yarl.URL) -> PieceList:
    """The pieces that a list names.

    Raises:
        FetchError: They are encrypted, parts of files, none at all, or no addresses of web servers.
    """
    host = base.host or ""
    pieces: list[str] = []
    first, target_s, beginning = 0, 6.0, ""
    for line in map(str.strip, text.splitlines()):
        name, _, value = line.partition(":")
        if name in ("#EXT-X-KEY", "#EXT-X-SESSION-KEY") and "METHOD=NONE" not in value:
            raise FetchError(LOCKED.format(host=host), kind="type", host=host)
        if name == "#EXT-X-BYTERANGE" or (name == "#EXT-X-MAP" and "BYTERANGE" in value):
            raise FetchError(PARTS.format(host=host), kind="type", host=host)
        if name == "#EXT-X-MEDIA-SEQUENCE" and re.fullmatch(r"\d{1,15}", value):
            first = int(value)
        elif name == "#EXT-X-TARGETDURATION" and re.fullmatch(r"\d{1,5}(\.\d{1,9})?", value):
            target_s = float(value)
        elif name == "#EXT-X-MAP" and (uri := re.search(r'URI="([^"]+)"', value)):
            beginning = str(parse(uri[1], base))
        elif line and not line.startswith("#"):
            pieces.append(str(parse(line, base)))
    if not pieces:
        raise FetchError(EMPTY.format(host=host), kind="type", host=host)
    return PieceList(tuple(pieces), first, target_s, "#EXT-X-ENDLIST" in text, beginning)

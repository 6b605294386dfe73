"""What there is to hear at an address: a file, a station, or a list of them; each becomes a source for the queue."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

import yarl

from core.errors import AudioError
from core.fetch.urls import parse
from core.music.sources.channels import ICY, PiecesChannel, StationChannel
from core.music.sources.icy import station_name
from core.music.sources.lazy import LazySource
from core.music.sources.playlists import MAX_BYTES, Entry, Playlist, is_hls, looks_like_playlist, read_playlist
from core.music.sources.radio import Radio
from core.names import plain
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from core.clock import Clock
    from core.fetch import Fetcher, FetchLimits, FetchStream, Head
    from core.music.sources.ytdlp import Extractor

DEEP = 3  # lists that lead to lists
PEEK = 2048
PAGE = re.compile(
    rb"\s*(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|script|title)\b",
    re.IGNORECASE | re.DOTALL,
)

DEEPER = "That list leads to another list, and that on and on; I stop at the third."
ROUND = "That list leads back to itself."
DISK = "I could not keep the file: my disk is full or cannot be written."


class WebSource(Protocol):
    """Sound of a track, as the queue takes it."""

    @property
    def endless(self) -> bool:
        """Whether it has no end and no places to go to."""
        ...

    @property
    def size(self) -> int:
        """Bytes that it keeps on disk."""
        ...

    def blocks(self, start_s: float) -> Generator[NDArray[np.float32], None, None]:
        """Sound from `start_s` on; for a thread that may wait. An empty block is: nothing yet."""
        ...

    def release(self) -> None:
        """Delete what is kept."""
        ...


@dataclass(frozen=True, slots=True)
class WebSound:
    """Something to hear at an address. Title and artist are plain text of strangers; `url` brings it again."""

    url: str
    title: str
    source: WebSource
    artist: str = ""
    length_s: float | None = None


@dataclass(frozen=True, slots=True)
class WebFind:
    """What was found at an address, and how many entries of a list were left out."""

    sounds: tuple[WebSound, ...]
    left_out: int = 0


class WebSounds:
    """Opens addresses that people give. Close it with the sessions: what listens ends, files are the sources' own."""

    def __init__(
        self,
        fetcher: Fetcher,
        folder: Path,
        *,
        make_file: Callable[[Path, int], WebSource],
        vet: Callable[[Path], Awaitable[object]],
        extractor: Extractor,
        clock: Clock,
        file_limits: FetchLimits | None = None,
    ) -> None:
        """Nothing is asked yet.

        Args:
            fetcher: The way out.
            folder: Where files wait until they were played.
            make_file: A source of a file of this path and size that is deleted with `release`.
            vet: Looks a file through in a process that may be ended; raises `AudioError` for one that is not played.
            extractor: Finds the sound of pages.
            clock: For the time.
            file_limits: Of one file; those of the fetcher by default.
        """
        self._fetcher = fetcher
        self._folder = folder
        self._make_file = make_file
        self._vet = vet
        self._extractor = extractor
        self._clock = clock
        self._file_limits = file_limits or fetcher.file_limits
        self._tasks = Tasks("music sources")

    async def close(self) -> None:
        """End whatever listens or is being fetched."""
        await self._tasks.cancel_all()

    async def find(self, url: str) -> WebFind:
        """What there is at an address. A file is fetched and looked through; entries of a list are when their turn comes.

        Raises:
            FetchError: The address cannot be fetched, or may not be.
            AudioError: What is there is no sound.
        """
        return await self._find(Entry(str(parse(url))), frozenset())

    async def find_list(self, data: bytes) -> WebFind:
        """What an uploaded playlist names; only whole addresses of web servers count in one.

        Raises:
            AudioError: It is no list, or names nothing of the kind.
        """
        return await self._expand(read_playlist(data, None), frozenset())

    def again(self, url: str, title: str = "", length_s: float | None = None) -> WebSound:
        """Something from earlier, not asked for before its turn comes: for a queue that goes on after a restart."""
        return self._later(Entry(url, title, length_s), frozenset())

    # ------------------------------------------------------------------------------------------------------------------

    async def _find(self, entry: Entry, seen: frozenset[str]) -> WebFind:
        if entry.url in seen:
            raise AudioError(ROUND)
        if len(seen) > DEEP:
            raise AudioError(DEEPER)
        seen |= {entry.url}
        async with self._fetcher.stream(entry.url, headers=ICY) as stream:
            beginning = await stream.peek(PEEK)
            head = stream.head
            if looks_like_playlist(head.content_type, yarl.URL(head.url).path, beginning):
                data = await stream.read(_list_limits(self._fetcher))
                if is_hls(data):
                    channel = PiecesChannel(self._fetcher, head.url, self._clock)
                    return WebFind((self._radio(entry, _name(entry, head), [channel]),))
                playlist = read_playlist(data, yarl.URL(head.url))
            elif not is_page(head.content_type, beginning):
                return WebFind((await self._sound(entry, stream),))
            else:
                playlist = None
        if playlist is None:
            return WebFind((await self._page(entry),))
        return await self._expand(playlist, seen)

    async def _expand(self, playlist: Playlist, seen: frozenset[str]) -> WebFind:
        """A list of one is what it names; of more, each is opened when its turn comes."""
        if len(playlist.entries) == 1:
            found = await self._find(playlist.entries[0], seen)
            return WebFind(found.sounds, found.left_out + playlist.left_out)
        return WebFind(tuple(self._later(entry, seen) for entry in playlist.entries), playlist.left_out)

    def _later(self, entry: Entry, seen: frozenset[str]) -> WebSound:
        async def fetch() -> WebSource:
            return (await self._find(entry, seen)).sounds[0].source

        name = entry.title or _of_path(yarl.URL(entry.url))
        return WebSound(entry.url, name, LazySource(fetch, self._tasks), "", entry.length_s)

    async def _sound(self, entry: Entry, stream: FetchStream, headers: Mapping[str, str] | None = None) -> WebSound:
        """A station, or a file that is here and looked through."""
        if is_endless(stream):
            urls = [entry.url, *entry.others]
            channels = [StationChannel(self._fetcher, url, headers) for url in urls]
            return self._radio(entry, station_name(stream.head.headers) or _name(entry, stream.head), channels)
        try:
            file = await stream.download(self._folder, self._file_limits)
        except OSError as error:
            raise AudioError(DISK) from error
        source = self._make_file(file.path, file.size)
        try:
            await self._vet(file.path)
        except BaseException:
            source.release()
            raise
        return WebSound(entry.url, _name(entry, stream.head), source, "", entry.length_s)

    def _radio(self, entry: Entry, name: str, channels: list[StationChannel] | list[PiecesChannel]) -> WebSound:
        return WebSound(entry.url, name, Radio(name, channels, self._tasks, self._clock))

    async def _page(self, entry: Entry) -> WebSound:
        """The sound of a page, if there is something that finds it."""
        found = await self._extractor.extract(entry.url)
        inner = Entry(str(parse(found.url)), found.title or entry.title, found.length_s)
        if found.pieces:
            channel = PiecesChannel(self._fetcher, inner.url, self._clock, found.headers)
            sound = self._radio(inner, inner.title or _of_path(yarl.URL(entry.url)), [channel])
        else:
            async with self._fetcher.stream(inner.url, headers={**ICY, **found.headers}) as stream:
                if is_page(stream.head.content_type, await stream.peek(PEEK)):
                    raise AudioError("I found no sound on that page.")
                sound = await self._sound(inner, stream, found.headers)
        return WebSound(entry.url, sound.title, sound.source, found.artist, found.length_s)


def is_page(content_type: str, beginning: bytes) -> bool:
    """Whether an answer is a page, by its content first: servers say what they like."""
    if PAGE.match(beginning):
        return True
    return content_type in ("text/html", "application/xhtml+xml") and not _sounds(beginning)


def is_endless(stream: FetchStream) -> bool:
    """Whether an answer is a station: it says so, or is sound that has no length and no parts."""
    headers = {name.lower() for name in stream.head.headers}
    if stream.length is not None:
        return False
    if any(name.startswith(("icy-", "ice-")) for name in headers):
        return True
    if re.search(r"icecast|shoutcast", stream.head.headers.get("Server", ""), re.IGNORECASE):
        return True
    return stream.head.content_type.startswith("audio/") and "transfer-encoding" not in headers


def _sounds(beginning: bytes) -> bool:
    return (
        beginning.startswith((b"ID3", b"OggS", b"fLaC", b"RIFF", b"\xff\xfb", b"\xff\xf1")) or beginning[4:8] == b"ftyp"
    )


def _list_limits(fetcher: Fetcher) -> FetchLimits:
    from dataclasses import replace

    return replace(fetcher.page_limits, size_bytes=MAX_BYTES)


def _name(entry: Entry, head: Head) -> str:
    """What to call it: as a list does, or by the file's own name."""
    return entry.title or _of_path(yarl.URL(entry.url)) or _of_path(yarl.URL(head.url))


def _of_path(url: yarl.URL) -> str:
    last = unquote(url.raw_path.rstrip("/").rpartition("/")[2])
    return plain(last.strip("; ") or url.host or "sound", 200)

"""Where `/voice play` finds its files: a folder of the host's, and what people upload."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol

import aiohttp
import discord

from core.errors import AudioError
from core.voice.media import Track

if TYPE_CHECKING:
    from pathlib import Path

    from core.config.voice import VoiceSection
    from core.voice.session import VoiceSession

CHOICES = 25  # what Discord shows at most
NAME_LIMIT = 100  # characters of one choice
MAX_BYTES = 1_000_000_000  # of a file of the folder; uploads have their own limit, long before this one
FETCH_S = 60.0  # for an upload
NOT_FETCHED = "Discord did not hand over the file. Please upload it once more."
FRESH_S = 10.0  # how long a look into the folder serves


class Upload(Protocol):
    """An attachment as discord.py gives it."""

    filename: str
    size: int

    async def read(self) -> bytes:
        """The bytes."""
        ...


class Sounds:
    """Opens files and uploads for a session's media queue."""

    def __init__(self, folder: Path, section: VoiceSection) -> None:
        self._folder = folder
        self._section = section
        self._names: list[str] = []
        self._seen_s = float("-inf")

    async def matching(self, partial: str) -> list[str]:
        """Names of the folder's files that contain `partial`, at most 25; from memory, refreshed now and then."""
        now = time.monotonic()
        if now - self._seen_s > FRESH_S:
            self._seen_s = now
            self._names = await asyncio.to_thread(_list, self._folder)
        wanted = partial.casefold()
        return [name for name in self._names if wanted in name.casefold() and len(name) <= NAME_LIMIT][:CHOICES]

    async def play_file(self, session: VoiceSession, name: str, *, by: int) -> Track:
        """Queue a file of the folder.

        Raises:
            AudioError: There is no such file, or it holds no sound.
        """
        names = await asyncio.to_thread(_list, self._folder)
        if name not in names:
            known = f"There are: {', '.join(names[:10])}." if names else "The folder is empty."
            raise AudioError(f"The sounds folder has no such file. {known}")
        return await self.play(session, name, self._folder / name, by=by)

    async def play_upload(self, session: VoiceSession, upload: Upload, *, by: int) -> Track:
        """Queue an upload.

        Raises:
            AudioError: It is too large, empty, gone, or holds no sound; or too much waits already.
        """
        limit_mb = self._section.upload_limit_mb
        if upload.size > limit_mb * 1_000_000:
            size_mb = upload.size / 1_000_000
            raise AudioError(f"That file is too large ({size_mb:.0f} MB); I take up to {limit_mb:g} MB.")
        if not upload.size:
            raise AudioError("That file is empty.")
        session.media.require_room(upload.size)
        try:
            async with asyncio.timeout(FETCH_S):
                data = await upload.read()
        except (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise AudioError(NOT_FETCHED) from error
        return await self.play(session, upload.filename, data, by=by)

    async def play(self, session: VoiceSession, title: str, source: Path | bytes, *, by: int) -> Track:
        """Queue any file, by its path or its bytes.

        Raises:
            AudioError: It holds no sound, or too much waits already.
        """
        from core.audio.decode import decode

        max_s = self._section.play_limit_s
        size = len(source) if isinstance(source, bytes) else 0
        track = Track(title, by, lambda: decode(source, max_bytes=MAX_BYTES, max_s=max_s), size)
        await session.media.add(track)
        return track


def _list(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError:  # no such folder: nothing to offer
        return []

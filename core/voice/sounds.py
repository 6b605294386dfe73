"""Where `/voice play` finds its files: a folder of the host's, and what people upload."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol

import aiohttp
import discord

from core.discord_limits import CHOICES
from core.errors import AudioError, WorkerDied, WorkerOverdue, WorkerOverMemory
from core.machine.lane import Owner
from core.names import term
from core.voice.media import Track

if TYPE_CHECKING:
    from pathlib import Path

    from core.config.voice import VoiceSection
    from core.machine.lane import Lane
    from core.voice.session import VoiceSession

NAME_LIMIT = 100  # characters of one choice
MAX_BYTES = 1_000_000_000  # of a file of the folder; uploads have their own limit, long before this one
FETCH_S = 60.0  # for an upload
NOT_FETCHED = "Discord did not hand over the file. Please upload it once more."
TOO_MUCH_WORK = "That file takes too much time or memory to decode, so I do not play it."
NOT_PLAYED = "I do not play that file: what I look through uploads with was ended by it."
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

    def __init__(self, folder: Path, section: VoiceSection, strangers: Lane) -> None:
        """Name the parts; nothing is opened.

        Args:
            folder: The host's files.
            section: `[voice]`.
            strangers: Where uploads are looked through before they are played.
        """
        self._strangers = strangers
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

    async def names(self) -> list[str]:
        """Names of the folder's files, as it is now."""
        return await asyncio.to_thread(_list, self._folder)

    async def play_file(self, session: VoiceSession, name: str, *, by: int) -> Track:
        """Queue a file of the folder.

        Raises:
            AudioError: There is no such file, or it holds no sound.
        """
        names = await asyncio.to_thread(_list, self._folder)
        if name not in names:
            known = f"There are: {', '.join(term(each) for each in names[:10])}." if names else "The folder is empty."
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
        """Queue any file, by its path or its bytes; bytes are an upload, which is looked through first.

        Raises:
            AudioError: It holds no sound, takes too much, or too much waits already.
            WorkersBusy: Too many other uploads are looked through.
        """
        from core.audio.decode import decode

        max_s = self._section.play_limit_s
        size = 0
        if isinstance(source, bytes):
            size = len(source)
            await self._vet(source, max_s, Owner(session.guild.id, by))
        track = Track(title, by, lambda: decode(source, max_bytes=MAX_BYTES, max_s=max_s), size)
        await session.media.add(track)
        return track

    async def _vet(self, data: bytes, max_s: float, owner: Owner) -> None:
        """Look through an upload in a process that may be ended.

        Raises:
            AudioError: It is no sound that can be played, or looking through it took too much.
        """
        from core.audio.decode import vet

        try:
            await self._strangers.run(vet, data, MAX_BYTES, max_s, owner=owner)
        except (WorkerOverdue, WorkerOverMemory) as error:
            raise AudioError(TOO_MUCH_WORK) from error
        except WorkerDied as error:
            raise AudioError(NOT_PLAYED) from error


def _list(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError:  # no such folder: nothing to offer
        return []

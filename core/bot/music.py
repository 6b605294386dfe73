"""`runtime.music`: brings what people ask for into the queue of their session."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from core.bot.uploads import UploadReader
from core.discord_limits import CHOICES
from core.errors import AudioError, ParleyError, WorkerDied, WorkerError, WorkerOverdue, WorkerOverMemory
from core.machine.lane import Owner, Priority
from core.music.deck import Deck
from core.music.folder import SoundsFolder
from core.music.loudness import Loudness
from core.music.playing import DeckSettings
from core.music.queue import MusicQueue
from core.music.spool import Spool
from core.music.track import FileSource, Track
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from core.config import Config
    from core.machine.lane import Lane
    from core.music.lines import Lines
    from core.voice.session import VoiceSession

_log = logging.getLogger(__name__)

MAX_BYTES = 4_000_000_000  # of a file of the folder; uploads have their own limit, long before this one
EFFECT_S = 30.0
TOO_LARGE = "That file is too large ({size:.0f} MB); I take up to {limit:g} MB."
EMPTY = "That file is empty."
TOO_MUCH_WORK = "That file takes too much time or memory to decode, so I do not play it."
NOT_PLAYED = "I do not play that file: what I look through uploads with was ended by it."


class Upload(Protocol):
    """An attachment as discord.py gives it."""

    filename: str
    size: int
    url: str


class Music:
    """What is played in every session of this process."""

    def __init__(self, config: Config, strangers: Lane) -> None:
        """Name the parts; nothing is opened.

        Args:
            config: `[music]` and `[voice]`.
            strangers: Where files are looked through.
        """
        self.section = config.music
        self.folder = SoundsFolder(config.path(config.voice.sounds))
        self.spool = Spool(config.path(config.music.folder))
        self.max_s = config.voice.play_limit_s or config.music.max_length_s
        self._upload_limit_mb = config.voice.upload_limit_mb
        self._strangers = strangers
        self._uploads = UploadReader()
        self._surveying = asyncio.Lock()
        self._tasks = Tasks("music")

    def make_deck(self, lines: Lines, failed: Callable[[Track, ParleyError], Awaitable[None]]) -> Deck:
        """A deck for a session, as `[music]` says."""
        section = self.section
        queue = MusicQueue(
            limit=section.max_tracks,
            limit_person=section.max_tracks_person,
            limit_bytes=round(section.max_waiting_mb * 1_000_000),
        )
        loudness = Loudness(section.loudness_lufs if section.even_loudness else None)
        settings = DeckSettings(loudness, section.crossfade_s, section.volume)
        return Deck(lines, failed, queue=queue, settings=settings)

    async def close(self) -> None:
        """End what is looked through."""
        await self._uploads.close()
        await self._tasks.cancel_all()

    # Into the queue ---------------------------------------------------------------------------------------------------

    async def matching(self, partial: str) -> list[str]:
        """Names of the folder's files that contain `partial`, at most 25; from memory, refreshed now and then."""
        return await self.folder.matching(partial, CHOICES)

    async def play(
        self,
        session: VoiceSession,
        title: str,
        source: Path | bytes,
        *,
        by: int,
        next: bool = False,
    ) -> Track:
        """Queue any file, by its path or its bytes; bytes are an upload, which is looked through first.

        Raises:
            AudioError: It holds no sound, takes too much, or too much waits already.
            WorkersBusy: Too many other uploads are looked through.
        """
        if isinstance(source, Path):
            return await self._add(session, Track(title, by, self._file(source)), next=next)
        session.media.require_room(len(source), by)
        path, size = await self.spool.keep(_one(source))
        return await self._add_kept(session, title, path, size, by=by, next=next)

    async def play_file(self, session: VoiceSession, name: str, *, by: int, next: bool = False) -> Track:
        """Queue a file of the folder.

        Raises:
            AudioError: There is no such file, or it holds no sound.
        """
        path = await self.folder.find(name)
        return await self._add(session, Track(name, by, self._file(path), what=name), next=next)

    async def play_upload(self, session: VoiceSession, upload: Upload, *, by: int, next: bool = False) -> Track:
        """Queue an upload. It comes piece by piece and waits on disk.

        Raises:
            AudioError: It is too large, empty, gone, or holds no sound; or too much waits already.
        """
        limit_mb = self._upload_limit_mb
        if upload.size > limit_mb * 1_000_000:
            raise AudioError(TOO_LARGE.format(size=upload.size / 1_000_000, limit=limit_mb))
        if not upload.size:
            raise AudioError(EMPTY)
        session.media.require_room(upload.size, by)
        path, size = await self.spool.keep(self._uploads.parts(upload.url, round(limit_mb * 1_000_000)))
        return await self._add_kept(session, upload.filename, path, size, by=by, next=next)

    async def effect(self, session: VoiceSession, name: str, *, by: int) -> Track:
        """Play a short file of the folder over everything, at once.

        Raises:
            AudioError: There is no such file, or it holds no sound.
        """
        path = await self.folder.find(name)
        track = Track(name, by, FileSource(path, max_bytes=MAX_BYTES, max_s=EFFECT_S))
        await session.media.effect(track)
        return track

    # Files ------------------------------------------------------------------------------------------------------------

    def _file(self, path: Path, kept_bytes: int = 0) -> FileSource:
        return FileSource(path, max_bytes=MAX_BYTES, max_s=self.max_s, kept_bytes=kept_bytes)

    async def _add_kept(
        self,
        session: VoiceSession,
        title: str,
        path: Path,
        size: int,
        *,
        by: int,
        next: bool,
    ) -> Track:
        """Queue a stranger's file that was brought to disk; it is deleted if it is not played, or when it was."""
        source = self._file(path, size)
        try:
            await self._vet(path, Owner(session.guild.id, by))
            return await self._add(session, Track(title, by, source), next=next)
        except BaseException:
            with suppress(OSError):
                source.release()
            raise

    async def _add(self, session: VoiceSession, track: Track, *, next: bool) -> Track:
        await session.media.add(track, next=next)
        self._tasks.start(self._survey(session, track), f"survey {track.id}")
        return track

    async def _vet(self, path: Path, owner: Owner) -> None:
        """Look through an upload in a process that may be ended.

        Raises:
            AudioError: It is no sound that can be played, or looking through it took too much.
        """
        from core.audio.decode import vet

        try:
            await self._strangers.run(vet, path, MAX_BYTES, self.max_s, owner=owner)
        except (WorkerOverdue, WorkerOverMemory) as error:
            raise AudioError(TOO_MUCH_WORK) from error
        except WorkerDied as error:
            raise AudioError(NOT_PLAYED) from error

    async def _survey(self, session: VoiceSession, track: Track) -> None:
        """Learn what a file says of itself and how loud it is, beside its playing; without it a guess has to do."""
        from core.music.survey import survey

        source = track.source
        if not isinstance(source, FileSource):
            return
        async with self._surveying:  # one at a time: what people wait for comes between
            if track not in session.media.tracks:
                return
            try:
                facts = await self._strangers.run(survey, source.path, MAX_BYTES, self.max_s, priority=Priority.CAPTION)
            except (WorkerError, AudioError) as error:
                _log.info("%r is played as loud as it seems: %s", track.title, error.sentence)
                return
        session.media.learned(track, facts)


async def _one(data: bytes) -> AsyncGenerator[bytes]:
    yield data

"""`runtime.music`: brings what people ask for into the queue of their session."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from core.bot.uploads import UploadReader
from core.discord_limits import CHOICES
from core.errors import AudioError, ParleyError, WorkerDied, WorkerOverdue, WorkerOverMemory
from core.machine.lane import Owner
from core.music.deck import Deck
from core.music.folder import NAME_LIMIT, SoundsFolder
from core.music.loudness import Loudness
from core.music.playing import DeckSettings
from core.music.queue import MusicQueue
from core.music.sources.radio import Radio
from core.music.spool import Spool
from core.music.track import FileSource, Track, TrackFacts
from core.music.votes import SkipVotes
from core.names import plain, shown_text
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from core.bot.music_card import MusicCards
    from core.bot.music_surveys import MusicSurveys
    from core.config import Config
    from core.machine.lane import Lane
    from core.music.lines import Lines
    from core.music.sources.web import WebFind, WebSounds
    from core.voice.session import VoiceSession

_log = logging.getLogger(__name__)

MAX_BYTES = 4_000_000_000  # of a file of the folder; uploads have their own limit, long before this one
EFFECT_S = 30.0
REMEMBERED = 50  # things that were played in a server, for choices
LISTS = (".m3u", ".m3u8", ".pls")
LIST_BYTES = 1_000_000
ADDRESS = ("http://", "https://")
TOO_LARGE = "That file is too large ({size:.0f} MB); I take up to {limit:g} MB."
EMPTY = "That file is empty."
TOO_MUCH_WORK = "That file takes too much time or memory to decode, so I do not play it."
NOT_PLAYED = "I do not play that file: what I look through uploads with was ended by it."


class Upload(Protocol):
    """An attachment as discord.py gives it."""

    filename: str
    size: int
    url: str


@dataclass(frozen=True, slots=True)
class Queued:
    """What came into the queue, at least one track, and how many of a list were left out."""

    tracks: tuple[Track, ...]
    left_out: int = 0


class Music:
    """What is played in every session of this process."""

    cards: MusicCards
    surveys: MusicSurveys
    web: WebSounds

    def __init__(self, config: Config, strangers: Lane) -> None:
        """Name the parts; nothing is opened. Who makes it sets `cards`, `surveys` and `web`.

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
        self._votes: dict[str, SkipVotes] = {}
        self._tasks = Tasks("music")
        self._played: dict[int, deque[str]] = {}

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

    def votes(self, session: VoiceSession) -> SkipVotes:
        """The votes of a session."""
        return self._votes.setdefault(session.id, SkipVotes(self.section.skip_votes))

    def ended(self, session_id: str) -> None:
        """A session is over."""
        self._votes.pop(session_id, None)

    async def close(self) -> None:
        """End what is being fetched."""
        await self._uploads.close()
        await self._tasks.cancel_all()

    # Choices ----------------------------------------------------------------------------------------------------------

    async def matching(self, partial: str) -> list[str]:
        """Names of the folder's files that contain `partial`, at most 25; from memory, refreshed now and then."""
        return await self.folder.matching(partial, CHOICES)

    async def suggestions(self, guild_id: int, partial: str) -> list[tuple[str, str]]:
        """Choices for what to play, as shown and as meant: the folder's files, then what was played here before."""
        wanted = partial.casefold()
        before = [what for what in reversed(self._played.get(guild_id, ())) if wanted in what.casefold()]
        found = dict.fromkeys([*await self.matching(partial), *before])
        named = [(plain(what, NAME_LIMIT), what) for what in found if len(what) <= NAME_LIMIT]
        return [(name, what) for name, what in named if name][:CHOICES]

    # Into the queue ---------------------------------------------------------------------------------------------------

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
            return await self._add(session, Track(title, by, self.file(source)), next=next)
        session.media.require_room(len(source), by)
        path, size = await self.spool.keep(_one(source))
        return await self._add_kept(session, title, path, size, by=by, next=next)

    async def play_what(self, session: VoiceSession, what: str, *, by: int, next: bool = False) -> Queued:
        """Queue a file of the folder, or what is at an address.

        Raises:
            AudioError: There is nothing of the kind, or too much waits.
            FetchError: The address cannot be fetched, or may not be.
        """
        what = what.strip()
        if not what.lower().startswith(ADDRESS):
            return Queued((await self.play_file(session, what, by=by, next=next),))
        session.media.require_room(0, by)
        return await self._add_found(session, await self.web.find(what), by=by, next=next)

    async def play_sent(self, session: VoiceSession, upload: Upload, *, by: int, next: bool = False) -> Queued:
        """Queue an upload: sound, or a playlist of addresses.

        Raises:
            AudioError: As of `play_upload`; or the list names nothing that is played.
        """
        if not upload.filename.lower().endswith(LISTS) or upload.size > LIST_BYTES:
            return Queued((await self.play_upload(session, upload, by=by, next=next),))
        session.media.require_room(0, by)
        data = b"".join([part async for part in self._uploads.parts(upload.url, LIST_BYTES)])
        return await self._add_found(session, await self.web.find_list(data), by=by, next=next)

    async def play_file(self, session: VoiceSession, name: str, *, by: int, next: bool = False) -> Track:
        """Queue a file of the folder.

        Raises:
            AudioError: There is no such file, or it holds no sound.
        """
        path = await self.folder.find(name)
        facts = await asyncio.to_thread(self.surveys.known, path)
        return await self._add(session, Track(name, by, self.file(path), what=name, facts=facts), next=next)

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

    def file(self, path: Path, kept_bytes: int = 0) -> FileSource:
        """A file as a source; one with `kept_bytes` is deleted when it was played."""
        return FileSource(path, max_bytes=MAX_BYTES, max_s=self.max_s, kept_bytes=kept_bytes)

    async def vet(self, path: Path, owner: Owner) -> None:
        """Look through a stranger's file in a process that may be ended.

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

    async def _add_found(self, session: VoiceSession, found: WebFind, *, by: int, next: bool) -> Queued:
        """Queue what an address led to, as much of it as there is room for."""
        tracks = [
            Track(
                sound.title,
                by,
                sound.source,
                what=sound.url,
                facts=TrackFacts(length_s=sound.length_s, artist=sound.artist),
            )
            for sound in found.sounds
        ]
        next = next and bool(session.media.tracks)
        chosen = tracks[: session.media.queue.room(by)] or tracks[:1]
        added: list[Track] = []
        try:
            for track in reversed(chosen) if next else chosen:
                await self._add(session, track, next=next)
                added.append(track)
        finally:
            for track in tracks:
                if track not in added:
                    await asyncio.to_thread(track.source.release)
        return Queued(tuple(chosen), found.left_out + len(tracks) - len(added))

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
        source = self.file(path, size)
        try:
            await self.vet(path, Owner(session.guild.id, by))
            return await self._add(session, Track(title, by, source), next=next)
        except BaseException:
            with suppress(OSError):
                source.release()
            raise

    async def _add(self, session: VoiceSession, track: Track, *, next: bool) -> Track:
        await session.media.add(track, next=next)
        self.surveys.begin(session, track)
        if isinstance(track.source, Radio):
            self._mind_radio(session, track, track.source)
        if track.what:
            played = self._played.setdefault(session.guild.id, deque(maxlen=REMEMBERED))
            if track.what in played:
                played.remove(track.what)
            played.append(track.what)
        return track

    def _mind_radio(self, session: VoiceSession, track: Track, radio: Radio) -> None:
        """Show a station's titles as they change, and tell once when it has fallen silent."""
        told = ""

        def changed() -> None:
            nonlocal told
            if radio.trouble and not told and track in session.media.tracks:
                self._tasks.start(session.notice(shown_text(radio.trouble, 300)))
            told = radio.trouble
            for watcher in tuple(session.media.watchers):
                watcher()

        radio.watchers.append(changed)


async def _one(data: bytes) -> AsyncGenerator[bytes]:
    yield data

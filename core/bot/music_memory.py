"""Keeps every queue in the database, and goes on with it after a restart; knows what people asked for."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, cast

from core.errors import StoreError
from core.events import SessionEnded, SessionStarted
from core.music.track import FileSource, Track, TrackFacts
from core.privacy.owners import About
from core.store.music import QueuedTrack
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.bot.music import Music
    from core.clock import Clock
    from core.hub import Hub
    from core.music.queue import Loop
    from core.music.track import Source
    from core.privacy.owners import Person
    from core.store.music import MusicRepository
    from core.voice.service import VoiceService
    from core.voice.session import VoiceSession

_log = logging.getLogger(__name__)

SOON_S = 0.5  # after a change, so that several are written once
PLACE_S = 5.0  # how often it is noted where the track that plays is
GOES_ON = "I go on with the {count} track(s) that were in the queue when I was restarted."
WAITING = "{count} track(s) in queues of music are there because you asked for them."
DELETED = "{count} track(s) that you had asked for are out of the queues."


class MusicMemory:
    """One for all sessions."""

    def __init__(
        self, music: Music, voice: VoiceService, repository: MusicRepository, *, hub: Hub, clock: Clock, enabled: bool
    ) -> None:
        """Nothing is read before `open`.

        Args:
            music: Makes tracks out of what was kept.
            voice: The sessions.
            repository: The table.
            hub: Tells when sessions begin and end.
            clock: For the time.
            enabled: `[music] resume_queue`.
        """
        self._music = music
        self._voice = voice
        self._repository = repository
        self._hub = hub
        self._clock = clock
        self._enabled = enabled
        self._tasks = Tasks("music memory")

    async def open(self) -> None:
        """Sweep up what nobody wants any more, and remember from now on."""
        swept = await self._music.spool.sweep(await self._repository.kept() if self._enabled else ())
        if swept:
            _log.info("%d file(s) of an earlier process are deleted: nobody waits for them", swept)
        if self._enabled:
            self._hub.subscribe(SessionStarted, self._started, owner=self)
            self._hub.subscribe(SessionEnded, self._ended, owner=self)

    async def close(self) -> None:
        """Write down where every queue is; the files of those that wait stay."""
        self._hub.drop(self)
        await self._tasks.cancel_all()
        if self._enabled:
            for session in self._voice.sessions:
                session.media.kept = True
                await self._save(session)

    # Queues -----------------------------------------------------------------------------------------------------------

    async def _started(self, event: SessionStarted) -> None:
        session = self._voice.session(event.guild_id)
        if session is None or session.id != event.session_id:
            return
        kept = await self._repository.queue(event.guild_id)
        tracks = await asyncio.to_thread(lambda: [track for each in kept if (track := self._track(each)) is not None])
        if tracks:
            session.media.queue.loop = cast("Loop", kept[0].loop)
            session.media.put_back(tracks)
            for track in tracks:
                self._music.surveys.begin(session, track)
            self._music.cards.show(session)
            await session.notice(GOES_ON.format(count=len(tracks)))
        changed = asyncio.Event()
        session.media.watchers.append(changed.set)
        self._tasks.start(self._keep(session, changed), f"keep {session.id}")

    async def _ended(self, event: SessionEnded) -> None:
        """Who ends a session ends its music."""
        self._tasks.cancel(f"keep {event.session_id}")
        await self._repository.save(event.guild_id, ())

    async def _keep(self, session: VoiceSession, changed: asyncio.Event) -> None:
        written: list[QueuedTrack] = []
        while True:
            try:
                async with asyncio.timeout(PLACE_S if session.media.tracks and not session.media.paused else None):
                    await changed.wait()
                await self._clock.sleep(SOON_S)
            except TimeoutError:
                pass
            changed.clear()
            now = _queue(session)
            try:
                if [each.location for each in now] != [each.location for each in written]:
                    await self._repository.save(session.guild.id, now)
                elif now:
                    await self._repository.place(session.guild.id, now[0].start_s)
            except StoreError as error:
                _log.warning("the queue of session %s could not be kept: %s", session.id, error.sentence)
            else:
                written = now

    async def _save(self, session: VoiceSession) -> None:
        try:
            await self._repository.save(session.guild.id, _queue(session))
        except StoreError as error:
            _log.warning("the queue of session %s could not be kept: %s", session.id, error.sentence)

    def _track(self, kept: QueuedTrack) -> Track | None:
        """A track as it was; None if its file is gone."""
        music = self._music
        source: Source
        what = ""
        if kept.kind == "url":
            source, what = music.web.again(kept.location, kept.title, kept.length_s).source, kept.location
        elif kept.kind == "kept":
            path = music.spool.folder / Path(kept.location).name
            if not path.is_file():
                return None
            source = music.file(path, path.stat().st_size)
        else:
            path = music.folder.path / Path(kept.location).name if kept.kind == "folder" else Path(kept.location)
            if not path.is_file():
                return None
            source, what = music.file(path), kept.location if kept.kind == "folder" else ""
        facts = TrackFacts(length_s=kept.length_s)
        return Track(kept.title, kept.user_id, source, what=what, facts=facts, start_s=kept.start_s)

    # People -----------------------------------------------------------------------------------------------------------

    async def describe_person(self, person: Person) -> About:
        """Say how many tracks wait that somebody asked for."""
        count = len(await self._of(person))
        return About([WAITING.format(count=count)] if count else [])

    async def export_person(self, person: Person) -> Mapping[str, bytes]:
        """Give their titles, and their addresses where they have one."""
        lines = [f"{each.title}\t{each.location if each.kind == 'url' else ''}" for each in await self._of(person)]
        return {"music_queue.txt": "\n".join(lines).encode()} if lines else {}

    async def delete_person(self, person: Person) -> Sequence[str]:
        """Take what they asked for out of every queue, with the files they sent."""
        count = len(await self._of(person))
        for session in self._voice.sessions:
            for number in range(len(session.media.tracks), 0, -1):
                if session.media.tracks[number - 1].by == person.id:
                    session.media.remove(number)
        await self._repository.forget_person(person.id)
        if count:
            await self._music.spool.sweep(await self._wanted())
        return [DELETED.format(count=count)] if count else []

    async def _of(self, person: Person) -> list[QueuedTrack]:
        """What somebody asked for: of queues that play as they are now, of others as they are kept."""
        live = [each for session in self._voice.sessions for each in _queue(session) if each.user_id == person.id]
        known = {each.location for each in live}
        return [*live, *(each for each in await self._repository.of_person(person.id) if each.location not in known)]

    async def _wanted(self) -> set[str]:
        live = {each.location for session in self._voice.sessions for each in _queue(session) if each.kind == "kept"}
        fetched = {
            inner.path.name
            for session in self._voice.sessions
            for track in session.media.tracks
            if isinstance(inner := getattr(track.source, "inner", None), FileSource)
        }
        return live | fetched | await self._repository.kept()


def _queue(session: VoiceSession) -> list[QueuedTrack]:
    """A queue as it is kept."""
    deck = session.media
    found = [_kept(track, deck.queue.loop, track.start_s) for track in deck.tracks]
    if found:
        found[0] = _kept(deck.tracks[0], deck.queue.loop, deck.position_s)
    return found


def _kept(track: Track, loop: str, start_s: float) -> QueuedTrack:
    source = track.source
    if isinstance(source, FileSource) and source.size:
        return QueuedTrack("kept", source.path.name, track.title, track.by, start_s, track.facts.length_s, loop)
    if not isinstance(source, FileSource):
        start_s = 0.0 if source.endless else start_s
        return QueuedTrack("url", track.what, track.title, track.by, start_s, track.facts.length_s, loop)
    kind, location = ("folder", track.what) if track.what else ("path", str(source.path.absolute()))
    return QueuedTrack(kind, location, track.title, track.by, start_s, track.facts.length_s, loop)

"""Has tracks looked through beside their playing: tags, picture, loudness. One at a time, in a worker."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from core.errors import AudioError, WorkerError
from core.machine.lane import Priority
from core.music.sources.lazy import LazySource
from core.music.survey import survey
from core.music.track import FileSource, TrackFacts
from core.tasks import Tasks

if TYPE_CHECKING:
    from pathlib import Path

    from core.machine.lane import Lane
    from core.music.track import Track
    from core.voice.session import VoiceSession

_log = logging.getLogger(__name__)

MAX_BYTES = 4_000_000_000
REMEMBERED = 500  # files of the host's, so that they need not be looked through again
FETCHED_S = 1.0  # how often it is looked whether a file has been fetched


class MusicSurveys:
    """Looks through what waits, and what begins."""

    def __init__(self, strangers: Lane, max_s: float) -> None:
        """Nothing is begun.

        Args:
            strangers: Where files are looked through.
            max_s: The longest file that is played.
        """
        self._strangers = strangers
        self._max_s = max_s
        self._turn = asyncio.Lock()
        self._found: dict[tuple[str, int, int], TrackFacts] = {}
        self._tasks = Tasks("music surveys")

    def known(self, path: Path) -> TrackFacts:
        """What was found in a file before, if it is still the same; it may wait for the disk."""
        return self._found.get(_version(path), TrackFacts())

    def begin(self, session: VoiceSession, track: Track) -> None:
        """Learn about a track in the background, unless it is known."""
        if track.facts.loudness_lufs is None:
            self._tasks.start(self._learn(session, track), f"survey {track.id}")

    async def close(self) -> None:
        """End what is looked through."""
        await self._tasks.cancel_all()

    async def _learn(self, session: VoiceSession, track: Track) -> None:
        """Without it a guess has to do."""
        while (  # noqa: ASYNC110 - it is fetched on its own thread's demand, which tells nobody else
            isinstance(track.source, LazySource) and track.source.inner is None and track in session.media.tracks
        ):
            await asyncio.sleep(FETCHED_S)
        async with self._turn:  # what people wait for comes between
            source = track.source.inner if isinstance(track.source, LazySource) else track.source
            if track not in session.media.tracks or not isinstance(source, FileSource):
                return
            try:
                facts = await self._strangers.run(
                    survey, source.path, MAX_BYTES, self._max_s, priority=Priority.CAPTION
                )
            except (WorkerError, AudioError) as error:
                _log.info("%r is played as loud as it seems: %s", track.title, error.sentence)
                return
            if not source.size:
                self._found[await asyncio.to_thread(_version, source.path)] = facts
                if len(self._found) > REMEMBERED:
                    del self._found[next(iter(self._found))]
        session.media.learned(track, _joined(track.facts, facts))


def _version(path: Path) -> tuple[str, int, int]:
    try:
        stat = path.stat()
    except OSError:  # whoever opens it says so
        return str(path), 0, 0
    return str(path), stat.st_mtime_ns, stat.st_size


def _joined(known: TrackFacts, found: TrackFacts) -> TrackFacts:
    """What was found, and of what was known the rest."""
    return replace(
        found,
        length_s=found.length_s or known.length_s,
        title=found.title or known.title,
        artist=found.artist or known.artist,
    )

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
from core.music.track import FileSource
from core.tasks import Tasks

if TYPE_CHECKING:
    from core.machine.lane import Lane
    from core.music.track import Track, TrackFacts
    from core.voice.session import VoiceSession

_log = logging.getLogger(__name__)

MAX_BYTES = 4_000_000_000
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
        self._tasks = Tasks("music surveys")

    def begin(self, session: VoiceSession, track: Track) -> None:
        """Learn about a track in the background."""
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
        session.media.learned(track, _joined(track.facts, facts))


def _joined(known: TrackFacts, found: TrackFacts) -> TrackFacts:
    """What was found, and of what was known the rest."""
    return replace(
        found,
        length_s=found.length_s or known.length_s,
        title=found.title or known.title,
        artist=found.artist or known.artist,
    )

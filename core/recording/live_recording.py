"""A recording from its start until its files are finished: the recorder, the rendering behind it, and where packets come from."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import BrokenExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from core.audio.frames import RATE_HZ
from core.recording.finishing import new_rendering
from core.recording.metadata import Named

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from core.config.recording import RecordingSection
    from core.handles import Ending
    from core.machine.lane import Lane
    from core.recording.metadata import Note
    from core.recording.recorder import Recorder
    from core.recording.source import RecordingSource
    from core.recording.tracks import TrackCounts
    from core.store.recordings import RecordingRecord

_log = logging.getLogger(__name__)


class LiveRecording:
    """One recording under way. Made by `Recordings.start`; cogs hold on to its id, not to it."""

    def __init__(
        self,
        record: RecordingRecord,
        recorder: Recorder,
        source: RecordingSource,
        section: RecordingSection,
        workers: Lane,
        *,
        automatic: bool,
    ) -> None:
        self.record = record
        self.recorder = recorder
        self.session_id = source.session_id
        self.automatic = automatic
        self.rendering = new_rendering(recorder.folder, section, workers)
        self._source = source
        self._own_voice = section.own_voice
        self._listening: Ending | None = None
        self._render_every_s = section.render_every_s
        self._ended = asyncio.Event()
        self._changing = asyncio.Lock()

    @property
    def id(self) -> str:
        """Its id in the index."""
        return self.record.id

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.recorder.folder

    @property
    def duration_s(self) -> float:
        """How long it has run, pauses included."""
        return self.recorder.duration_s

    @property
    def paused(self) -> bool:
        """Whether packets are let go by."""
        return self.recorder.packets.paused

    def heard(self) -> list[TrackCounts]:
        """Everybody recorded so far."""
        return self.recorder.tracks.heard()

    def begin(self) -> None:
        """Let packets in."""
        self.recorder.start()
        self._listening = self._source.subscribe(self.recorder.write, own_voice=self._own_voice)

    def note(self, text: str, by: Named | None) -> Note:
        """Mark this moment."""
        return self.recorder.log.note(text, by)

    def moved(self, channel_id: int) -> None:
        """Go on in another channel, which the metadata names and a note tells."""
        name = self._source.channel_name(channel_id)
        self.recorder.log.moved(Named(id=str(channel_id), name=name))
        if channel_id not in self.record.channel_ids:
            self.record = replace(self.record, moved_to=(*self.record.moved_to, channel_id))

    async def end(self, reason: str, by: Named | None = None) -> None:
        """Let no more packets in, and wait until what has come is on disk."""
        if self._listening is not None:
            self._listening.end()
        async with self._changing:
            self._ended.set()
            await asyncio.wrap_future(self.recorder.stop(reason, by))

    async def forget(self, user_id: int) -> bool:
        """Delete what was written and rendered of a person; their packets are refused by consent already.

        False if it ended meanwhile: then they are taken out of the past.
        """

        async def forget_journal() -> None:
            await asyncio.wrap_future(self.recorder.forget(user_id))

        async with self._changing:
            if self._ended.is_set():
                return False
            await self.rendering.forget(user_id, forget_journal)
            return True

    async def strip(self, user_id: int, names: Iterable[str]) -> bool:
        """Take what a person did and wrote out of the metadata; whether there was something."""
        return await asyncio.wrap_future(self.recorder.strip(user_id, names))

    async def keep_rendering(self) -> None:
        """Bring finished files up to date every little while, until the end. A failure costs nothing: the journals stay.

        What is being rendered at the end is not cancelled: a worker cannot be, and `finish` waits for it.
        """
        while not await self._ends_within(self._render_every_s):
            until = round(self.recorder.complete_s * RATE_HZ)
            try:
                await self.rendering.advance(self.recorder.tracks.journals(), until)
            except (OSError, BrokenExecutor) as error:
                _log.warning("recording %s: rendering waits for the end: %s", self.id, error)
                return

    async def _ends_within(self, duration_s: float) -> bool:
        try:
            async with asyncio.timeout(duration_s):
                await self._ended.wait()
        except TimeoutError:
            return False
        return True

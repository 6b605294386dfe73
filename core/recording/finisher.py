"""From the end of a recording to its finished files: in the background, again when that is needed, and told in the end."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from core import private
from core.errors import RecordingError
from core.events import RecordingRendered
from core.recording.events import RecordingFailed
from core.recording.finishing import clear_rendered, drop_refused, finish, give_up, new_rendering
from core.recording.folders import delete_folder
from core.recording.room import Room, is_full

if TYPE_CHECKING:
    from pathlib import Path

    from core.clock import Clock
    from core.config.recording import RecordingSection
    from core.hub import Hub
    from core.machine.lane import Lane
    from core.recording.archive import Archive
    from core.recording.metadata import Metadata
    from core.recording.rendering import Rendering
    from core.recording.rights import RecordingConsent
    from core.store.recordings import RecordingRecord
    from core.tasks import Tasks

_log = logging.getLogger(__name__)

_OUTCOMES_KEPT = 100


class Finisher:
    """Makes finished files of closed journals, one task a recording."""

    def __init__(
        self,
        section: RecordingSection,
        root: Path,
        *,
        hub: Hub,
        clock: Clock,
        workers: Lane,
        archive: Archive,
        consent: RecordingConsent,
        tasks: Tasks,
    ) -> None:
        """Begin idle.

        Args:
            section: What finished files are to be.
            root: Where recordings lie.
            hub: Hears what was finished, and what could not be.
            clock: The clock.
            workers: Render.
            archive: The index.
            consent: Asked once more, before anything is made.
            tasks: Owns the work.
        """
        self.room = Room(root, section.min_free_mb, clock, self._try_again)
        self._section = section
        self._root = root
        self._hub = hub
        self._workers = workers
        self._archive = archive
        self._consent = consent
        self._tasks = tasks
        self._rendering: dict[str, Rendering] = {}
        self._finishing: dict[str, asyncio.Task[None]] = {}
        self._outcomes: dict[str, Metadata] = {}
        self._unreported: dict[str, tuple[RecordingRecord, Metadata | None]] = {}

    def progress(self, recording_id: str) -> float | None:
        """How far the finishing of a recording's files is, 0 to 1; None if nothing is being done to it."""
        rendering = self._rendering.get(recording_id)
        return None if rendering is None else rendering.progress

    def outcome(self, recording_id: str) -> Metadata | None:
        """The metadata of a recording finished by this process, also of one with nobody on it, which is not kept."""
        return self._outcomes.get(recording_id)

    def reports(self) -> list[tuple[RecordingRecord, Metadata | None]]:
        """Recordings that were finished since the last call, for who tells people; without metadata where it failed.

        They wait here while nobody is there to tell: before the bot is connected, and while a cog is reloaded.
        """
        waiting = list(self._unreported.values())
        self._unreported.clear()
        return waiting

    async def settled(self, recording_id: str) -> None:
        """Wait until nothing is being made of a recording."""
        task = self._finishing.get(recording_id)
        if task is not None:
            await asyncio.wait({task})

    def anew(self, record: RecordingRecord, *, again: bool) -> None:
        """Finish from the journals alone: after a crash, or again, after something was taken out."""
        self._outcomes.pop(record.id, None)
        folder = self._archive.folder(record)
        self.later(record, new_rendering(folder, self._section, self._workers), again=again)

    def later(self, record: RecordingRecord, rendering: Rendering, *, again: bool = False) -> None:
        """Finish what a rendering has begun; `again` if it was finished before, which is no news."""
        self._rendering[record.id] = rendering
        self._finishing[record.id] = self._tasks.start(self._finish(record, rendering, again=again))

    async def _finish(self, record: RecordingRecord, rendering: Rendering, *, again: bool) -> None:
        try:
            await self._drop_refused(record, rendering, again=again)
            metadata = await finish(rendering.folder, self._section, self._workers, rendering)
            await asyncio.to_thread(private.tighten_all, rendering.folder)
            people = {int(person.id): person.name for person in metadata.people}
            if not people and not metadata.notes:
                await asyncio.to_thread(delete_folder, rendering.folder, self._root)
                await self._archive.forget(record.id)
            else:
                moved_to = tuple({*record.moved_to, *metadata.moved_ids})  # after a crash either may know more
                done = replace(record, state="finished", duration_s=metadata.duration_s, moved_to=moved_to)
                await self._archive.note(done, people)
        except Exception as error:  # noqa: BLE001 - whatever it was, people are told, and the journals wait
            _log.exception("recording %s: its files could not be finished; the journals are safe", record.id)
            if is_full(error):
                await self.room.wait(record.id)
            await self._give_up(record, rendering.folder)
            if record.state != "failed":  # a second failure is no news
                self._unreported[record.id] = (record, None)
            self._hub.publish(RecordingFailed(record.guild_id, record.id, record.channel_id, str(rendering.folder)))
            return
        finally:
            self._rendering.pop(record.id, None)
            self._finishing.pop(record.id, None)
        self._outcomes[record.id] = metadata
        if not again:
            self._unreported[record.id] = (self._archive.find(record.id) or record, metadata)
        while len(self._outcomes) > _OUTCOMES_KEPT:
            del self._outcomes[next(iter(self._outcomes))]
        self._hub.publish(RecordingRendered(record.guild_id, record.id, record.channel_id, str(rendering.folder)))

    async def _drop_refused(self, record: RecordingRecord, rendering: Rendering, *, again: bool) -> None:
        """Ask once more who refused, before anything is made of a recording: it may not have been possible till now.

        Who is on one that was finished already, and refused after its end, stays on it until they want to be deleted.
        """
        end = record.started_at + timedelta(seconds=record.duration_s or 0)
        dropped = await asyncio.to_thread(
            drop_refused, rendering.folder, lambda user_id: self._consent.refused(user_id, end if again else None)
        )
        if not rendering.tracks:
            await asyncio.to_thread(clear_rendered, rendering.folder)
        for user_id in dropped:
            _log.info("recording %s: somebody who refused is left out", record.id)
            await rendering.forget(user_id)

    async def _give_up(self, record: RecordingRecord, folder: Path) -> None:
        people = None
        try:
            people = await asyncio.to_thread(give_up, folder)
        except (OSError, RecordingError) as error:
            _log.warning("recording %s: its metadata does not say so: %s", record.id, error)
        await self._archive.note(replace(record, state="failed"), people)

    def _try_again(self, recording_id: str) -> None:
        record = self._archive.find(recording_id)
        if record is not None and record.state == "failed":
            self.anew(record, again=False)

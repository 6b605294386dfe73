"""People over all recordings, live and past: found in folders as well as in the index, refused, deleted, described."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from core.errors import RecordingError, StoreError
from core.privacy.owners import About
from core.recording.privacy import take_person_out

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from core.privacy.owners import Person
    from core.recording.archive import Archive
    from core.recording.live_recording import LiveRecording
    from core.recording.rights import RecordingConsent
    from core.store.decisions import Decision
    from core.store.recordings import RecordingsRepository

_log = logging.getLogger(__name__)

NOT_ALL = "From {failed} recordings you could not be deleted, the log has the cause; from {count} you were."
NOT_YOU = "What a running recording has of you could not be deleted yet; it is left out when its files are made."
INDEX = "You are deleted from {count} recording(s) on disk, but my database cannot be written: its index may still name you."
DELETED = "You are deleted from {count} recording(s): tracks, mixes and metadata."
FORGOTTEN = "What running recordings had of you is deleted."
ON = "You are on {count} recording(s)."


class RecordedPeople:
    """What recordings have of people; a `DataOwner`, and the reaction to decisions on being recorded."""

    def __init__(
        self,
        archive: Archive,
        repository: RecordingsRepository,
        consent: RecordingConsent,
        live: Mapping[int, LiveRecording],
        settled: Callable[[str], Awaitable[None]],
    ) -> None:
        """See to people.

        Args:
            archive: Past recordings.
            repository: Their index.
            consent: Who may be recorded.
            live: Recordings under way, by guild.
            settled: Waits until nothing is being done to a recording.
        """
        self._archive = archive
        self._repository = repository
        self._consent = consent
        self._live = live
        self._settled = settled

    # Refusals ---------------------------------------------------------------------------------------------------------

    async def decided(self, user_id: int, decision: Decision | None) -> str:
        """Delete what recordings under way have of somebody who may not be recorded any more.

        Raises:
            RecordingError: Something of them is still there.
        """
        del decision  # without one, the mode decides
        if self._consent.allows(user_id):
            return ""
        outcomes = await asyncio.gather(
            *(self._refused(live, user_id) for live in list(self._live.values())), return_exceptions=True
        )
        faults = [each for each in outcomes if isinstance(each, BaseException)]
        for fault in faults:
            _log.error("a refusal could not be carried out on disk", exc_info=fault)
        if faults:
            raise RecordingError(NOT_YOU) from faults[0]
        return FORGOTTEN if any(outcomes) else ""

    async def _refused(self, live: LiveRecording, user_id: int) -> bool:
        """Delete somebody from a recording under way; whether they were on it."""
        was_there = user_id in live.recorder.tracks.journals()
        if await live.forget(user_id):
            if was_there:
                live.recorder.log.refused()
        elif was_there:  # it is just being closed
            await self._settled(live.id)
            if self._archive.find(live.id) is not None:
                await self._archive.take_out(live.id, user_id)
        return was_there

    # What there is ----------------------------------------------------------------------------------------------------

    async def folders(self, user_id: int, names: Collection[str] = ()) -> list[Path]:
        """Folders that hold somebody, whatever the index knows of them."""
        return await asyncio.to_thread(self._archive.folders_with, user_id, names)

    async def count(self, user_id: int) -> int:
        """On how many recordings somebody is, running ones included."""
        running = {live.folder for live in self._live.values() if user_id in live.recorder.tracks.journals()}
        folders = await asyncio.to_thread(self._archive.folders_of, user_id)
        return len(running.union(folders))

    async def describe_person(self, person: Person) -> About:
        """Say on how many recordings a person is."""
        count = await self.count(person.id)
        names = await self._repository.names_of(person.id)
        return About([ON.format(count=count)], names)

    async def export_person(self, person: Person) -> Mapping[str, bytes]:
        """Nothing: recordings are too large for memory, and the archive that is made of them takes the rest in."""
        del person
        return {}

    # Deletion ---------------------------------------------------------------------------------------------------------

    async def delete_person(self, person: Person) -> Sequence[str]:
        """Delete everything recorded of a person, and every mention of them.

        Raises:
            RecordingError: Some recordings could not be changed; all others were.
            StoreError: The index could not be changed; all files were.
        """
        count = await self.delete(person)
        return [DELETED.format(count=count)] if count else []

    async def delete(self, person: Person) -> int:
        """The same; gives from how many recordings something was deleted.

        Raises:
            RecordingError: Some recordings could not be changed; all others were.
            StoreError: The index could not be changed; all files were.
        """
        await self._archive.drop_exports_of(person.id)
        done: set[Path] = set()
        failed: set[Path] = set()
        for live in [each for each in self._live.values() if each.record.started_at <= person.until]:
            await self._attempt(live.folder, self._out_of_live(live, person), done, failed)
        for folder in await self.folders(person.id, person.names):
            if folder not in {live.folder for live in self._live.values()}:
                await self._attempt(folder, self._out_of_past(folder, person), done, failed)
        try:
            await self._archive.forget_person(person.id, person.until)
        except StoreError as error:
            if not failed:
                raise StoreError(INDEX.format(count=len(done))) from error
            _log.exception("somebody could not be taken out of the index")
        if failed:
            raise RecordingError(NOT_ALL.format(failed=len(failed), count=len(done - failed)))
        return len(done)

    async def _attempt(self, folder: Path, work: Awaitable[bool], done: set[Path], failed: set[Path]) -> None:
        try:
            if await work:
                done.add(folder)
        except (OSError, RecordingError):
            _log.exception("a person could not be taken out of %s", folder.name)
            failed.add(folder)

    async def _out_of_live(self, live: LiveRecording, person: Person) -> bool:
        """Take a person out of a recording under way; whether they were on it or named in it."""
        was_there = person.id in live.recorder.tracks.journals()
        if await live.forget(person.id):
            return await live.strip(person.id, person.names) or was_there
        return False  # one that is just being closed is among the past ones next

    async def _out_of_past(self, folder: Path, person: Person) -> bool:
        """Take a person out of a recording that is over; whether they were on it or named in it."""
        try:
            record = await self._archive.adopt(folder)
        except RecordingError:  # nobody knows what it is, but their files go
            await asyncio.to_thread(take_person_out, folder, person.id, person.names)
            raise
        if record.started_at > person.until:
            return False
        await self._settled(record.id)
        if self._archive.find(record.id) is None:
            return False
        return await self._archive.take_out(record.id, person.id, person.names)

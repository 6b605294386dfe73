"""Past recordings: the index in memory and in the store, their folders, what goes out of them, and what is too old."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from core.errors import RecordingError, StoreError
from core.recording.exports import Exports, export_name, person_key
from core.recording.folder_index import describe, scan
from core.recording.folders import clear_scratch, delete_folder, folder_size
from core.recording.locks import BUSY, RecordingLocks
from core.recording.metadata import FILE, read_metadata
from core.recording.picture import draw_timeline
from core.recording.privacy import export_person, folders_with, is_on, take_person_out
from core.recording.rights import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from core.audio.encode import Quality
    from core.clock import Clock
    from core.config.recording import RecordingSection
    from core.machine.lane import Lane
    from core.recording.exports import Export
    from core.recording.metadata import Metadata
    from core.store.recordings import RecordingRecord, RecordingsRepository

_log = logging.getLogger(__name__)

GONE = "The files of that recording are gone."
UNMADE = "Its finished files could not be made. What was heard is safe in its folder; I try again at my next start."
NOBODY = "Nothing is kept of you."
_CLEAN_S = 3600.0
_BEING_WRITTEN_S = 600.0  # scratch that is younger may be somebody's: transcripts are written into finished folders
_EXPORTS_KEPT_S = 24 * 3600.0


class Archive:
    """The recordings of the past. Lists come from memory, so autocomplete never waits."""

    def __init__(
        self,
        root: Path,
        section: RecordingSection,
        workers: Lane,
        repository: RecordingsRepository,
        clock: Clock,
        render_again: Callable[[RecordingRecord], Awaitable[None]],
    ) -> None:
        self.locks = RecordingLocks()
        self.exports = Exports(root, self.locks, workers)
        self._root = root
        self._section = section
        self._workers = workers
        self._repository = repository
        self._clock = clock
        self._render_again = render_again
        self._records: dict[str, RecordingRecord] = {}

    async def open(self) -> list[RecordingRecord]:
        """Load the index, take in folders it does not know, clear what dead work left; gives what is not finished."""
        records = await self._repository.all()
        known = {record.folder for record in records}
        ids = {record.id for record in records}
        for record, people in await asyncio.to_thread(scan, self._root, known):
            if record.id in ids:
                _log.warning(
                    "%s says it is recording %s, which lies elsewhere; it is left alone", record.folder, record.id
                )
                continue
            ids.add(record.id)
            await self._repository.save(record)
            await self._repository.save_people(record.id, people)
            records.append(record)
        self._records = {record.id: record for record in records}
        await asyncio.to_thread(self._clear)
        unfinished = [r for r in records if r.state != "finished"]
        there = [r for r in unfinished if await asyncio.to_thread((self.folder(r) / FILE).exists)]
        for record in unfinished:
            if record not in there:
                _log.warning("recording %s left no files", record.id)
                await self.forget(record.id)
        return there

    def folder(self, record: RecordingRecord) -> Path:
        """Where a recording's files are."""
        return self._root / record.folder

    def records(self, guild_id: int) -> list[RecordingRecord]:
        """A guild's recordings, newest first."""
        found = [record for record in self._records.values() if record.guild_id == guild_id]
        return sorted(found, key=lambda record: record.started_at, reverse=True)

    def everywhere(self) -> list[RecordingRecord]:
        """All recordings of all guilds, oldest first."""
        return sorted(self._records.values(), key=lambda record: record.started_at)

    def find(self, recording_id: str) -> RecordingRecord | None:
        """One recording, if there is one of this id."""
        return self._records.get(recording_id)

    def record(self, recording_id: str, guild_id: int | None = None) -> RecordingRecord:
        """One recording; with a guild, only one of that guild.

        Raises:
            RecordingError: There is none.
        """
        record = self._records.get(recording_id)
        if record is None or guild_id not in (None, record.guild_id):
            raise RecordingError(UNKNOWN)
        return record

    async def details(self, recording_id: str) -> Metadata:
        """What a recording's metadata says.

        Raises:
            RecordingError: There is no such recording, or its files are gone.
        """
        folder = self.folder(self.record(recording_id))
        if not await asyncio.to_thread(folder.exists):
            raise RecordingError(GONE)
        return await asyncio.to_thread(read_metadata, folder)

    @asynccontextmanager
    async def reading(self, recording_id: str) -> AsyncGenerator[tuple[RecordingRecord, Metadata]]:
        """A recording as it is now, and stays within the `async with`: deletions wait for its end.

        Raises:
            RecordingError: There is none, its files are gone, or it is just being changed.
        """
        async with self.locks.sending(self.locks.ticket([recording_id])):
            metadata = await self.details(recording_id)
            yield self.record(recording_id), metadata

    async def size(self, recording_id: str) -> int:
        """Bytes of a recording's files."""
        return await asyncio.to_thread(folder_size, self.folder(self.record(recording_id)))

    async def delete(self, recording_id: str) -> None:
        """Delete a recording and all its files; what is just being packed of it is not handed out any more.

        Raises:
            RecordingError: There is none, it is being worked on, or it cannot be deleted.
        """
        record = self.record(recording_id)
        if record.state in ("recording", "rendering"):
            raise RecordingError(BUSY)
        async with self.locks.changing(recording_id):
            record = self.record(recording_id)  # as it is now: somebody else may have changed or deleted it meanwhile
            try:
                await asyncio.to_thread(delete_folder, self.folder(record), self._root)
            except OSError as error:
                raise RecordingError(f"Its files could not all be deleted: {error.strerror}.") from error
            await self.drop_exports(recording_id)
            await self.forget(recording_id)

    @asynccontextmanager
    async def export(
        self,
        recording_id: str,
        *,
        quality: Quality | None = None,
        user_id: int | None = None,
        person: str = "",
        progressed: Callable[[float], None] = lambda _: None,
    ) -> AsyncGenerator[Export]:
        """One archive of a recording's finished files, there within the `async with` and for nobody else.

        What is done with it is done within `locks.sending(export.ticket)`: the recording may change at any time.

        Args:
            recording_id: The recording.
            quality: What its sounds become; as they are by default.
            user_id: One person's track alone.
            person: What that person is called, for the archive's name.
            progressed: Told how far it is, 0 to 1.

        Raises:
            RecordingError: There is none, it is not finished, it changed meanwhile, or there is no room.
        """
        record = self.record(recording_id)
        if record.state != "finished":
            raise RecordingError(UNMADE if record.state == "failed" else BUSY)
        name = export_name(record, person=person)
        async with self.exports.open([record.id], [] if user_id is None else [user_id], name) as export:
            await self.exports.make(
                export, self.folder(record), quality=quality, user_id=user_id, progressed=progressed
            )
            yield export

    async def pack(self, recording_id: str, *, quality: Quality | None = None, user_id: int | None = None) -> Path:
        """The same as a file that is kept until tomorrow, or until the recording changes.

        Args:
            recording_id: The recording.
            quality: What its sounds become; as they are by default.
            user_id: One person's track alone.

        Raises:
            RecordingError: As above.
        """
        async with self.export(recording_id, quality=quality, user_id=user_id) as export:
            self.exports.keep(export)
        return export.path

    @asynccontextmanager
    async def export_person(
        self, user_id: int, records: Sequence[RecordingRecord], extra: Mapping[str, bytes] | None = None
    ) -> AsyncGenerator[Export]:
        """Everything that recordings hold of a person as one archive, there within the `async with`.

        Args:
            user_id: The person.
            records: Their recordings.
            extra: Files of others that go into it, by name.

        Raises:
            RecordingError: There is nothing, something changed meanwhile, or there is no room.
        """
        folders = [(record, self.folder(record)) for record in records if self.find(record.id) is not None]
        there = [each for each in folders if await asyncio.to_thread((each[1] / FILE).exists)]
        if not there and not extra:
            raise RecordingError(NOBODY)
        ids = [record.id for record, _ in there]
        named = [(record.folder.replace("/", "_"), folder) for record, folder in there]
        name = f"kept_of_you_{self._clock.now().astimezone():%Y-%m-%d}.zip"
        async with self.exports.open(ids, [user_id], name) as export:
            with self.exports.working(export):
                export.count = await asyncio.to_thread(export_person, user_id, named, export.path, extra)
            yield export

    async def drop_exports_of(self, user_id: int) -> None:
        """Delete the archives that were made of a person."""
        async with self.locks.changing(person_key(user_id)):
            await asyncio.to_thread(lambda: self.exports.drop(user_id=user_id))

    async def drop_exports(self, recording_id: str) -> None:
        """Delete the archives that hold something of a recording."""
        await asyncio.to_thread(lambda: self.exports.drop(recording_id=recording_id))

    async def take_out(self, recording_id: str, user_id: int, names: Iterable[str] = ()) -> bool:
        """Delete a person from a recording, and make its finished files anew without them.

        What is on disk goes whether or not the index can be changed.

        Returns:
            Whether they were on it, or named in it; not if the recording is deleted.

        Raises:
            RecordingError: The metadata cannot be read; the person's files are deleted all the same.
            OSError: Something cannot be deleted.
        """
        async with self.locks.changing(recording_id):  # the mix holds them until it is made anew
            record = self.find(recording_id)  # it may have been deleted while this waited
            if record is None:
                return False
            folder = self.folder(record)
            if not await asyncio.to_thread((folder / FILE).exists):
                return False
            # if the process dies from here on, the next one makes the files anew
            await self.note(replace(record, state="rendering"))
            try:
                found = await asyncio.to_thread(take_person_out, folder, user_id, names)
            except RecordingError:
                await self.note(replace(record, state="failed"))
                raise
            finally:
                await asyncio.to_thread(clear_scratch, folder)
                await self.drop_exports(record.id)
            if found == "heard":
                await self._render_again(replace(record, state="rendering"))
                return True
            await self.note(record)
            if found == "mentioned":
                await self._draw_again(folder)
            return found == "mentioned"

    async def _draw_again(self, folder: Path) -> None:
        """Notes are on the picture."""
        metadata = await asyncio.to_thread(read_metadata, folder)
        if metadata.files.timeline is not None:
            picture = str(folder / metadata.files.timeline)
            await self._workers.run(draw_timeline, metadata.model_dump_json(), picture)

    async def forget_person(self, user_id: int, until: datetime) -> None:
        """Take somebody out of the index, also as who started recordings.

        Raises:
            StoreError: The database cannot be written; in memory they are gone.
        """
        for record in list(self._records.values()):
            if record.started_by == user_id and record.started_at <= until:
                self._records[record.id] = replace(record, started_by=None)
        await self._repository.forget_person(user_id, until)

    def folders_with(self, user_id: int, names: Iterable[str] = ()) -> list[Path]:
        """Folders that hold a person or name them. Blocks."""
        return folders_with(self._root, user_id, names)

    def folders_of(self, user_id: int) -> list[Path]:
        """Folders of recordings that a person is on. Blocks."""
        return [folder for folder in folders_with(self._root, user_id) if is_on(folder, user_id)]

    async def adopt(self, folder: Path) -> RecordingRecord:
        """The recording of a folder, also if the index did not know it.

        Raises:
            RecordingError: It is none, or its metadata cannot be read.
        """
        below = folder.relative_to(self._root).as_posix()
        known = next((record for record in self._records.values() if record.folder == below), None)
        if known is not None:
            return known
        record = describe(self._root, await asyncio.to_thread(read_metadata, folder), folder, None)
        await self.note(record)
        return record

    async def note(self, record: RecordingRecord, people: Mapping[int, str] | None = None) -> None:
        """Change a recording in the index, as far as the database can: its folder tells as much."""
        try:
            await self.update(record, people)
        except StoreError:
            _log.exception("recording %s: the index in the database is behind", record.id)

    async def heard(self, recording_id: str, user_id: int, name: str) -> None:
        """Somebody is on a recording under way; should the index not know that, the folder tells."""
        try:
            await self._repository.add_person(recording_id, user_id, name)
        except StoreError:
            _log.exception("recording %s: the index does not know of somebody on it", recording_id)

    async def moved(self, record: RecordingRecord, channel_id: int) -> None:
        """Say that a recording under way goes on in another channel; should the index not take it, the folder tells."""
        self._records[record.id] = record
        try:
            await self._repository.add_channel(record.id, channel_id)
        except StoreError:
            _log.exception("recording %s: the index does not know of a channel of it", record.id)

    async def add(self, metadata: Metadata, folder: Path, report_channel_id: int | None) -> RecordingRecord:
        """Put a recording that begins into the index."""
        record = describe(self._root, metadata, folder, report_channel_id)
        await self.update(record)
        return record

    async def update(self, record: RecordingRecord, people: Mapping[int, str] | None = None) -> None:
        """Change a recording in the index, and say who is on it."""
        self._records[record.id] = record
        await self._repository.save(record)
        if people is not None:
            await self._repository.save_people(record.id, people)

    async def forget(self, recording_id: str) -> None:
        """Take a recording out of the index."""
        self._records.pop(recording_id, None)
        await self._repository.delete(recording_id)

    async def keep_clean(self) -> None:
        """Delete what is older than the configuration allows, and exports of yesterday, every hour, until cancelled."""
        while True:
            await asyncio.to_thread(self._clear, _BEING_WRITTEN_S)
            if self._section.retention_days:
                await self._delete_older(timedelta(days=self._section.retention_days))
            await self._clock.sleep(_CLEAN_S)

    async def _delete_older(self, age: timedelta) -> None:
        for record in await self._repository.older_than(self._clock.now() - age):
            try:
                await self.delete(record.id)
                _log.info("recording %s was older than %s", record.id, age)
            except (RecordingError, StoreError):
                _log.exception("recording %s is too old, but not all of it could be deleted", record.id)

    def _clear(self, older_than_s: float = 0.0) -> None:
        """Delete what dead work left behind, and exports of yesterday; what cannot be deleted is tried again later."""
        try:
            self.exports.clear(_EXPORTS_KEPT_S)
            for record in list(self._records.values()):
                if record.state in ("finished", "failed"):
                    clear_scratch(self.folder(record), older_than_s)
        except OSError:
            _log.exception("something that is not needed any more could not be deleted")

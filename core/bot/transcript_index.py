"""What was said, brought from transcripts into the database where it is searched."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from core.bot import transcript_files as files
from core.errors import ParleyError, StoreError
from core.store.transcripts import Spoken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.hearing.transcripts.document import Transcript
    from core.recording.archive import Archive
    from core.recording.metadata import RecordedPerson
    from core.store.recordings import RecordingRecord
    from core.store.transcripts import TranscriptsRepository

_log = logging.getLogger(__name__)


class TranscriptIndex:
    """Keeps the database as the transcripts are."""

    def __init__(self, repository: TranscriptsRepository, archive: Archive) -> None:
        self._repository = repository
        self._archive = archive

    async def take(self, record: RecordingRecord, person: RecordedPerson, transcript: Transcript) -> None:
        """Make this all that a person said on a recording, as far as the database can: the files tell as much."""
        transcript.call(person.id, person.name)
        try:
            await self._repository.replace(record.id, int(person.id), spoken_of(record, transcript))
        except StoreError:
            _log.exception("recording %s: what was said cannot be searched", record.id)

    async def complete(self) -> None:
        """Bring in what the database does not know: it was lost, or recordings were brought from elsewhere."""
        known = await self._repository.recording_ids()
        for record in self._archive.everywhere():
            if record.id in known or record.state != "finished":
                continue
            try:
                await self._read(record)
            except ParleyError as error:
                _log.warning("recording %s: its transcript cannot be searched: %s", record.id, error.sentence)

    async def _read(self, record: RecordingRecord) -> None:
        async with self._archive.reading(record.id) as (_, metadata):
            folder = self._archive.folder(record)
            for person in metadata.people if metadata.transcripts else ():
                found = await asyncio.to_thread(files.load, folder, person, record.id)
                if found is not None:
                    await self.take(record, person, found)


def spoken_of(record: RecordingRecord, transcript: Transcript) -> Sequence[Spoken]:
    """What was said, as the database keeps it."""
    names = transcript.names()
    return [
        Spoken(
            record.id,
            record.guild_id,
            record.channel_id,
            int(said.user_id),
            names.get(said.speaker, ""),
            said.start_s,
            said.end_s,
            record.started_at + timedelta(seconds=said.start_s),
            said.text,
        )
        for said in transcript.segments
    ]

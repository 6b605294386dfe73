"""People over transcripts: taken out of all of them when they are deleted or refuse, and handed what they said."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING

from core.bot import transcript_files as files
from core.errors import HearingError, ParleyError
from core.privacy.mentions import cleaner
from core.privacy.owners import About

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from core.clock import Clock
    from core.privacy.owners import Person
    from core.recording.archive import Archive
    from core.store.decisions import Decision
    from core.store.recordings import RecordingRecord
    from core.store.transcripts import TranscriptsRepository

_log = logging.getLogger(__name__)

SAID = "I have the text of {count} things that you said on recordings."
DELETED = "What you said is deleted from {count} transcript(s), with their minutes and the words that are searched."
NOT_ALL = "From {count} transcript(s) you could not be deleted; the log has the cause."


class TranscribedPeople:
    """What transcripts have of people: a `DataOwner`, and the reaction to decisions on being recorded and heard."""

    def __init__(self, archive: Archive, repository: TranscriptsRepository, clock: Clock) -> None:
        """See to people.

        Args:
            archive: Past recordings.
            repository: Where what was said is searched.
            clock: The clock.
        """
        self._archive = archive
        self._repository = repository
        self._clock = clock

    async def describe_person(self, person: Person) -> About:
        """Say how much text there is of a person."""
        said = await self._repository.of_person(person.id)
        return About([SAID.format(count=len(said))] if said else [], frozenset(each.speaker for each in said))

    async def export_person(self, person: Person) -> Mapping[str, bytes]:
        """Give what a person said, as far as it is searched; the transcripts themselves come with the recordings."""
        said = await self._repository.of_person(person.id)
        if not said:
            return {}
        told = [{"at": each.said_at.isoformat(), "recording": each.recording_id, "text": each.text} for each in said]
        return {"said.json": json.dumps(told, indent=2, ensure_ascii=False).encode()}

    async def delete_person(self, person: Person) -> Sequence[str]:
        """Take a person out of every transcript, index and summary, and their names out of what others said.

        Raises:
            HearingError: Something is still there.
            StoreError: The database still holds what they said; the files do not.
        """
        count = await self._take_out(person.id, person.until, cleaner(person.id, person.names), person.names)
        return [DELETED.format(count=count)] if count else []

    async def decided(self, user_id: int, decision: Decision | None) -> str:
        """Take somebody out who does not want to be recorded or heard any more.

        Raises:
            ParleyError: Something is still there.
        """
        if decision != "out":
            return ""
        count = await self._take_out(user_id, self._clock.now(), None, ())
        return DELETED.format(count=count) if count else ""

    async def _take_out(
        self, user_id: int, until: datetime, clean: Callable[[str], str] | None, names: Sequence[str] | frozenset[str]
    ) -> int:
        archive = self._archive
        folders = await asyncio.to_thread(archive.folders_with, user_id, names)
        done, failed = 0, 0
        records: list[RecordingRecord] = []
        for folder in folders:
            try:
                record = await archive.adopt(folder)
                if record.started_at > until or record.state == "recording":
                    continue
                records.append(record)
                async with archive.locks.changing(record.id):
                    done += await asyncio.to_thread(self._out_of, folder, user_id, clean)
                await archive.drop_exports(record.id)
            except (ParleyError, OSError):
                _log.exception("somebody could not be taken out of the transcripts in %s", folder.name)
                failed += 1
        running = [
            record for record in archive.everywhere() if record.state == "recording" and record.started_at <= until
        ]
        ids = [record.id for record in (*records, *running)]
        await self._repository.delete_person(user_id, until, clean or (lambda text: text), ids)
        if failed:
            raise HearingError(NOT_ALL.format(count=failed))
        return done

    def _out_of(self, folder: Path, user_id: int, clean: Callable[[str], str] | None) -> bool:
        try:
            return files.take_out(folder, user_id, clean)
        except FileNotFoundError:  # deleted meanwhile
            return False

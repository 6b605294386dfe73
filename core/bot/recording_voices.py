"""Several people behind one microphone: their voices told apart in the transcripts of recordings, and named."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from core.bot import transcript_files as files
from core.errors import HearingError, WorkerError
from core.hearing.transcripts.document import Transcript
from core.hearing.voices.telling_apart import tell_apart
from core.machine.lane import Priority
from core.names import plain
from core.recording.files import file_in

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from core.bot.transcript_index import TranscriptIndex
    from core.machine.lane import Lane
    from core.recording.archive import Archive
    from core.store.recordings import RecordingRecord

NOT_ON_IT = "That person said nothing on that recording that I understood."
NO_VOICE = "There is no voice {voice} of theirs; there are {count}."
MOST_NAME = 40


class RecordingVoices:
    """Tells voices apart in a worker."""

    def __init__(self, archive: Archive, index: TranscriptIndex, lane: Lane, models: Path) -> None:
        """See to voices.

        Args:
            archive: Past recordings.
            index: Where what was said is searched.
            lane: Where models work.
            models: The folder of models.
        """
        self._archive = archive
        self._index = index
        self._lane = lane
        self._models = models

    async def tell_apart(self, transcript: Transcript, track: Path, count: int | None = None) -> Transcript:
        """One person's transcript with a speaker for each voice.

        Raises:
            HearingError: The model for that is missing, or the work was broken off.
        """
        arguments = (transcript.model_dump_json(), str(track), str(self._models), count)
        try:
            found = await self._lane.run(tell_apart, *arguments, priority=Priority.TRANSCRIPT)
        except WorkerError as error:
            raise HearingError(f"The voices could not be told apart: {error.sentence}") from error
        return Transcript.model_validate_json(found)

    async def split(self, record: RecordingRecord, user_id: int, count: int | None) -> list[str]:
        """Tell the voices behind a person's microphone apart on a recording; gives what they are called.

        Raises:
            HearingError: They said nothing, or it is not possible.
            RecordingError: The recording is changed meanwhile.
        """
        metadata = await self._archive.details(record.id)
        person = metadata.person(user_id)
        track = None if person is None or person.track is None else person.track
        path = None if track is None else await asyncio.to_thread(file_in, self._archive.folder(record), track)
        if path is None:
            raise HearingError(NOT_ON_IT)

        async def change(transcript: Transcript) -> Transcript:
            return await self.tell_apart(transcript, path, count)

        return await self._change(record, user_id, change)

    async def name(self, record: RecordingRecord, user_id: int, voice: int, name: str) -> list[str]:
        """Give one of the voices a name; gives what they are called then.

        Raises:
            HearingError: There is no such voice.
            RecordingError: The recording is changed meanwhile.
        """

        async def change(transcript: Transcript) -> Transcript:
            speaker = transcript.speaker(f"{user_id}:{voice}")
            if speaker is None:
                count = sum(each.voice is not None for each in transcript.speakers)
                raise HearingError(NO_VOICE.format(voice=voice, count=count))
            speaker.name, speaker.named = plain(name, MOST_NAME) or speaker.name, True
            return transcript

        return await self._change(record, user_id, change)

    async def _change(
        self, record: RecordingRecord, user_id: int, change: Callable[[Transcript], Awaitable[Transcript]]
    ) -> list[str]:
        ticket = self._archive.locks.ticket([record.id])
        folder = self._archive.folder(record)
        metadata = await self._archive.details(record.id)
        person = metadata.person(user_id)
        found = None if person is None else await asyncio.to_thread(files.load, folder, person, record.id)
        if person is None or found is None or found.state != "finished" or not found.segments:
            raise HearingError(NOT_ON_IT)
        changed = await change(found)
        async with self._archive.locks.sending(ticket):
            await asyncio.to_thread(files.finish, folder, person, changed)
            await asyncio.to_thread(files.forget_minutes, folder)  # they name who said what
            await asyncio.to_thread(files.assemble, folder)
            await self._index.take(record, person, changed)
        return [each.name for each in changed.speakers]

"""Minutes of recordings: asked of the model, kept beside the transcript, gone when somebody is taken out of it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING

from core.bot import transcript_files as files
from core.errors import HearingError, ModelError, ParleyError
from core.hearing.minutes import Minutes, as_text, write_minutes
from core.hearing.transcripts.document import read_transcript
from core.llm.messages import ChatMessage
from core.private import write_atomically
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Literal

    from core.bot.transcripts import Transcripts
    from core.config.hearing import TranscriptsSection
    from core.hearing.transcripts.document import Transcript
    from core.llm.models import Models
    from core.recording.archive import Archive
    from core.store.recordings import RecordingRecord

_log = logging.getLogger(__name__)

NO_MODEL = "There is no model that could write minutes: [model] names none."
NO_TRANSCRIPT = "There is no transcript of that recording yet: `/recordings transcript` makes one."
EMPTY = "Nothing in that recording can be put into minutes."
MOST_ANSWER = 200_000  # characters that a model may answer to one part
ANSWER_S = 300.0  # that it may take for it


class RecordingMinutes:
    """Writes minutes, of one recording after the other."""

    def __init__(self, section: TranscriptsSection, archive: Archive, transcripts: Transcripts, models: Models) -> None:
        """Write them by themselves if the configuration wants that.

        Args:
            section: `[hearing.transcripts]`.
            archive: Past recordings.
            transcripts: Tells of each transcript that is finished.
            models: The model.
        """
        self._section = section
        self._archive = archive
        self._models = models
        self._turn = asyncio.Lock()
        self._tasks = Tasks("minutes")
        if section.summary:
            transcripts.after.append(self._transcribed)

    async def close(self) -> None:
        """Write no more."""
        await self._tasks.cancel_all()

    async def of(self, record: RecordingRecord) -> str:
        """The minutes of a recording as text, written if they are not there.

        Raises:
            HearingError: There is no transcript, or nothing in it.
            ModelError: There is no model, or it does not answer with minutes.
            RecordingError: The recording is changed meanwhile.
        """
        async with self._turn:  # who asks twice is answered with the same ones
            ticket = self._archive.locks.ticket([record.id])
            metadata = await self._archive.details(record.id)
            folder = self._archive.folder(record)
            path = await asyncio.to_thread(files.find, folder, metadata, files.DOCUMENT, None)
            if path is None:
                raise HearingError(NO_TRANSCRIPT)
            transcript = await asyncio.to_thread(read_transcript, path)
            found = await asyncio.to_thread(_read, folder)
            if found is None:
                found = await self._write(transcript)
                async with self._archive.locks.sending(ticket):  # nobody was taken out of it meanwhile
                    await asyncio.to_thread(_keep, folder, found, transcript)
        if not found.points:
            raise HearingError(" ".join([EMPTY, *found.notes]))
        return as_text(found, transcript.names())

    async def _write(self, transcript: Transcript) -> Minutes:
        if not self._models.routes:
            raise ModelError(NO_MODEL)
        section = self._section
        return await write_minutes(
            transcript, self._ask, characters=section.summary_characters, parts=section.summary_parts
        )

    async def _ask(self, messages: Sequence[tuple[Literal["system", "user"], str]]) -> str:
        told = [ChatMessage(role, text) for role, text in messages]
        pieces: list[str] = []
        length = 0
        try:
            async with asyncio.timeout(ANSWER_S):
                async with aclosing(self._models.stream(told, route=self._section.summary_route or None)) as answer:
                    async for piece in answer:
                        pieces.append(piece)
                        length += len(piece)
                        if length > MOST_ANSWER:
                            break
        except TimeoutError as error:
            raise ModelError("The model took too long for the minutes.") from error
        return "".join(pieces)

    def _transcribed(self, record: RecordingRecord, transcript: Transcript) -> None:
        del transcript
        self._tasks.start(self._by_itself(record), f"minutes {record.id}", replace=True)

    async def _by_itself(self, record: RecordingRecord) -> None:
        try:
            await self.of(record)
        except ParleyError as error:
            _log.warning("recording %s has no minutes: %s", record.id, error.sentence, exc_info=error.__cause__)


def _read(folder: Path) -> Minutes | None:
    """The minutes that are there; damaged ones are written anew."""
    path = folder / files.MINUTES[0]
    try:
        return Minutes.model_validate_json(path.read_bytes()) if path.is_file() and not path.is_symlink() else None
    except ValueError:
        _log.warning("the minutes in %s are damaged", folder.name)
        return None


def _keep(folder: Path, minutes: Minutes, transcript: Transcript) -> None:
    if not minutes.points:
        return  # a better model may find some
    write_atomically(folder / files.MINUTES[0], minutes.model_dump_json(indent=1).encode())
    write_atomically(folder / files.MINUTES[1], f"{as_text(minutes, transcript.names())}\n".encode())
    files.list_minutes(folder)

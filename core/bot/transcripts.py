"""`runtime.transcripts`: every recording becomes text, which is searched, summed up, and gone when somebody wants that."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.bot import transcript_files as files
from core.bot.recording_voices import RecordingVoices
from core.bot.transcript_index import TranscriptIndex
from core.bot.transcript_search import Searches
from core.errors import HearingError, ParleyError, RecordingError
from core.events import RecordingRendered, RecordingTranscribed
from core.hearing.transcripts.document import Transcript
from core.hearing.transcripts.job import NotAllowed, TrackSound, TrackTranscription, seconds_of
from core.recording.files import file_in
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from core.clock import Clock
    from core.config.hearing import HearingSection
    from core.hearing.transcriber import Transcriber
    from core.hub import Hub
    from core.machine.lane import Lane
    from core.privacy.consent import Consent
    from core.recording.locks import Ticket
    from core.recording.metadata import Metadata, RecordedPerson
    from core.recording.service import Recordings
    from core.store.recordings import RecordingRecord
    from core.store.transcripts import TranscriptsRepository

_log = logging.getLogger(__name__)

OFF = "Nobody is heard here: [hearing] engine is off."
NOT_YET = "That recording is not finished yet. Please ask again when its files are made."
NOTHING = "Nobody said anything on that recording that I understood."
BUSY_S = 0.25  # until a recording that is being changed is looked at again


@dataclass(slots=True)
class TranscriptProgress:
    """How far one recording's transcript is, in seconds of sound."""

    wanted_s: float = 0.0
    done_s: dict[int, float] = field(default_factory=dict[int, float])

    @property
    def share(self) -> float:
        """0 to 1."""
        return min(1.0, sum(self.done_s.values()) / self.wanted_s) if self.wanted_s else 0.0


class Transcripts:
    """Makes transcripts of recordings, one person after the other, and looks after them."""

    def __init__(
        self,
        section: HearingSection,
        recordings: Recordings,
        repository: TranscriptsRepository,
        transcriber: Transcriber | None,
        *,
        hub: Hub,
        clock: Clock,
        consent: Consent,
        lane: Lane,
        models: Path,
        at_once: int = 1,
        language: Callable[[int], str | None] = lambda _: None,
    ) -> None:
        """Nothing is read before `open`.

        Args:
            section: `[hearing]`.
            recordings: What is recorded.
            repository: Where what was said is searched.
            transcriber: The recogniser, opened when it is needed; None if nobody is heard.
            hub: Hears of recordings, and is told of transcripts.
            clock: The clock.
            consent: Asked whether somebody may be heard.
            lane: Where voices are told apart.
            models: The folder of models.
            at_once: Tracks that are worked on side by side.
            language: That a person speaks, if they said so.
        """
        self.repository = repository
        self.searches = Searches(repository, clock)
        self._index = TranscriptIndex(repository, recordings.archive)
        self.after: list[Callable[[RecordingRecord, Transcript], None]] = []  # told of each finished transcript
        self.before: list[Callable[[str], Awaitable[None]]] = []  # waited for before a recording is begun with
        self.voices = RecordingVoices(recordings.archive, self._index, lane, models)
        self._section = section
        self._language = language
        self._recordings = recordings
        self._archive = recordings.archive
        self._transcriber = transcriber
        self._hub = hub
        self._clock = clock
        self._consent = consent
        self._turns = asyncio.Semaphore(at_once)
        self._tasks = Tasks("transcripts")
        self._progress: dict[str, TranscriptProgress] = {}
        self._working: dict[str, asyncio.Task[None]] = {}
        self._problems: dict[str, str] = {}  # why a recording has none, as a sentence
        self._finished: set[str] = set()
        self._told: set[str] = {""}  # sentences that were said already, and those in the log
        self._logged: set[str] = set()

    async def open(self) -> None:
        """Listen to recordings, and go on with what an end of the process broke off."""
        self._hub.subscribe(RecordingRendered, self._on_rendered, owner=self)
        self._tasks.start(self._resume(), "resume")

    async def close(self) -> None:
        """Stop; what is not finished goes on after the next start."""
        self._hub.drop(self)
        await self._tasks.cancel_all()

    @property
    def settings(self) -> str:
        """What recordings are recognised with: text that was made with something else is made anew."""
        section = self._section
        return f"{section.engine} {section.transcripts.model or section.model} {section.language}"

    @property
    def on(self) -> bool:
        """Whether there is a recogniser."""
        return self._transcriber is not None

    # Asked for --------------------------------------------------------------------------------------------------------

    def progress(self, recording_id: str) -> float | None:
        """How far a transcript is, 0 to 1; None if none is being made."""
        found = self._progress.get(recording_id)
        return None if found is None else found.share

    def problem(self, recording_id: str) -> str:
        """Why there is no transcript of a recording, as a sentence; empty if nothing went wrong."""
        return self._problems.get(recording_id, "")

    def finished(self, recording_id: str) -> bool:
        """Whether this process made a transcript of a recording."""
        return recording_id in self._finished

    def news(self, recording_id: str) -> str:
        """The same for who tells people of it unasked: what is wrong with every recording is said once."""
        sentence = self.problem(recording_id)
        if sentence in self._told:
            return ""
        self._told.add(sentence)
        return sentence

    def request(self, record: RecordingRecord) -> None:
        """Make a transcript of a finished recording, unless it is being made.

        Raises:
            HearingError: There is no recogniser.
            RecordingError: The recording is not finished.
        """
        self._required()
        if record.state != "finished":
            raise RecordingError(NOT_YET)
        self._problems.pop(record.id, None)
        if record.id not in self._progress:
            self._begin(record.id, asked=True)

    async def wait(self, recording_id: str) -> None:
        """Wait until nothing is being done to a recording's transcript."""
        while (task := self._working.get(recording_id)) is not None:
            await asyncio.wait({task})

    async def document(self, recording_id: str) -> Transcript:
        """Everybody's transcript of a recording.

        Raises:
            HearingError: There is none, or it cannot be read.
            RecordingError: There is no such recording, or it is just being changed.
        """
        async with self._archive.reading(recording_id) as (record, metadata):
            folder = self._archive.folder(record)
            path = await asyncio.to_thread(files.find, folder, metadata, files.DOCUMENT, None)
            if path is None:
                raise HearingError(self.problem(recording_id) or NOTHING)
            return await asyncio.to_thread(files.read_transcript, path)

    # The work ---------------------------------------------------------------------------------------------------------

    def _on_rendered(self, event: RecordingRendered) -> None:
        """A recording is finished, or was made anew without somebody: then what there is of the others is put together."""
        record = self._archive.find(event.recording_id)
        if record is not None and self._transcriber is not None and record.id not in self._progress:
            self._begin(record.id, asked=self._section.transcripts.auto)

    def _begin(self, recording_id: str, *, asked: bool) -> None:
        before = self._working.get(recording_id)  # two must not write the same files
        if asked:
            self._progress[recording_id] = TranscriptProgress()
        task = self._working[recording_id] = self._tasks.start(self._work(recording_id, before, asked=asked))
        task.add_done_callback(lambda done: self._over(recording_id, done))

    def _over(self, recording_id: str, task: asyncio.Task[None]) -> None:
        if self._working.get(recording_id) is task:
            del self._working[recording_id]

    async def _resume(self) -> None:
        """Go on with what was wanted before, and bring into the database what it does not know of."""
        for record in await asyncio.to_thread(self._unfinished):
            if self._transcriber is not None and record.id not in self._progress:
                _log.info("the transcript of recording %s was not finished; going on with it", record.id)
                self.request(record)
        await self._index.complete()

    def _unfinished(self) -> list[RecordingRecord]:
        records = [each for each in self._archive.everywhere() if each.state == "finished"]
        return [record for record in records if (self._archive.folder(record) / files.MARK).exists()]

    async def _work(self, recording_id: str, before: asyncio.Task[None] | None, *, asked: bool) -> None:
        """Make one recording's transcript; whoever changes the recording meanwhile ends it, and it begins again after."""
        try:
            if before is not None:
                await asyncio.wait({before})
            for settled in self.before:
                await settled(recording_id)
            while True:
                record = self._archive.find(recording_id)
                if record is None or record.state != "finished":
                    return  # it is rendered anew: that is told again
                try:
                    ticket = self._archive.locks.ticket([recording_id])
                except RecordingError:
                    await asyncio.sleep(BUSY_S)
                    continue
                await self._once(record, ticket, asked)
                return
        except asyncio.CancelledError:
            raise
        except ParleyError as error:
            self._note_problem(recording_id, error)
        except Exception:  # noqa: BLE001 - whatever it was: people are told there is none, the log has the cause
            self._problems[recording_id] = "The transcript could not be made; the log has the cause."
            _log.exception("recording %s: its transcript could not be made", recording_id)
        finally:
            if asked:
                self._progress.pop(recording_id, None)

    def _note_problem(self, recording_id: str, error: ParleyError) -> None:
        """What is wrong with the recogniser is wrong for every recording: the log has it once."""
        if not isinstance(error, RecordingError):
            self._problems[recording_id] = error.sentence
        if error.sentence not in self._logged:
            self._logged.add(error.sentence)
            _log.warning("no transcript of recording %s: %s", recording_id, error.sentence, exc_info=error)

    async def _once(self, record: RecordingRecord, ticket: Ticket, asked: bool) -> None:
        folder = self._archive.folder(record)
        wanted = asked or await asyncio.to_thread((folder / files.MARK).exists)
        work = asyncio.ensure_future(self._make(record, ticket, folder, wanted))
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._archive.locks.watched(ticket, lambda: _cancel(work)))
            stack.callback(work.cancel)
            try:
                await work
            except asyncio.CancelledError:
                if self._archive.locks.holds(ticket):
                    raise  # the process ends
                _log.info("recording %s is changed; its transcript waits", record.id)
                self._tasks.after(BUSY_S, lambda: self._again(record.id), f"again {record.id}")

    async def _again(self, recording_id: str) -> None:
        await self.wait(recording_id)
        record = self._archive.find(recording_id)
        if record is not None and record.state == "finished" and recording_id not in self._progress:
            self._begin(recording_id, asked=True)

    async def _make(self, record: RecordingRecord, ticket: Ticket, folder: Path, wanted: bool) -> None:
        if wanted:
            await self._recognise(record, ticket, folder)
        async with self._archive.locks.sending(ticket):
            whole = await asyncio.to_thread(files.assemble, folder)
            await asyncio.to_thread(files.mark, folder, wanted=False)
        self._problems.pop(record.id, None)
        if whole is not None:
            self._finished.add(record.id)
            self._hub.publish(RecordingTranscribed(record.guild_id, record.id, record.channel_id, str(folder)))
            for told in self.after:
                told(record, whole)

    async def _recognise(self, record: RecordingRecord, ticket: Ticket, folder: Path) -> None:
        """Make everybody's own transcript, as far as it is not there."""
        metadata = await self._archive.details(record.id)
        people = [each for each in metadata.people if not each.bot]
        tracks = [(each, track) for each in people if (track := track_of(folder, metadata, each)) is not None]
        if not tracks:
            return
        async with self._archive.locks.sending(ticket):
            await asyncio.to_thread(files.mark, folder, wanted=True)
        progress = self._progress.get(record.id) or TranscriptProgress()
        progress.wanted_s = sum(seconds_of(track) for _, track in tracks)
        outcomes = await asyncio.gather(
            *(self._person(record, ticket, folder, *each, progress) for each in tracks), return_exceptions=True
        )
        for outcome in outcomes:  # only when all are over: what could be understood of the others is kept
            if isinstance(outcome, BaseException):
                raise outcome

    async def _person(
        self,
        record: RecordingRecord,
        ticket: Ticket,
        folder: Path,
        person: RecordedPerson,
        track: TrackSound,
        progress: TranscriptProgress,
    ) -> None:
        """Make one person's transcript, or leave that which is there."""
        user_id = track.user_id

        async def keep(part: Transcript) -> None:
            async with self._archive.locks.sending(ticket):
                await asyncio.to_thread(files.keep, folder, person.id, part)

        def allowed() -> bool:
            return self._consent.allows("heard", record.guild_id, user_id)

        def progressed(done_s: float) -> None:
            progress.done_s[user_id] = done_s

        async with self._turns:
            begun = await asyncio.to_thread(files.load, folder, person, record.id, self.settings)
            if begun is not None and begun.state == "finished":
                progressed(seconds_of(track))
                return
            start = begun if begun is not None and begun.state == "partial" else Transcript(recording=record.id)
            configured = None if self._section.language == "auto" else self._section.language
            language = self._language(user_id) or configured
            job = TrackTranscription(self._required(), self.settings, allowed, keep, progressed, language)
            try:
                found = await self._told_apart(await job.run(track, start), track)
            except NotAllowed:
                _log.info("recording %s: somebody does not want to be heard", record.id)
                return
        async with self._archive.locks.sending(ticket):
            await asyncio.to_thread(files.finish, folder, person, found)
            await self._index.take(record, person, found)

    async def _told_apart(self, found: Transcript, track: TrackSound) -> Transcript:
        """Several people behind one microphone, where the configuration says so; without the model it stays one."""
        if track.user_id not in self._section.shared or not found.segments:
            return found
        try:
            return await self.voices.tell_apart(found, track.path)
        except HearingError as error:
            if error.sentence not in self._logged:
                self._logged.add(error.sentence)
                _log.warning("voices are not told apart: %s", error.sentence, exc_info=error.__cause__)
            return found

    def _required(self) -> Transcriber:
        if self._transcriber is None:
            raise HearingError(OFF)
        return self._transcriber


def _cancel(work: asyncio.Future[None]) -> None:
    work.cancel()


def track_of(folder: Path, metadata: Metadata, person: RecordedPerson) -> TrackSound | None:
    """A person's finished track, and where sound is on it; None if there is none."""
    path = None if person.track is None else file_in(folder, person.track)
    if path is None:
        return None
    sounds = tuple(
        (each.start_s, each.start_s + each.duration_s) for each in metadata.segments if each.user_id == person.id
    )
    return TrackSound(path, int(person.id), person.name, metadata.duration_s, sounds)

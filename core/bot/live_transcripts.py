"""What is said on a recording is written down while it runs, and found by search; the final transcript takes its place."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from core.bot import transcript_files as files
from core.bot.transcript_index import spoken_of
from core.errors import HearingError, StoreError
from core.events import RecordingStarted, RecordingStopped
from core.hearing.listener import HeardRoom
from core.hearing.transcripts.document import (
    Recogniser,
    Transcript,
    TranscriptSpeaker,
    WrittenBy,
    clean_names,
    merge,
)
from core.hearing.transcripts.splitting import said_of
from core.privacy.mentions import cleaner
from core.privacy.owners import About
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from core.clock import Clock
    from core.config.hearing import TranscriptsSection
    from core.hearing.hearing import Heard, HeardSession, Hearing
    from core.hearing.transcripts.document import Said
    from core.hub import Hub
    from core.privacy.consent import Consent
    from core.privacy.owners import Person
    from core.recording.live_recording import LiveRecording
    from core.recording.service import Recordings
    from core.store.decisions import Decision
    from core.store.recordings import RecordingRecord
    from core.store.transcripts import TranscriptsRepository
    from core.voice.service import VoiceService
    from core.voice.session import VoiceSession

_log = logging.getLogger(__name__)

WRITE_S = 1.0  # what was said is on disk and found this soon
COST = 20.0  # times as long as writing took, writing waits: an hour of words costs no more a minute than the first
SETTINGS = "live"  # no recogniser's settings: what was heard live is made anew from the track


@dataclass(slots=True)
class _Running:
    """One recording under way."""

    record: RecordingRecord
    folder: Path
    documents: dict[int, Transcript] = field(default_factory=dict[int, Transcript])
    new: dict[int, list[Said]] = field(default_factory=dict[int, "list[Said]"])  # what is not written yet
    deleted: dict[int, float] = field(default_factory=dict[int, float])  # whose words count from then on only
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    flush: asyncio.Task[None] | None = None
    pause_s: float = WRITE_S


class LiveTranscripts:
    """Follows what is heard in guilds in which a recording runs: a `DataOwner`, told of decisions as well."""

    def __init__(
        self,
        section: TranscriptsSection,
        recordings: Recordings,
        repository: TranscriptsRepository,
        *,
        hearing: Hearing,
        voice: VoiceService,
        consent: Consent,
        hub: Hub,
        clock: Clock,
        language: Callable[[int], str | None] = lambda _: None,
    ) -> None:
        """Follow from now on, as far as the configuration wants it.

        Args:
            section: `[hearing.transcripts]`.
            recordings: What is recorded.
            repository: Where what was said is searched.
            hearing: Hears.
            voice: Finds the session of a recording.
            consent: Asked whether somebody may be heard, once more before their words are kept.
            hub: Tells of recordings.
            clock: The clock.
            language: That a person speaks, if they said so.
        """
        self._language = language
        self._section = section
        self._recordings = recordings
        self._repository = repository
        self._hearing = hearing
        self._voice = voice
        self._consent = consent
        self._hub = hub
        self._clock = clock
        self._tasks = Tasks("live transcripts")
        self._running: dict[str, _Running] = {}
        self._own: dict[int, HeardSession] = {}  # by guild: where nobody else hears
        self._opening = asyncio.Lock()
        if section.live != "off":
            hearing.followers.append(self)
            hub.subscribe(RecordingStarted, self._started, owner=self)
            hub.subscribe(RecordingStopped, self._stopped, owner=self)

    async def close(self) -> None:
        """Write what is there, and follow no more."""
        self._hub.drop(self)
        if self in self._hearing.followers:
            self._hearing.followers.remove(self)
        for guild_id in list(self._own):
            await self._own.pop(guild_id).close()
        for recording_id in list(self._running):
            await self.settled(recording_id)
        await self._tasks.cancel_all()

    def document(self, recording_id: str) -> Transcript | None:
        """Everybody's words so far of a recording under way; None if there are none."""
        running = self._running.get(recording_id)
        parts = [each for each in running.documents.values() if each.segments] if running is not None else []
        return merge(recording_id, parts, WrittenBy()) if parts else None

    async def settled(self, recording_id: str) -> None:
        """Wait until what was heard of a recording that is over is written."""
        running = self._running.get(recording_id)
        if running is not None:
            await self._write(running)
            if self._recordings.live(running.record.guild_id) is None:
                self._running.pop(recording_id, None)

    # Who hears --------------------------------------------------------------------------------------------------------

    def _started(self, event: RecordingStarted) -> None:
        live = self._recordings.live(event.guild_id)
        if live is not None:
            self._follow(live)
        self.listening_changed(event.guild_id)

    def _stopped(self, event: RecordingStopped) -> None:
        self.listening_changed(event.guild_id)
        self._tasks.start(self.settled(event.recording_id))

    def listening_changed(self, guild_id: int) -> None:
        """Hear for the recording's sake where nobody else does; nothing is decoded twice."""
        if self._section.live == "always":
            self._tasks.start(self._listen(guild_id))

    async def _listen(self, guild_id: int) -> None:
        async with self._opening:
            own = self._own.get(guild_id)
            live, session = self._recordings.live(guild_id), self._voice.session(guild_id)
            others = [each for each in self._hearing.sessions if each.guild_id == guild_id and each is not own]
            wanted = live is not None and session is not None and live.session_id == session.id and not others
            if own is not None and not wanted:
                del self._own[guild_id]
                await own.close()
            elif own is None and wanted and session is not None:
                room = HeardRoom(
                    guild_id, lambda: session.channel.id, session.receiver, lambda user: self._hears(session, user)
                )
                try:
                    self._own[guild_id] = await self._hearing.listen(
                        room, lambda _: None, language=self._language, captions=True
                    )
                except HearingError as error:
                    _log.warning("nothing is written down while it is said: %s", error.sentence, exc_info=error)

    def _hears(self, session: VoiceSession, user_id: int) -> bool:
        """Whether somebody is decoded for the recording alone: people who may be heard and recorded, no bots."""
        member = session.guild.get_member(user_id)
        return member is not None and not member.bot and self._allows(session.guild.id, user_id)

    def _allows(self, guild_id: int, user_id: int) -> bool:
        return self._consent.allows("heard", guild_id, user_id) and self._recordings.consent.allows(user_id)

    # What was heard ---------------------------------------------------------------------------------------------------

    def heard(self, guild_id: int, heard: Heard) -> None:
        """Take what somebody said; on the loop, and at once."""
        live, user_id = self._recordings.live(guild_id), heard.utterance.user_id
        if not heard.final or live is None or not self._allows(guild_id, user_id):
            return
        name = next((each.name for each in live.heard() if each.user_id == user_id), None)
        if name is None:  # nothing of them is recorded
            return
        running = self._follow(live)
        if heard.utterance.started_s <= running.deleted.get(user_id, float("-inf")):
            return
        document = running.documents.get(user_id)
        if document is None:
            document = running.documents[user_id] = Transcript(recording=live.id, state="live")
            document.speakers = [TranscriptSpeaker(id=str(user_id), user_id=str(user_id), name=name)]
        text = heard.transcription
        document.recogniser = Recogniser(engine=text.engine, model=text.model, settings=SETTINGS)
        said = _said_of(heard, live)
        document.segments += said
        if said:
            document.until_s = max(document.until_s, said[-1].end_s)
            running.new.setdefault(user_id, []).extend(said)
            if running.flush is None or running.flush.done():
                running.flush = self._tasks.start(self._later(running))

    def _follow(self, live: LiveRecording) -> _Running:
        return self._running.setdefault(live.id, _Running(live.record, live.folder))

    async def _later(self, running: _Running) -> None:
        await self._clock.sleep(running.pause_s)
        await self._write(running)

    async def _write(self, running: _Running) -> None:
        """Bring what is new to the disk and into the index; a failure costs nothing but that: the track has it all."""
        async with running.writing:
            new, running.new = running.new, {}
            if not new or self._recordings.archive.find(running.record.id) is None:
                return
            began_s = time.perf_counter()
            try:
                for user_id, said in new.items():
                    document = running.documents[user_id]
                    await self._keep(running, user_id)
                    added = Transcript(recording=document.recording, speakers=document.speakers, segments=said)
                    await self._repository.add(spoken_of(running.record, added))
            except (OSError, StoreError):
                _log.exception("recording %s: what was said last is not written down yet", running.record.id)
            running.pause_s = max(WRITE_S, COST * (time.perf_counter() - began_s))

    async def _keep(self, running: _Running, user_id: int) -> None:
        copy = running.documents[user_id].model_copy(deep=True)
        await asyncio.to_thread(files.keep, running.folder, str(user_id), copy)

    # People -----------------------------------------------------------------------------------------------------------

    async def describe_person(self, person: Person) -> About:
        """Nothing beside what is searched, which others tell."""
        del person
        return About()

    async def export_person(self, person: Person) -> Mapping[str, bytes]:
        """Nothing beside what is searched, which others give."""
        del person
        return {}

    async def delete_person(self, person: Person) -> Sequence[str]:
        """Take a person out of what is being written; the words that are searched are another's to delete, after this.

        Raises:
            HearingError: Something is still on disk.
        """
        await self._take_out(person.id, cleaner(person.id, person.names))
        return []

    async def decided(self, user_id: int, decision: Decision | None) -> str:
        """Take somebody out who refuses.

        Raises:
            ParleyError: Something is still on disk.
        """
        if decision == "out":
            await self._take_out(user_id, None)
        return ""

    async def _take_out(self, user_id: int, clean: Callable[[str], str] | None) -> None:
        failed = False
        for running in list(self._running.values()):
            running.deleted[user_id] = self._clock.monotonic()
            running.documents.pop(user_id, None)
            running.new.pop(user_id, None)
            async with running.writing:  # nothing of theirs is on its way to the disk any more
                try:
                    await asyncio.to_thread(files.part_of(running.folder, str(user_id)).unlink, missing_ok=True)
                    for other, document in running.documents.items():
                        if clean is not None and clean_names(document, clean):
                            await self._keep(running, other)
                except OSError:
                    _log.exception("recording %s: somebody is still in what was heard live", running.record.id)
                    failed = True
        if failed:
            raise HearingError("From what is being written down live you could not be deleted; the log has the cause.")


def _said_of(heard: Heard, live: LiveRecording) -> list[Said]:
    """An utterance at the times of the recording's tracks; without what was said before it began, or in a pause."""
    utterance = heard.utterance
    began_s = utterance.started_s - live.recorder.started_s
    moved = heard.transcription.moved(began_s)
    after = replace(moved, segments=tuple(each for each in moved.segments if each.start_s >= 0))
    found = said_of(after, str(utterance.user_id), max(0.0, began_s), max(0.0, began_s + utterance.duration_s))
    return [each for each in found if not live.recorder.was_paused(each.start_s, each.end_s)]

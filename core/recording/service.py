"""`runtime.recordings`: start and stop recordings, look after their files, and keep people's decisions."""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from core import private
from core.errors import RecordingError
from core.events import RecordingStarted, RecordingStopped
from core.names import shown
from core.privacy.kept import FILE as KEPT
from core.privacy.owners import Person
from core.privacy.service import Privacy
from core.recording.archive import Archive
from core.recording.auto_rules import AutoRules
from core.recording.finisher import Finisher
from core.recording.folders import delete_folder, make_folder
from core.recording.limits import RecordingLimits
from core.recording.live_recording import LiveRecording
from core.recording.metadata import ConsentNote as ConsentPart
from core.recording.metadata import Metadata, Named, Software
from core.recording.people import RecordedPeople
from core.recording.recorder import Recorder
from core.recording.rights import RecordingConsent
from core.recording.session_listener import SessionListener
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable
    from pathlib import Path

    from core.clock import Clock
    from core.config.recording import RecordingSection
    from core.hub import Hub
    from core.machine.lane import Lane
    from core.privacy.service import Settled
    from core.recording.exports import Export
    from core.recording.source import RecordingSource
    from core.store.decisions import Decision
    from core.store.recordings import RecordingRecord, RecordingsRepository

_log = logging.getLogger(__name__)

ALREADY = "This server is already being recorded, in {channel}. Stop that recording first."
NOTHING = "Nothing is being recorded here."
CLOSING = "I was shut down."
FAILED = "The recording is safe, but its finished files could not be made; the log has the cause."


class Recordings:
    """All recordings of this process, live and past.

    Plain Python: packets come from any `RecordingSource`, names from any function. Events on the hub tell what happened;
    a session that breaks, comes back or ends takes its recording along by itself.
    """

    def __init__(
        self,
        section: RecordingSection,
        root: Path,
        *,
        hub: Hub,
        clock: Clock,
        workers: Lane,
        repository: RecordingsRepository,
        version: str = "",
        privacy: Privacy | None = None,
    ) -> None:
        """Nothing is read before `open`.

        Args:
            section: The configuration.
            root: Where recordings lie.
            hub: Hears what happens.
            clock: The clock.
            workers: Render.
            repository: The index.
            version: Of the software, for the metadata.
            privacy: What people decided, open already; without it, one for recordings alone, opened and closed with them.
        """
        self._own_privacy = privacy is None
        self.privacy = privacy or Privacy(repository.store, root / KEPT, clock)
        self.consent = RecordingConsent(section.consent, among=self.privacy.consent)
        self.auto = AutoRules(section)
        self.archive = Archive(root, section, workers, repository, clock, self._render_again)
        self._section = section
        self._root = root
        self._hub = hub
        self._clock = clock
        self._workers = workers
        self._repository = repository
        self._version = version
        self._tasks = Tasks("recordings")
        self.finisher = Finisher(
            section,
            root,
            hub=hub,
            clock=clock,
            workers=workers,
            archive=self.archive,
            consent=self.consent,
            tasks=self._tasks,
        )
        self._live: dict[int, LiveRecording] = {}  # by guild
        self._starting: set[int] = set()
        self._ending: dict[str, asyncio.Task[None]] = {}
        self.people = RecordedPeople(self.archive, repository, self.consent, self._live, self._settled)
        self.privacy.respect("recorded", self.people.decided)
        self.privacy.register("recordings", self.people)

    async def open(self) -> None:
        """Load the index and people's decisions, and finish what a crash or a shutdown left unfinished."""
        if self._own_privacy:
            await self.privacy.open()
        await asyncio.to_thread(private.tighten_all, self._root)
        SessionListener(self._hub, self.live, self._end, self.moved, owner=self)
        for record in await self.archive.open():
            _log.info("recording %s was not finished; doing that now", record.id)
            await self.archive.note(replace(record, state="rendering"))
            self.finisher.anew(record, again=False)
        self._tasks.start(self.archive.keep_clean(), "retention")
        self._tasks.start(self.finisher.room.keep_looking(), "room")

    async def close(self) -> None:
        """End every recording; what is not rendered by then is, after the next start."""
        self._hub.drop(self)
        for live in list(self._live.values()):
            await self._end(live, CLOSING, render=False)
        await self._tasks.cancel_all()
        if self._own_privacy:
            await self.privacy.close()

    # Live recordings --------------------------------------------------------------------------------------------------

    async def start(
        self,
        source: RecordingSource,
        *,
        started_by: Named | None = None,
        report_channel_id: int | None = None,
        automatic: bool = False,
    ) -> LiveRecording:
        """Record from now on.

        Args:
            source: What is recorded, usually a voice session.
            started_by: Who wanted it.
            report_channel_id: Where to say how it ended.
            automatic: Whether nobody asked for it.

        Raises:
            RecordingError: There is a recording in this guild, or its folder cannot be made.
        """
        guild_id = int(source.guild.id)
        running = self._live.get(guild_id)
        if running is not None or guild_id in self._starting:
            name = running.record.channel_name if running is not None else source.channel.name
            raise RecordingError(ALREADY.format(channel=shown(name)))
        self._starting.add(guild_id)
        try:
            metadata = self._new_metadata(source, started_by)
            folder = await asyncio.to_thread(
                make_folder,
                self._root,
                guild_id,
                int(source.channel.id),
                metadata.started_at,
                self._section.min_free_mb,
            )
            recorder = self._new_recorder(folder, metadata, source)
            record = await self.archive.add(metadata, folder, report_channel_id)
            live = LiveRecording(record, recorder, source, self._section, self._workers, automatic=automatic)
            live.begin()
            self._live[guild_id] = live
        finally:
            self._starting.discard(guild_id)
        self._tasks.start(live.keep_rendering(), f"render {live.id}")
        self._hub.publish(RecordingStarted(guild_id, live.id, record.channel_id, str(live.folder), record.started_by))
        _log.info("recording %s started in channel %d", live.id, record.channel_id)
        return live

    def _new_recorder(self, folder: Path, metadata: Metadata, source: RecordingSource) -> Recorder:
        loop = asyncio.get_running_loop()
        guild_id, section = int(source.guild.id), self._section

        def on_ended(reason: str) -> None:
            loop.call_soon_threadsafe(self._ended_by_itself, guild_id, reason)

        def on_heard(user_id: int, name: str) -> None:
            loop.call_soon_threadsafe(self._heard, metadata.id, user_id, name)

        return Recorder(
            folder,
            metadata,
            source,
            consent=self.consent,
            clock=self._clock,
            limits=RecordingLimits(
                section.max_length_s, round(section.max_size_mb * 1e6), round(section.min_free_mb * 1e6)
            ),
            on_ended=on_ended,
            on_heard=on_heard,
        )

    def _new_metadata(self, source: RecordingSource, started_by: Named | None) -> Metadata:
        return Metadata(
            id=secrets.token_hex(5),
            guild=source.guild,
            channel=source.channel,
            started_at=self._clock.now(),
            started_by=started_by,
            consent=ConsentPart(mode=self.consent.mode),
            software=Software(version=self._version),
        )

    def live(self, guild_id: int) -> LiveRecording | None:
        """The recording under way in a guild."""
        return self._live.get(guild_id)

    def required(self, guild_id: int) -> LiveRecording:
        """The recording under way in a guild.

        Raises:
            RecordingError: There is none.
        """
        live = self._live.get(guild_id)
        if live is None:
            raise RecordingError(NOTHING)
        return live

    async def stop(self, guild_id: int, reason: str, by: Named | None = None) -> RecordingRecord:
        """End a guild's recording; what has come is on disk then, and its files are finished in the background.

        Raises:
            RecordingError: Nothing is being recorded there.
        """
        live = self.required(guild_id)
        await self._end(live, reason, by=by)
        return live.record

    async def discard(self, guild_id: int, reason: str) -> None:
        """End a guild's recording and delete what it has.

        Raises:
            RecordingError: Nothing is being recorded there.
            OSError: It cannot be deleted.
        """
        live = self.required(guild_id)
        await self._end(live, reason, render=False)
        await self._settled(live.id)  # somebody else may have ended it at the same moment, to keep it
        await asyncio.to_thread(delete_folder, live.folder, self._root)
        await self.archive.forget(live.id)

    async def rendered(self, recording_id: str) -> Metadata:
        """Wait until a recording's files are finished.

        Raises:
            RecordingError: They could not be made.
        """
        await self._settled(recording_id)
        outcome = self.finisher.outcome(recording_id)
        if outcome is not None:
            return outcome
        record = self.archive.record(recording_id)
        if record.state != "finished":
            raise RecordingError(FAILED)
        return await self.archive.details(recording_id)

    # People -----------------------------------------------------------------------------------------------------------

    async def decide(self, user_id: int, decision: Decision | None) -> Settled:
        """Keep a person's decision about being recorded.

        A refusal holds from the next packet on, and what the recordings under way have of the person is deleted.
        """
        return await self.privacy.decide(user_id, decision, ("recorded",))

    async def count_of(self, user_id: int) -> int:
        """On how many recordings a person is, running ones included."""
        return await self.people.count(user_id)

    async def delete_person(self, user_id: int, names: Iterable[str] = ()) -> int:
        """Delete everything recorded of a person: journals, tracks, their part of mixes, and metadata.

        Recordings under way lose what they have; whether they go on hearing the person, `decide` says. What others keep
        of the person goes with `privacy.delete_person`.

        Returns:
            From how many recordings something was deleted.

        Raises:
            RecordingError: Some recordings could not be changed; all others were.
            StoreError: The index could not be changed; all files were.
        """
        return await self.people.delete(Person(user_id, frozenset(names), self._clock.now()))

    @asynccontextmanager
    async def exported_person(self, user_id: int) -> AsyncGenerator[Export]:
        """Everything kept of a person as one archive, there within the `async with`.

        Raises:
            RecordingError: Nothing is kept of them, or it changed meanwhile.
        """
        extra = await self.privacy.export_person(user_id)
        folders = await self.people.folders(user_id)
        running = {live.folder for live in self._live.values()}
        records = [await self.archive.adopt(folder) for folder in folders if folder not in running]
        for record in records:
            await self._settled(record.id)
        async with self.archive.export_person(user_id, records, extra) as export:
            yield export

    async def export_person(self, user_id: int) -> tuple[Path, int]:
        """The same as a file that is kept until tomorrow, or until something of it changes; and of how many recordings.

        Raises:
            RecordingError: As above.
        """
        async with self.exported_person(user_id) as export:
            self.archive.exports.keep(export)
        return export.path, export.count

    # Within -----------------------------------------------------------------------------------------------------------

    async def _end(self, live: LiveRecording, reason: str, *, render: bool = True, by: Named | None = None) -> None:
        """End a recording once, whoever asks and however often; returns when its journals are closed."""
        running = self._ending.get(live.id)
        if running is None and self._live.get(live.record.guild_id) is live:
            running = self._ending[live.id] = self._tasks.start(self._end_once(live, reason, render, by))
            running.add_done_callback(lambda _: self._ending.pop(live.id, None))
        if running is not None:
            await asyncio.shield(running)

    async def _end_once(self, live: LiveRecording, reason: str, render: bool, by: Named | None) -> None:
        await live.end(reason, by)
        record = replace(live.record, state="rendering", duration_s=live.duration_s)
        live.record = record
        names = {heard.user_id: heard.name for heard in live.heard()}
        self._live.pop(record.guild_id, None)
        await self.archive.note(record, names)
        reason = live.recorder.reason or reason
        self._hub.publish(RecordingStopped(record.guild_id, record.id, record.channel_id, str(live.folder), reason))
        _log.info("recording %s ended: %s", record.id, reason if by is None else "by hand")  # no names in the log
        if render:
            self.finisher.later(record, live.rendering)

    async def moved(self, live: LiveRecording, channel_id: int) -> None:
        """Take note that a recording goes on in another channel: rights are asked in that one as well from now on."""
        live.moved(channel_id)
        await self.archive.moved(live.record, channel_id)

    def _heard(self, recording_id: str, user_id: int, name: str) -> None:
        self._tasks.start(self.archive.heard(recording_id, user_id, name))

    def _ended_by_itself(self, guild_id: int, reason: str) -> None:
        live = self._live.get(guild_id)
        if live is not None:
            self._tasks.start(self._end(live, reason))

    async def _render_again(self, record: RecordingRecord) -> None:
        self.finisher.anew(record, again=True)
        await self._settled(record.id)

    async def _settled(self, recording_id: str) -> None:
        """Wait until nothing is being done to a recording."""
        task = self._ending.get(recording_id)
        if task is not None:
            await asyncio.wait({task})
        await self.finisher.settled(recording_id)

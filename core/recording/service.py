"""`runtime.recordings`: start and stop recordings, look after their files, and keep people's decisions."""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from core import private
from core.errors import RecordingError
from core.events import RecordingRendered, RecordingStarted, RecordingStopped
from core.privacy.kept import FILE as KEPT
from core.privacy.owners import Person
from core.privacy.service import Privacy
from core.recording.archive import Archive
from core.recording.auto_rules import AutoRules
from core.recording.events import RecordingFailed
from core.recording.finishing import clear_rendered, drop_refused, finish, give_up, new_rendering
from core.recording.folders import delete_folder, make_folder
from core.recording.live_recording import LiveRecording
from core.recording.metadata import ConsentNote as ConsentPart
from core.recording.metadata import Encryption, Metadata, Named, Software
from core.recording.people import RecordedPeople
from core.recording.recorder import Recorder, RecordingLimits
from core.recording.rights import RecordingConsent
from core.recording.room import Room, is_full
from core.recording.session_listener import SessionListener
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from core.clock import Clock
    from core.config.recording import RecordingSection
    from core.hub import Hub
    from core.machine.lane import Lane
    from core.privacy.service import Settled
    from core.recording.exports import Export
    from core.recording.live_recording import FrameSource
    from core.recording.rendering import Rendering
    from core.recording.unheard import UnheardSpan
    from core.store.decisions import Decision
    from core.store.recordings import RecordingRecord, RecordingsRepository

_log = logging.getLogger(__name__)

ALREADY = "This server is already being recorded, in {channel}. Stop that recording first."
NOTHING = "Nothing is being recorded here."
CLOSING = "I was shut down."
FAILED = "The recording is safe, but its finished files could not be made; the log has the cause."


class Recordings:
    """All recordings of this process, live and past.

    Plain Python: packets come from any `FrameSource`, names from any function. Events on the hub tell what happened;
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
        self.panels: dict[str, tuple[int, int]] = {}  # channel and message that show a recording, kept through reloads
        self.announced: dict[int, int] = {}  # by guild: the voice channel that was told and is marked, kept likewise
        self.archive = Archive(root, section, workers, repository, clock, self._render_again)
        self.room = Room(root, section.min_free_mb, clock, self._try_again)
        self._section = section
        self._root = root
        self._hub = hub
        self._clock = clock
        self._workers = workers
        self._repository = repository
        self._version = version
        self._tasks = Tasks("recordings")
        self._live: dict[int, LiveRecording] = {}  # by guild
        self._starting: set[int] = set()
        self._rendering: dict[str, Rendering] = {}
        self._ending: dict[str, asyncio.Task[None]] = {}
        self._finishing: dict[str, asyncio.Task[None]] = {}
        self._outcomes: dict[str, Metadata] = {}
        self._unreported: dict[str, tuple[RecordingRecord, Metadata | None]] = {}
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
            self._finish_anew(record, again=False)
        self._tasks.start(self.archive.keep_clean(), "retention")
        self._tasks.start(self.room.keep_looking(), "room")

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
        source: FrameSource,
        *,
        guild: Named,
        channel: Named,
        name_of: Callable[[int], str],
        started_by: Named | None = None,
        session_id: str | None = None,
        report_channel_id: int | None = None,
        own_voice: tuple[int, FrameSource] | None = None,
        encryption: Callable[[], Encryption | None] = lambda: None,
        missed: Callable[[], Mapping[int, Sequence[UnheardSpan]]] = dict,
        undecryptable: Callable[[], Mapping[int, Mapping[str, int]]] = dict,
        automatic: bool = False,
        channel_name: Callable[[int], str] = str,
    ) -> LiveRecording:
        """Record from now on.

        Args:
            source: Where packets come from, usually the session's receiver.
            guild: The server, by id and name.
            channel: The voice channel.
            name_of: A person's name by user id; asked on the recorder's thread, once a person.
            started_by: Who wanted it.
            session_id: The voice session whose end ends the recording.
            report_channel_id: Where to say how it ended.
            own_voice: The bot's own user id, and where what it says comes from; left out if the configuration wants that.
            encryption: How packets come at the moment; None while that is not known.
            undecryptable: Frames that could not be decrypted, by user id and cause.
            missed: When that was, by user id.
            automatic: Whether nobody asked for it.
            channel_name: A voice channel's name by id, for when the session is moved.

        Raises:
            RecordingError: There is a recording in this guild, or its folder cannot be made.
        """
        guild_id = int(guild.id)
        running = self._live.get(guild_id)
        if running is not None or guild_id in self._starting:
            name = running.record.channel_name if running is not None else channel.name
            raise RecordingError(ALREADY.format(channel=name))
        self._starting.add(guild_id)
        loop = asyncio.get_running_loop()

        def on_ended(reason: str) -> None:
            loop.call_soon_threadsafe(self._ended_by_itself, guild_id, reason)

        def on_heard(user_id: int, name: str) -> None:
            loop.call_soon_threadsafe(self._heard, metadata.id, user_id, name)

        try:
            metadata = self._new_metadata(guild, channel, started_by)
            folder = await asyncio.to_thread(
                make_folder, self._root, guild_id, int(channel.id), metadata.started_at, self._section.min_free_mb
            )
            sources = [source]
            if own_voice is not None and self._section.own_voice:
                sources.append(own_voice[1])
            recorder = Recorder(
                folder,
                metadata,
                consent=self.consent,
                clock=self._clock,
                name_of=name_of,
                limits=self._limits,
                on_ended=on_ended,
                own_id=None if own_voice is None else own_voice[0],
                undecryptable=undecryptable,
                missed=missed,
                encryption=encryption,
                on_heard=on_heard,
            )
            record = await self.archive.add(metadata, folder, report_channel_id)
            live = LiveRecording(
                record, recorder, sources, self._section, self._workers, session_id, automatic, channel_name
            )
            live.begin()
            self._live[guild_id] = live
        finally:
            self._starting.discard(guild_id)
        self._tasks.start(live.keep_rendering(), f"render {live.id}")
        self._hub.publish(RecordingStarted(guild_id, live.id, record.channel_id, str(live.folder), record.started_by))
        _log.info("recording %s started in channel %d", live.id, record.channel_id)
        return live

    def _new_metadata(self, guild: Named, channel: Named, started_by: Named | None) -> Metadata:
        return Metadata(
            id=secrets.token_hex(5),
            guild=guild,
            channel=channel,
            started_at=self._clock.now(),
            started_by=started_by,
            consent=ConsentPart(mode=self.consent.mode),
            software=Software(version=self._version),
        )

    @property
    def _limits(self) -> RecordingLimits:
        section = self._section
        return RecordingLimits(section.max_length_s, round(section.max_size_mb * 1e6), round(section.min_free_mb * 1e6))

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
        await self.archive.forget(live.id)
        await asyncio.to_thread(delete_folder, live.folder, self._root)

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

    async def rendered(self, recording_id: str) -> Metadata:
        """Wait until a recording's files are finished.

        Raises:
            RecordingError: They could not be made.
        """
        await self._settled(recording_id)
        outcome = self._outcomes.get(recording_id)
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
            self._finish_later(record, live.rendering)

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

    def _finish_anew(self, record: RecordingRecord, *, again: bool) -> None:
        """Finish from the journals alone: after a crash, or again, after something was taken out."""
        self._outcomes.pop(record.id, None)
        folder = self.archive.folder(record)
        self._finish_later(record, new_rendering(folder, self._section, self._workers), again=again)

    def _finish_later(self, record: RecordingRecord, rendering: Rendering, *, again: bool = False) -> None:
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
                await self.archive.forget(record.id)
            else:
                moved_to = tuple({*record.moved_to, *metadata.moved_ids})  # after a crash either may know more
                done = replace(record, state="finished", duration_s=metadata.duration_s, moved_to=moved_to)
                await self.archive.note(done, people)
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
            self._unreported[record.id] = (self.archive.find(record.id) or record, metadata)
        while len(self._outcomes) > 100:
            del self._outcomes[next(iter(self._outcomes))]
        self._hub.publish(RecordingRendered(record.guild_id, record.id, record.channel_id, str(rendering.folder)))

    async def _drop_refused(self, record: RecordingRecord, rendering: Rendering, *, again: bool) -> None:
        """Ask once more who refused, before anything is made of a recording: it may not have been possible till now.

        Who is on one that was finished already, and refused after its end, stays on it until they want to be deleted.
        """
        end = record.started_at + timedelta(seconds=record.duration_s or 0)
        dropped = await asyncio.to_thread(
            drop_refused, rendering.folder, lambda user_id: self.consent.refused(user_id, end if again else None)
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
        await self.archive.note(replace(record, state="failed"), people)

    def _try_again(self, recording_id: str) -> None:
        record = self.archive.find(recording_id)
        if record is not None and record.state == "failed":
            self._finish_anew(record, again=False)

    async def _render_again(self, record: RecordingRecord) -> None:
        self._finish_anew(record, again=True)
        await self._settled(record.id)

    async def _settled(self, recording_id: str) -> None:
        """Wait until nothing is being done to a recording."""
        for tasks in (self._ending, self._finishing):
            task = tasks.get(recording_id)
            if task is not None:
                await asyncio.wait({task})

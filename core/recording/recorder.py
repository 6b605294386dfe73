"""One live recording: takes packets from the receive thread, and a thread of its own brings them to disk."""

from __future__ import annotations

import errno
import logging
import shutil
import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from core.audio.frames import OPUS_SILENCE, RATE_HZ
from core.audio.packet_timeline import HOLD_S
from core.privacy.mentions import cleaner
from core.recording.called import Called
from core.recording.gap_tracker import DEAFENED, ENCRYPTED, SILENCED, UNENCRYPTED, GapTracker
from core.recording.metadata import Encryption, Named, Note, write_metadata
from core.recording.participant import Participant
from core.recording.privacy import strip
from core.recording.unheard import Unheard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from core.audio.frames import OpusFrame
    from core.clock import Clock
    from core.recording.gap_tracker import Kind
    from core.recording.journal import JournalWriter
    from core.recording.metadata import Gap, Metadata
    from core.recording.rights import RecordingConsent
    from core.recording.unheard import UnheardSpan

_log = logging.getLogger(__name__)

TURN_S = 0.25  # how often packets go into files: a killed process loses little more than this
SYNC_S = 0.75  # how often files go onto the disk: a power cut loses this much more
_SCATTER_S = 2.5  # what waited for a key or a name comes 2 s after it arrived
METADATA_S = 5.0
LIMITS_S = 2.0
QUEUE_LIMIT = 200_000  # packets that wait while a disk hangs: ten minutes of six people

DISK_FULL = "The disk is full. What was recorded until then is safe."
DISK_LOW = "The disk is nearly full, so I stopped in time. What was recorded until then is safe."
DISK_GONE = "The recording's folder can no longer be written. What was recorded until then is safe."
LONGEST = "The recording reached the longest time I am set to record."
LARGEST = "The recording reached the largest size I am set to record."
ELSEWHERE = "The recording goes on in “{channel}”."
FAILED = "The recording failed on my side. What was recorded until then is safe."
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class RecordingLimits:
    """When a recording ends by itself; 0 is never."""

    length_s: float = 0
    bytes: int = 0
    free_bytes: int = 0


@dataclass(frozen=True, slots=True)
class TrackCounts:
    """One person of a live recording."""

    user_id: int
    name: str
    sound_s: float  # how much was received of them, without silence
    last_s: float  # when they were last heard, on the clock
    lost: int
    fault: str | None = None  # why nothing more is written of them


class Recorder:
    """Writes one recording: a journal a person, and `metadata.json`.

    `write` may be called from any thread, does a few set and queue operations, and never waits. Everything that
    touches the disk happens on the recorder's own thread, in `turn`. When a limit is reached or the disk fails, the
    recording ends by itself with what it has, and `on_ended` is called once from that thread with a sentence.
    """

    def __init__(
        self,
        folder: Path,
        metadata: Metadata,
        *,
        consent: RecordingConsent,
        clock: Clock,
        name_of: Callable[[int], str],
        limits: RecordingLimits | None = None,
        on_ended: Callable[[str], None] | None = None,
        own_id: int | None = None,
        undecryptable: Callable[[], Mapping[int, Mapping[str, int]]] = dict,
        missed: Callable[[], Mapping[int, Sequence[UnheardSpan]]] = dict,
        encryption: Callable[[], Encryption | None] = lambda: None,
        open_file: Callable[[Path], BinaryIO] | None = None,
        on_heard: Callable[[int, str], None] = lambda user_id, name: None,
    ) -> None:
        """Begin now, in a folder that exists; nothing is written before `start`.

        Args:
            folder: Where the files go.
            metadata: What is known of the recording at its start; belongs to the recorder from now on.
            consent: Who may be recorded; asked for every packet.
            clock: The clock of the packets' arrival.
            name_of: A person's name by user id, or the id if nobody knows; asked with their first packet, on its thread.
            limits: When to end.
            on_ended: Told why, when the recording ends by itself.
            own_id: The bot's own user id; nobody is asked whether its voice may be recorded.
            undecryptable: Frames that could not be decrypted, by user id and cause.
            missed: When that was, by user id.
            encryption: How packets come at the moment; None while that is not known.
            open_file: Opens a journal; for tests of failing disks.
            on_heard: Told of each person, by id and name, right before anything of them is written.
        """
        self.folder = folder
        self.started_s = clock.monotonic()
        metadata.started_at = clock.now()  # the same moment: positions count from it
        self.withheld = 0  # packets of people who may not be recorded
        self.overflowed = 0  # packets dropped because the disk hung for minutes
        self.reason: str | None = None  # why it ended, once it did
        self.done = _promise()
        self._metadata = metadata
        self._consent = consent
        self._clock = clock
        self._limits = limits or RecordingLimits()
        self._on_ended = on_ended
        self._own_id = own_id
        self._unheard = Unheard(undecryptable, missed)
        self._encryption = encryption
        self._open_file = open_file
        self._on_heard = on_heard
        self._queue: deque[OpusFrame] = deque()
        self._commands: deque[Callable[[], None]] = deque()
        self._people: dict[int, Participant] = {}
        self._called = Called(name_of)
        self._gaps = GapTracker(self._gap_closed)
        self._closed_gaps: list[Gap] = []
        self._ended_by: Named | None = None
        self._finished = False
        self._finishing = threading.Lock()
        self._paused = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"recorder {metadata.id}", daemon=True)
        self._synced_s = self._limits_s = self._metadata_s = self.started_s
        self._dirty = True
        self._complete_s = 0.0

    # From any thread --------------------------------------------------------------------------------------------------

    def write(self, frame: OpusFrame) -> None:
        """Take a packet; returns at once."""
        if self._paused:
            return
        if not self._may_write(frame.user_id):
            self.withheld += 1
            return
        if frame.said_for:
            frame = self._without_refused(frame)
        if len(self._queue) >= QUEUE_LIMIT:
            self.overflowed += 1
            return
        self._called.meet(frame.user_id)
        self._queue.append(frame)

    def introduce(self, user_id: int, name: str) -> None:
        """Say what somebody is called who may be heard: they may be gone, and nobody know them, when they are."""
        self._called.introduce(user_id, name)

    def start(self) -> None:
        """Let the thread begin."""
        self._thread.start()

    @property
    def paused(self) -> bool:
        """Whether packets are let go by."""
        return self._paused

    @property
    def duration_s(self) -> float:
        """How long it has run, pauses included."""
        return self._metadata.duration_s if self.done.done() else self._clock.monotonic() - self.started_s

    @property
    def complete_s(self) -> float:
        """Up to here, in seconds since the start, journals are complete: nothing will come before it any more."""
        return self._complete_s

    def journals(self) -> dict[int, str]:
        """File names of the journals, by user id."""
        people = list(self._people.values())
        return {person.user_id: person.journal.path.name for person in people if person.journal is not None}

    @property
    def bytes(self) -> int:
        """Size of the journals so far."""
        return sum(person.bytes for person in list(self._people.values()))

    def heard(self) -> list[TrackCounts]:
        """Everybody recorded so far."""
        return [
            TrackCounts(
                person.user_id,
                person.name,
                person.sound_samples / RATE_HZ,
                person.last_s,
                person.counts.lost,
                person.fault,
            )
            for person in list(self._people.values())
            if person.journal is not None or person.fault is not None
        ]

    def pause(self, reason: str = "Paused.", by: Named | None = None) -> None:
        """Let packets go by; time runs on, so tracks are silent meanwhile."""
        if not self._paused:
            self._paused = True
            self._gap_started(reason, "pause", by)

    def resume(self) -> None:
        """Take packets again."""
        if self._paused:
            self._gap_ended("pause")
            self._paused = False

    def gap_started(self, reason: str) -> None:
        """The connection is away."""
        self._gap_started(reason, "away")

    def gap_ended(self) -> None:
        """The connection is back."""
        self._gap_ended("away")

    def impaired(self, *, deafened: bool, silenced: bool) -> None:
        """Whether the server keeps the bot from hearing, or from being heard; a repetition changes nothing."""
        kinds: tuple[tuple[bool, str, Kind], ...] = (
            (deafened, DEAFENED, "deafened"),
            (silenced, SILENCED, "silenced"),
        )
        for on, reason, kind in kinds:
            if on:
                self._gap_started(reason, kind)
            else:
                self._gap_ended(kind)

    def encryption_changed(self, *, off: bool, at_s: float) -> None:
        """End-to-end encryption went off or came back, at `at_s` on the clock."""
        self.note(UNENCRYPTED if off else ENCRYPTED, at_s=max(0.0, at_s - self.started_s))
        if off:
            self._command(self._weaken)

    def _weaken(self) -> None:
        encryption = self._metadata.encryption
        self._metadata.encryption = encryption.weakest(Encryption(transport=encryption.transport))

    def note(self, text: str, by: Named | None = None, at_s: float | None = None) -> Note:
        """Mark this moment, or one at `at_s` seconds since the start."""
        now_s = self._clock.monotonic() - self.started_s
        note = Note(at_s=round(now_s if at_s is None else at_s, 3), at=self._clock.now(), text=text, by=by)
        self._command(lambda: self._metadata.notes.append(note))
        return note

    def moved(self, channel: Named) -> None:
        """Say that what comes from now on is of another channel."""

        def move() -> None:
            channels = (self._metadata.channel, *self._metadata.moved_to)
            if all(known.id != channel.id for known in channels):
                self._metadata.moved_to.append(channel)

        self._command(move)
        self.note(ELSEWHERE.format(channel=channel.name))

    def forget(self, user_id: int) -> Future[None]:
        """Delete what was written of a person; done when the future is. Whether more comes, consent decides."""
        done = _promise()

        def forget() -> None:
            try:
                self._called.forget(user_id)
                person = self._people.pop(user_id, None)
                if person is not None:
                    person.discard()
                self._unheard.forget(user_id, self._clock.monotonic())
                self._write_metadata()
            except OSError as error:
                done.set_exception(error)  # it may still be there: who asked must not believe it gone
                raise
            done.set_result(None)

        self._command(forget)
        return done

    def strip(self, user_id: int, names: Iterable[str]) -> Future[bool]:
        """Take what a person did and wrote out of the metadata; whether there was something."""
        done: Future[bool] = Future()
        done.set_running_or_notify_cancel()

        def take() -> None:
            self._gather_gaps()
            before = self._metadata.model_dump_json()
            self._unheard.forget(user_id, self._clock.monotonic())
            strip(self._metadata, user_id, names)
            self._gaps.forget(user_id, cleaner(user_id, names))
            found = self._metadata.model_dump_json() != before
            try:
                if found:
                    self._write_metadata()
            except OSError as error:
                done.set_exception(error)
                raise
            done.set_result(found)

        self._command(take)
        return done

    def refused(self) -> None:
        """Somebody who was on this recording refused; the metadata counts them, without their name."""

        def count() -> None:
            self._metadata.consent.refused += 1

        self._command(count)

    def stop(self, reason: str, by: Named | None = None) -> Future[None]:
        """End; what has arrived is on disk when the future is done. A second call changes nothing."""
        if self.reason is None:
            self.reason = reason
            self._ended_by = by
        self._closing.set()
        if not self._thread.is_alive() and not self.done.done():
            self._finish()  # never started: tests and tools that call `turn` themselves
        return self.done

    # On the recorder's thread -----------------------------------------------------------------------------------------

    def turn(self, now_s: float) -> None:
        """Bring to the files what has arrived and whose place is certain by `now_s`.

        Raises:
            OSError: The disk is full or gone.
        """
        self._run_commands()
        for _ in range(len(self._queue)):
            self._take(self._queue.popleft())
        sync = now_s - self._synced_s >= SYNC_S
        for person in self._people.values():
            person.attempt(lambda person=person: person.journal_up_to(now_s, self._open))
            person.attempt(lambda person=person: person.flush(sync))
        self._complete_s = max(0.0, now_s - self.started_s - HOLD_S - _SCATTER_S)
        if sync:
            self._synced_s = now_s
        if self._dirty or now_s - self._metadata_s >= METADATA_S:
            self._attempt("its metadata waits", self._write_metadata)  # a disk that is full fails on the journals too
            self._metadata_s = now_s
        if now_s - self._limits_s >= LIMITS_S:
            self._limits_s = now_s
            reached = self._limit_reached(now_s)
            if reached is not None:
                self._end_by_itself(reached)

    def _run(self) -> None:
        try:
            while not self._closing.wait(TURN_S):
                self.turn(self._clock.monotonic())
        except OSError as error:
            _log.error("recording %s stops: %s", self._metadata.id, error)
            self._end_by_itself(DISK_FULL if error.errno in _FULL else DISK_GONE)
        except Exception:  # noqa: BLE001 - a fault of ours must not cost what is recorded: it is closed and kept
            _log.exception("recording %s stops", self._metadata.id)
            self._end_by_itself(FAILED)
        finally:
            self._finish()

    def _finish(self) -> None:
        """Bring everything to disk that will go there; each step runs even if one before failed."""
        now_s = self._clock.monotonic()
        self._paused = True
        self._attempt("the last packets were lost", lambda: self.turn(now_s))
        for person in self._people.values():
            self._attempt(
                "the end of a track was lost",
                lambda person=person: person.attempt(lambda: person.close(self._open)),
            )
        self._gaps.end_all(now_s - self.started_s)
        self._metadata.state = "rendering"
        self._metadata.ended_at = self._clock.now()
        self._metadata.duration_s = round(now_s - self.started_s, 3)
        self._metadata.reason, self._metadata.ended_by = self.reason, self._ended_by
        with self._finishing:
            self._finished = True
            self._attempt("the last changes were lost", self._run_commands)  # that came while files were closed
        self._attempt("its metadata could not be written", self._write_metadata)
        self.done.set_result(None)

    def _attempt(self, what_otherwise: str, step: Callable[[], object]) -> None:
        try:
            step()
        except OSError as error:
            _log.error("recording %s: %s: %s", self._metadata.id, what_otherwise, error)
        except Exception:  # noqa: BLE001 - a fault of ours must not keep the other steps from saving what they can
            _log.exception("recording %s: %s", self._metadata.id, what_otherwise)

    def _run_commands(self) -> None:
        while self._commands:
            self._commands.popleft()()

    def _take(self, frame: OpusFrame) -> None:
        user_id = frame.user_id
        if not self._may_write(user_id):  # refused while the packet waited
            self.withheld += 1
            return
        if frame.said_for:  # asked again: the packet waited
            frame = self._without_refused(frame)
        person = self._person(user_id)
        person.attempt(lambda: person.push(frame))
        if self._gaps and not person.bot:
            self._gaps.heard(frame.arrival_s - self.started_s)

    def _person(self, user_id: int) -> Participant:
        person = self._people.get(user_id)
        if person is None:
            name, bot = self._called.meet(user_id), user_id == self._own_id
            person = Participant(user_id, name, self._clock.now(), self.started_s, bot=bot)
            self._people[user_id] = person
        return person

    def _without_refused(self, frame: OpusFrame) -> OpusFrame:
        """Silence in the place of what the bot says for somebody who may not be recorded."""
        if all(self._consent.allows(user_id) for user_id in frame.said_for):
            return frame
        self.withheld += 1
        return frame._replace(payload=OPUS_SILENCE, said_for=())

    def _may_write(self, user_id: int) -> bool:
        return user_id == self._own_id or self._consent.allows(user_id)

    def _open(self, person: Participant) -> JournalWriter:
        self._dirty = True
        self._attempt("the index hears nothing", lambda: self._on_heard(person.user_id, person.name))
        album = f"{self._metadata.channel.name} {self._metadata.started_at:%Y-%m-%d %H:%M}"
        return person.open_journal(self.folder, album, self._open_file)

    def _limit_reached(self, now_s: float) -> str | None:
        limits = self._limits
        if limits.length_s and now_s - self.started_s >= limits.length_s:
            return LONGEST
        if limits.bytes and self.bytes >= limits.bytes:
            return LARGEST
        if limits.free_bytes and shutil.disk_usage(self.folder).free < limits.free_bytes:
            return DISK_LOW
        return None

    def _end_by_itself(self, reason: str) -> None:
        if self.reason is not None:
            return
        self.reason = reason
        self._closing.set()
        if self._on_ended is not None:
            self._on_ended(reason)

    def _write_metadata(self) -> None:
        metadata = self._metadata
        causes = self._unheard.causes()
        metadata.encryption = metadata.encryption.weakest(self._encryption())
        self._gather_gaps()
        if metadata.state == "recording":
            metadata.duration_s = round(self._clock.monotonic() - self.started_s, 3)
        for user_id in filter(self._may_write, causes):
            self._person(user_id)  # also who could never be heard
        metadata.people = [
            person.describe(causes.get(person.user_id, {}))
            for person in self._people.values()
            if person.journal is not None or person.fault is not None or person.user_id in causes
        ]
        write_metadata(self.folder, metadata)
        self._dirty = False

    # Gaps -------------------------------------------------------------------------------------------------------------

    def _gather_gaps(self) -> None:
        at_s = self._clock.monotonic() - self.started_s
        missed = [gap for gap in self._unheard.gaps(self.started_s) if self._may_write(int(gap.user_id or 0))]
        every = [*self._closed_gaps, *self._gaps.so_far(at_s), *missed]
        self._metadata.gaps = sorted(every, key=lambda gap: gap.start_s)

    def _gap_started(self, reason: str, kind: Kind, by: Named | None = None) -> None:
        at_s = self._clock.monotonic() - self.started_s
        user_id = self._own_id if kind == "silenced" else None
        self._command(lambda: self._gaps.begin(at_s, reason, kind, user_id=user_id, by=by))

    def _gap_ended(self, kind: Kind) -> None:
        at_s = self._clock.monotonic() - self.started_s
        self._command(lambda: self._gaps.end(at_s, kind))

    def _gap_closed(self, gap: Gap) -> None:
        for person in self._people.values():
            if gap.user_id in (None, str(person.user_id)):
                person.away(self.started_s + gap.start_s, self.started_s + gap.start_s + gap.duration_s)
        self._closed_gaps.append(gap)

    def _command(self, command: Callable[[], None]) -> None:
        """Have something done on the recorder's thread, its outcome in the metadata within a turn; here, once that ended."""

        def run() -> None:
            command()
            self._dirty = True

        with self._finishing:
            if not self._finished:
                self._commands.append(run)
                return
        run()


def _promise() -> Future[None]:
    """A future that only the recorder's thread ends: nobody who gives up waiting cancels it."""
    future: Future[None] = Future()
    future.set_running_or_notify_cancel()
    return future

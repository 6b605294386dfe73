"""One live recording: takes packets from the receive thread, and a thread of its own brings them to disk."""

from __future__ import annotations

import errno
import logging
import math
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from core.audio.packet_timeline import HOLD_S
from core.recording.called import Called
from core.recording.command_queue import CommandQueue
from core.recording.limits import RecordingLimits
from core.recording.live_log import LiveLog
from core.recording.packet_queue import PacketQueue
from core.recording.tracks import Tracks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from core.clock import Clock
    from core.recording.metadata import Metadata, Named
    from core.recording.rights import RecordingConsent
    from core.recording.source import RecordingSource

_log = logging.getLogger(__name__)

T = TypeVar("T")

TURN_S = 0.25  # how often packets go into files: a killed process loses little more than this
SYNC_S = 0.75  # how often files go onto the disk: a power cut loses this much more
_SCATTER_S = 2.5  # what waited for a key or a name comes 2 s after it arrived
METADATA_S = 5.0
LIMITS_S = 2.0

DISK_FULL = "The disk is full. What was recorded until then is safe."
DISK_GONE = "The recording's folder can no longer be written. What was recorded until then is safe."
FAILED = "The recording failed on my side. What was recorded until then is safe."
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Recorder:
    """Writes one recording: a journal a person, and `metadata.json`.

    `write` may be called from any thread, does a few set and queue operations, and never waits. Everything that
    touches the disk happens on the recorder's own thread, in `turn`. When a limit is reached or the disk fails, the
    recording ends by itself with what it has, and `on_ended` is called once from that thread with a sentence.

    `packets` are those on their way, `tracks` those who are heard, `called` what they are called, `log` what happens
    beside packets.
    """

    def __init__(
        self,
        folder: Path,
        metadata: Metadata,
        source: RecordingSource,
        *,
        consent: RecordingConsent,
        clock: Clock,
        limits: RecordingLimits | None = None,
        on_ended: Callable[[str], None] = lambda reason: None,
        on_heard: Callable[[int, str], None] = lambda user_id, name: None,
        open_file: Callable[[Path], BinaryIO] | None = None,
    ) -> None:
        """Begin now, in a folder that exists; nothing is written before `start`.

        Args:
            folder: Where the files go.
            metadata: What is known of the recording at its start; belongs to the recorder from now on.
            source: Knows names, encryption, and what could not be decrypted. Packets are brought by who subscribes.
            consent: Who may be recorded; asked for every packet.
            clock: The clock of the packets' arrival.
            limits: When to end.
            on_ended: Told why, when the recording ends by itself.
            on_heard: Told of each person, by id and name, right before anything of them is written.
            open_file: Opens a journal; for tests of failing disks.
        """
        self.folder = folder
        self.started_s = start_s = clock.monotonic()
        metadata.started_at = clock.now()  # the same moment: positions count from it
        self.reason: str | None = None  # why it ended, once it did
        self.done = _promise()
        self.complete_s = (
            0.0  # up to here, since the start, journals are complete: nothing will come before it any more
        )
        self.called = Called(source.name_of)
        self.packets = PacketQueue(consent, source.own_id, self.called.meet)
        self.write = self.packets.put
        self.commands = CommandQueue()
        album = f"{metadata.channel.name} {metadata.started_at:%Y-%m-%d %H:%M}"
        self.tracks = Tracks(
            folder,
            album,
            self.called,
            clock,
            start_s=start_s,
            own_id=source.own_id,
            open_file=open_file,
            on_opened=self._opened,
        )
        self.log = LiveLog(metadata, source, clock, self.commands, self.tracks, self.packets.may_write, start_s)
        self._pauses: list[tuple[float, float]] = []  # since the start; the last one may be open
        self._clock = clock
        self._limits = limits or RecordingLimits()
        self._on_ended, self._on_heard = on_ended, on_heard
        self._ended_by: Named | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"recorder {metadata.id}", daemon=True)
        self._synced_s = self._limits_s = self._metadata_s = start_s

    # From any thread --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Let the thread begin."""
        self._thread.start()

    @property
    def duration_s(self) -> float:
        """How long it has run, pauses included."""
        return self.log.metadata.duration_s if self.done.done() else self._clock.monotonic() - self.started_s

    def pause(self, reason: str = "Paused.", by: Named | None = None) -> None:
        """Let packets go by; time runs on, so tracks are silent meanwhile."""
        if not self.packets.paused:
            self.packets.paused = True
            self._pauses.append((self._clock.monotonic() - self.started_s, math.inf))
            self.log.gap_started(reason, "pause", by)

    def resume(self) -> None:
        """Take packets again."""
        if self.packets.paused:
            self.log.gap_ended("pause")
            self.packets.paused = False
            self._pauses[-1] = (self._pauses[-1][0], self._clock.monotonic() - self.started_s)

    def was_paused(self, from_s: float, until_s: float) -> bool:
        """Whether any moment between these, in seconds since the start, is in a pause."""
        return any(began_s <= until_s and from_s <= ended_s for began_s, ended_s in self._pauses)

    def forget(self, user_id: int) -> Future[None]:
        """Delete what was written of a person; done when the future is. Whether more comes, consent decides."""

        def forget() -> None:
            self.called.forget(user_id)
            self.tracks.forget(user_id)
            self.log.forget(user_id)
            self.log.write(self.folder)

        return self._promised(forget)

    def strip(self, user_id: int, names: Iterable[str]) -> Future[bool]:
        """Take what a person did and wrote out of the metadata; whether there was something."""

        def take() -> bool:
            found = self.log.strip(user_id, names)
            if found:
                self.log.write(self.folder)
            return found

        return self._promised(take)

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
        self.commands.work()
        for frame in self.packets.take():
            if self.tracks.push(frame):
                self.log.heard(frame.arrival_s)
        sync = now_s - self._synced_s >= SYNC_S
        self.tracks.journal_up_to(now_s, sync=sync)
        self.complete_s = max(0.0, now_s - self.started_s - HOLD_S - _SCATTER_S)
        if sync:
            self._synced_s = now_s
        if self.log.dirty or now_s - self._metadata_s >= METADATA_S:
            # a disk that is full fails on the journals too
            self._attempt("its metadata waits", lambda: self.log.write(self.folder))
            self._metadata_s = now_s
        if now_s - self._limits_s >= LIMITS_S:
            self._limits_s = now_s
            reached = self._limits.reached(self.folder, now_s - self.started_s, self.tracks.bytes)
            if reached is not None:
                self._end_by_itself(reached)

    def _run(self) -> None:
        try:
            while not self._closing.wait(TURN_S):
                self.turn(self._clock.monotonic())
        except OSError as error:
            _log.error("recording %s stops: %s", self.log.metadata.id, error)
            self._end_by_itself(DISK_FULL if error.errno in _FULL else DISK_GONE)
        except Exception:  # noqa: BLE001 - a fault of ours must not cost what is recorded: it is closed and kept
            _log.exception("recording %s stops", self.log.metadata.id)
            self._end_by_itself(FAILED)
        finally:
            self._finish()

    def _finish(self) -> None:
        """Bring everything to disk that will go there; each step runs even if one before failed."""
        now_s = self._clock.monotonic()
        self.packets.paused = True
        self._attempt("the last packets were lost", lambda: self.turn(now_s))
        for close in self.tracks.closings():
            self._attempt("the end of a track was lost", close)
        self.log.close(self.reason, self._ended_by)
        # those that came while files were closed
        self.commands.close(lambda: self._attempt("the last changes were lost", self.commands.work))
        self._attempt("its metadata could not be written", lambda: self.log.write(self.folder))
        self.done.set_result(None)

    def _attempt(self, what_otherwise: str, step: Callable[[], object]) -> None:
        try:
            step()
        except OSError as error:
            _log.error("recording %s: %s: %s", self.log.metadata.id, what_otherwise, error)
        except Exception:  # noqa: BLE001 - a fault of ours must not keep the other steps from saving what they can
            _log.exception("recording %s: %s", self.log.metadata.id, what_otherwise)

    def _opened(self, user_id: int, name: str) -> None:
        self.log.dirty = True
        self._attempt("the index hears nothing", lambda: self._on_heard(user_id, name))

    def _end_by_itself(self, reason: str) -> None:
        if self.reason is None:
            self.reason = reason
            self._closing.set()
            self._on_ended(reason)

    def _promised(self, step: Callable[[], T]) -> Future[T]:
        """Have a step done on the recorder's thread; a disk that fails it ends the recording, as any other does."""
        promise: Future[T] = _promise()

        def run() -> None:
            try:
                result = step()
            except OSError as error:
                promise.set_exception(error)  # it may still be there: who asked must not believe it gone
                raise
            promise.set_result(result)
            self.log.dirty = True

        self.commands.run(run)
        return promise


def _promise() -> Future[Any]:
    """A future that only the recorder's thread ends: nobody who gives up waiting cancels it."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future

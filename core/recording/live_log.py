"""What happens to a live recording beside packets: notes, gaps, moves and encryption, as its metadata tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.privacy.mentions import cleaner
from core.recording.gap_tracker import DEAFENED, ENCRYPTED, SILENCED, UNENCRYPTED, GapTracker
from core.recording.metadata import Encryption, Note, write_metadata
from core.recording.privacy import strip
from core.recording.unheard import Unheard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from core.clock import Clock
    from core.recording.command_queue import CommandQueue
    from core.recording.gap_tracker import Kind
    from core.recording.metadata import Gap, Metadata, Named
    from core.recording.source import RecordingSource
    from core.recording.tracks import Tracks

ELSEWHERE = "The recording goes on in “{channel}”."


class LiveLog:
    """The metadata of one recording under way. What happens may be told from any thread, at the moment it does."""

    def __init__(
        self,
        metadata: Metadata,
        source: RecordingSource,
        clock: Clock,
        commands: CommandQueue,
        tracks: Tracks,
        may_tell: Callable[[int], bool],
        start_s: float,
    ) -> None:
        """Begin now.

        Args:
            metadata: What is known at the start; belongs to this from now on.
            source: Knows of encryption, and what could not be decrypted.
            clock: The clock.
            commands: Brings what is told to the recorder's thread.
            tracks: Those who are recorded.
            may_tell: Whether a person may be named.
            start_s: The recording's start on the clock.
        """
        self.metadata = metadata
        self.dirty = True  # there is something to write
        self._source = source
        self._clock = clock
        self._start_s = start_s
        self._commands = commands
        self._tracks = tracks
        self._may_tell = may_tell
        self._unheard = Unheard(source.undecryptable, source.missed)
        self._gaps = GapTracker(self._gap_closed)
        self._closed_gaps: list[Gap] = []

    # From any thread --------------------------------------------------------------------------------------------------

    @property
    def in_gap(self) -> bool:
        """Whether somebody cannot be heard at the moment."""
        return bool(self._gaps)

    def note(self, text: str, by: Named | None = None, at_s: float | None = None) -> Note:
        """Mark this moment, or one at `at_s` seconds since the start."""
        at_s = self._at_s() if at_s is None else at_s
        note = Note(at_s=round(at_s, 3), at=self._clock.now(), text=text, by=by)
        self._tell(lambda: self.metadata.notes.append(note))
        return note

    def gap_started(self, reason: str, kind: Kind = "away", by: Named | None = None) -> None:
        """Nobody is heard from now on, or one person is not; by default since the connection is away."""
        at_s = self._at_s()
        user_id = self._source.own_id if kind == "silenced" else None
        self._tell(lambda: self._gaps.begin(at_s, reason, kind, user_id=user_id, by=by))

    def gap_ended(self, kind: Kind = "away") -> None:
        """That is over."""
        at_s = self._at_s()
        self._tell(lambda: self._gaps.end(at_s, kind))

    def impaired(self, *, deafened: bool, silenced: bool) -> None:
        """Whether the server keeps the bot from hearing, or from being heard; a repetition changes nothing."""
        kinds: tuple[tuple[bool, str, Kind], ...] = (
            (deafened, DEAFENED, "deafened"),
            (silenced, SILENCED, "silenced"),
        )
        for on, reason, kind in kinds:
            if on:
                self.gap_started(reason, kind)
            else:
                self.gap_ended(kind)

    def encryption_changed(self, *, off: bool, at_s: float) -> None:
        """End-to-end encryption went off or came back, at `at_s` on the clock."""
        self.note(UNENCRYPTED if off else ENCRYPTED, at_s=max(0.0, at_s - self._start_s))
        if off:
            self._tell(self._weaken)

    def moved(self, channel: Named) -> None:
        """Say that what comes from now on is of another channel."""

        def move() -> None:
            channels = (self.metadata.channel, *self.metadata.moved_to)
            if all(known.id != channel.id for known in channels):
                self.metadata.moved_to.append(channel)

        self._tell(move)
        self.note(ELSEWHERE.format(channel=channel.name))

    def refused(self) -> None:
        """Somebody who was on this recording refused; the metadata counts them, without their name."""

        def count() -> None:
            self.metadata.consent.refused += 1

        self._tell(count)

    # On the recorder's thread -----------------------------------------------------------------------------------------

    def heard(self, arrival_s: float) -> None:
        """Somebody else than the bot was heard."""
        if self._gaps:
            self._gaps.heard(arrival_s - self._start_s)

    def forget(self, user_id: int) -> None:
        """Do not tell any more what was counted of a person."""
        self._unheard.forget(user_id, self._clock.monotonic())

    def strip(self, user_id: int, names: Iterable[str]) -> bool:
        """Take what a person did and wrote out; whether there was something."""
        self._gather_gaps()
        before = self.metadata.model_dump_json()
        self.forget(user_id)
        strip(self.metadata, user_id, names)
        self._gaps.forget(user_id, cleaner(user_id, names))
        return self.metadata.model_dump_json() != before

    def close(self, reason: str | None, by: Named | None) -> None:
        """The recording is over."""
        duration_s = self._at_s()
        self._gaps.end_all(duration_s)
        self.metadata.state = "rendering"
        self.metadata.ended_at = self._clock.now()
        self.metadata.duration_s = round(duration_s, 3)
        self.metadata.reason, self.metadata.ended_by = reason, by

    def write(self, folder: Path) -> None:
        """Bring everything up to date and into the folder.

        Raises:
            OSError: The disk is full or gone.
        """
        metadata = self.metadata
        causes = self._unheard.causes()
        metadata.encryption = metadata.encryption.weakest(self._source.encryption())
        self._gather_gaps()
        if metadata.state == "recording":
            metadata.duration_s = round(self._at_s(), 3)
        metadata.people = self._tracks.describe(causes, filter(self._may_tell, causes))
        write_metadata(folder, metadata)
        self.dirty = False

    def _at_s(self) -> float:
        return self._clock.monotonic() - self._start_s

    def _tell(self, change: Callable[[], None]) -> None:
        """Have something changed on the recorder's thread, and written within a turn."""

        def run() -> None:
            change()
            self.dirty = True

        self._commands.run(run)

    def _weaken(self) -> None:
        encryption = self.metadata.encryption
        self.metadata.encryption = encryption.weakest(Encryption(transport=encryption.transport))

    def _gather_gaps(self) -> None:
        missed = [gap for gap in self._unheard.gaps(self._start_s) if self._may_tell(int(gap.user_id or 0))]
        every = [*self._closed_gaps, *self._gaps.so_far(self._at_s()), *missed]
        self.metadata.gaps = sorted(every, key=lambda gap: gap.start_s)

    def _gap_closed(self, gap: Gap) -> None:
        self._tracks.away(gap)
        self._closed_gaps.append(gap)

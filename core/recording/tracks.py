"""The tracks of a live recording: everybody who is heard, each with a journal of their own."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from core.audio.frames import RATE_HZ
from core.recording.participant import Participant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from core.audio.frames import OpusFrame
    from core.clock import Clock
    from core.recording.called import Called
    from core.recording.journal import JournalWriter
    from core.recording.metadata import Gap, RecordedPerson

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrackCounts:
    """One person of a live recording."""

    user_id: int
    name: str
    sound_s: float  # how much was received of them, without silence
    last_s: float  # when they were last heard, on the clock
    lost: int
    fault: str | None = None  # why nothing more is written of them


class Tracks:
    """Everybody of one recording. Changed on the recorder's thread alone; counts may be read from any."""

    def __init__(
        self,
        folder: Path,
        album: str,
        called: Called,
        clock: Clock,
        *,
        start_s: float,
        own_id: int | None,
        open_file: Callable[[Path], BinaryIO] | None,
        on_opened: Callable[[int, str], None],
    ) -> None:
        """Begin now, without anybody.

        Args:
            folder: Where the journals go.
            album: What they belong to.
            called: Names.
            clock: The clock of the packets' arrival.
            start_s: The recording's start on it.
            own_id: The bot's own user id.
            open_file: Opens a journal; for tests of failing disks.
            on_opened: Told of each person, by id and name, right before anything of them is written.
        """
        self._folder, self._album = folder, album
        self._called = called
        self._clock = clock
        self._start_s = start_s
        self._own_id = own_id
        self._open_file = open_file
        self._on_opened = on_opened
        self._people: dict[int, Participant] = {}

    # From any thread --------------------------------------------------------------------------------------------------

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

    # On the recorder's thread -----------------------------------------------------------------------------------------

    def push(self, frame: OpusFrame) -> bool:
        """Take a packet onto its person's track; whether that is somebody else than the bot."""
        person = self._people.get(frame.user_id) or self._person(frame.user_id)
        person.attempt(person.push, frame)
        return not person.bot

    def journal_up_to(self, now_s: float, *, sync: bool) -> None:
        """Bring into the journals what is certain by `now_s`; with `sync`, onto the disk.

        Raises:
            OSError: The disk is full or gone.
        """
        for person in self._people.values():
            person.attempt(person.journal_up_to, now_s, self._open)
            person.attempt(person.flush, sync)

    def closings(self) -> list[Callable[[], object]]:
        """Steps that each end one track."""
        return [lambda person=person: person.attempt(person.close, self._open) for person in self._people.values()]

    def forget(self, user_id: int) -> None:
        """Delete what was written of a person.

        Raises:
            OSError: It may still be there.
        """
        person = self._people.pop(user_id, None)
        if person is not None:
            person.discard()

    def away(self, gap: Gap) -> None:
        """Say that nobody listened, or not to one person, for a while."""
        for person in self._people.values():
            if gap.user_id in (None, str(person.user_id)):
                person.away(self._start_s + gap.start_s, self._start_s + gap.start_s + gap.duration_s)

    def describe(self, undecryptable: Mapping[int, Mapping[str, int]], who: Iterable[int]) -> list[RecordedPerson]:
        """Everybody, as the metadata has them; those `who` could not be decrypted too, heard or not."""
        for user_id in who:
            self._person(user_id)
        return [
            person.describe(undecryptable.get(person.user_id, {}))
            for person in self._people.values()
            if person.journal is not None or person.fault is not None or person.user_id in undecryptable
        ]

    def _person(self, user_id: int) -> Participant:
        person = self._people.get(user_id)
        if person is None:
            name, bot = self._called.meet(user_id), user_id == self._own_id
            person = Participant(user_id, name, self._clock.now(), self._start_s, bot=bot)
            self._people[user_id] = person
        return person

    def _open(self, person: Participant) -> JournalWriter:
        self._on_opened(person.user_id, person.name)
        return person.open_journal(self._folder, self._album, self._open_file)

"""One person of a live recording: their packets on a timeline, and the journal these go into."""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING, BinaryIO, ParamSpec

from core.audio.frames import OPUS_SILENCE, RATE_HZ
from core.audio.opus import is_silence, packet_samples
from core.audio.packet_timeline import PacketCounts, Timeline
from core.recording.journal import JournalWriter
from core.recording.metadata import Packets, RecordedPerson
from core.recording.names import safe_name, shown_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from core.audio.frames import OpusFrame

_log = logging.getLogger(__name__)

P = ParamSpec("P")

_BAD_NAME = (errno.ENAMETOOLONG, errno.EINVAL, errno.ENOENT)
_OF_ONE_FILE = (errno.ENAMETOOLONG, errno.EINVAL, errno.EEXIST, errno.EILSEQ)  # the disk and the folder are well
FAULT = "Their track broke off: {why}. Everybody else's goes on."


class Participant:
    """Somebody who is recorded. The journal begins with their first packet that is not silence."""

    def __init__(self, user_id: int, name: str, first_seen_at: datetime, start_s: float, *, bot: bool = False) -> None:
        self.user_id = user_id
        self.name = shown_name(name) or str(user_id)
        self.bot = bot
        self.journal: JournalWriter | None = None
        self.last_s = start_s  # when they were last heard
        self.sound_samples = 0  # received, without silence
        self.fault: str | None = None  # why nothing more is written of them
        self._first_seen_at = first_seen_at
        self._first_position: int | None = None
        self._timeline = Timeline(start_s)

    @property
    def counts(self) -> PacketCounts:
        """What became of their packets."""
        return self._timeline.counts

    @property
    def bytes(self) -> int:
        """Size of the journal on disk."""
        return 0 if self.journal is None else self.journal.bytes

    def push(self, frame: OpusFrame) -> None:
        """Take a packet."""
        payload = frame.payload
        if self._timeline.push(frame) and not is_silence(payload):
            self.last_s = frame.arrival_s
            self.sound_samples += packet_samples(payload)

    def away(self, from_s: float, to_s: float) -> None:
        """Say that nobody listened to them for a while."""
        self._timeline.away(from_s, to_s)

    def journal_up_to(self, now_s: float | None, open_journal: Callable[[Participant], JournalWriter]) -> None:
        """Put what is certain by `now_s` into the journal, opening it when there is something to write.

        Raises:
            OSError: The journal cannot be created.
        """
        for placed in self._timeline.drain(now_s):
            if self.journal is None:
                if placed.payload == OPUS_SILENCE:
                    continue
                self.journal = open_journal(self)
                self._first_position = placed.position
            self.journal.add(placed)

    def open_journal(self, folder: Path, album: str, open_file: Callable[[Path], BinaryIO] | None) -> JournalWriter:
        """Create the journal's file.

        Raises:
            OSError: It cannot be created.
        """
        comments = {"TITLE": self.name, "ALBUM": album, "DISCORD_USER_ID": str(self.user_id)}
        arguments = (self.user_id & 0x7FFFFFFF, comments, *([open_file] if open_file is not None else []))
        try:
            return JournalWriter(folder / f"{self.user_id}_{safe_name(self.name)}.ogg", *arguments)
        except OSError as error:
            if error.errno not in _BAD_NAME:
                raise
            # a path too long for this file system, or a name it does not take: the id alone will do
            return JournalWriter(folder / f"{self.user_id}.ogg", *arguments)

    def attempt(self, step: Callable[P, object], *arguments: P.args, **named: P.kwargs) -> bool:
        """Do something for this person; a fault that is only theirs ends their track and nobody else's.

        Returns:
            Whether it went well.

        Raises:
            OSError: The disk is full or gone.
        """
        if self.fault is not None:
            return False
        try:
            step(*arguments, **named)
        except OSError as error:
            if error.errno not in _OF_ONE_FILE:
                raise
            _log.error("the track of user %d breaks off: %s", self.user_id, error)
            self.fault = FAULT.format(why="the file system does not take its name")
        except Exception:  # noqa: BLE001 - whatever one person sends or is called must not cost the others anything
            _log.exception("the track of user %d breaks off", self.user_id)
            self.fault = FAULT.format(why="a fault of mine, which the log has")
        else:
            return True
        if self.journal is not None:
            self.journal.close()
        return False

    def flush(self, sync: bool) -> None:
        """Bring the journal into its file; with `sync`, onto the disk.

        Raises:
            OSError: The disk is full or gone.
        """
        if self.journal is not None:
            self.journal.flush(sync)

    def close(self, open_journal: Callable[[Participant], JournalWriter]) -> None:
        """Bring the last packets into the journal and end it.

        Raises:
            OSError: They could not be written; the file is closed all the same.
        """
        self.journal_up_to(None, open_journal)
        if self.journal is not None:
            self.journal.close()

    def discard(self) -> None:
        """Delete what was written."""
        if self.journal is not None:
            self.journal.discard()

    def describe(self, undecryptable: Mapping[str, int]) -> RecordedPerson:
        """Them, as the metadata has it."""
        counts = self.counts
        return RecordedPerson(
            id=str(self.user_id),
            name=self.name,
            bot=self.bot,
            first_seen_at=self._first_seen_at,
            first_sound_s=None if self._first_position is None else round(self._first_position / RATE_HZ, 3),
            journal=None if self.journal is None else self.journal.path.name,
            fault=self.fault,
            packets=Packets(
                received=counts.received,
                lost=counts.lost,
                late=counts.late,
                duplicate=counts.duplicate,
                malformed=counts.malformed,
                overlapping=counts.overlapping,
                undecryptable=dict(undecryptable),
            ),
        )

"""One person's journal: Opus as it came, in an Ogg file that plays anywhere and may end anywhere.

One packet a page. The granule position of a page is the true position of the packet's end on the track, to the
sample; so that players that only count what they decode stay in time as well, gaps are filled with packets that decode
to silence, and lost packets with empty ones, which ask a decoder to conceal them (RFC 7845, section 4.1).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from core.audio.frames import FRAME_SAMPLES
from core.audio.opus import packet_samples
from core.recording.ogg import FIRST, LAST, MAX_SEGMENTS, Damage, PageReader, build_page, opus_head, opus_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from core.recording.timeline import Placed

VENDOR = "Parley"
MAX_LOST_MARKED = 25  # half a second; longer losses are silence

# Celt, full band, in packets of several frames, which no client sends: six of 20 ms, and one of 20, 10, 5 and 2.5 ms.
_LONG_SILENCE = b"\xfb\x06" + 6 * b"\xff\xfe"
_LONG_SAMPLES = 6 * FRAME_SAMPLES
_SHORT_SILENCES = (
    (960, b"\xfb\x01\xff\xfe"),
    (480, b"\xf3\x01\xff\xfe"),
    (240, b"\xeb\x01\xff\xfe"),
    (120, b"\xe3\x01\xff\xfe"),
)
_HEADERS = (b"OpusHead", b"OpusTags")
_SILENCES = {_LONG_SILENCE, *(packet for _, packet in _SHORT_SILENCES)}


def _open_new(path: Path) -> BinaryIO:
    return path.open("xb", buffering=0)


class JournalWriter:
    """Appends placed packets to a new file. Nothing is on disk before `flush`."""

    def __init__(
        self,
        path: Path,
        serial: int,
        comments: Mapping[str, str],
        open_file: Callable[[Path], BinaryIO] = _open_new,
    ) -> None:
        """Create the file.

        Raises:
            OSError: It cannot be created.
        """
        self.path = path
        self.bytes = 0
        self._file = open_file(path)
        self._serial = serial
        self._pages = 0
        self._end = 0  # true position behind the last packet
        self._counted = 0  # where a player is that only counts samples
        self._toc = 0xFC
        self._pending: list[bytes] = []
        self._unsynced = False
        self._page((opus_head(),), 0, FIRST)
        self._page((opus_tags(VENDOR, comments),), 0)

    def add(self, placed: Placed) -> None:
        """Put a packet behind the others."""
        marked = min(placed.lost_before, MAX_LOST_MARKED, (placed.position - self._end) // placed.samples + 1)
        if marked > 0:
            marker = bytes((self._toc | 3, 1))
            self._end += marked * placed.samples
            self._counted += marked * placed.samples
            self._page((marker,) * marked, min(self._end, placed.position))
        if placed.starts_spurt or placed.lost_before > marked:
            self._fill(placed.position)
        self._toc = placed.payload[0]
        self._end = placed.position + placed.samples
        self._counted += placed.samples
        self._page((placed.payload,), self._end)

    def flush(self, sync: bool = True) -> None:
        """Bring everything into the file, where it survives the process; with `sync`, onto the disk as well.

        Raises:
            OSError: The disk is full or gone. What was written so far can be read.
        """
        if self._pending:
            view = memoryview(b"".join(self._pending))
            self._pending.clear()
            self._unsynced = True
            while view:
                written = self._file.write(view)
                self.bytes += written
                view = view[written:]
        if sync and self._unsynced:
            os.fsync(self._file.fileno())
            self._unsynced = False

    def close(self) -> None:
        """End the stream and the file.

        Raises:
            OSError: The last packets could not be written; the file is closed all the same.
        """
        if self._file.closed:
            return
        try:
            self._page((), self._end, LAST)
            self.flush()
        finally:
            self._file.close()

    def discard(self) -> None:
        """Delete what was written."""
        self._pending.clear()
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _fill(self, position: int) -> None:
        """Silence up to `position`, as far as the shortest packet of 2.5 ms allows."""
        missing = position - self._counted
        longs, rest = divmod(missing, _LONG_SAMPLES) if missing > 0 else (0, 0)
        packets = [_LONG_SILENCE] * longs
        for samples, packet in _SHORT_SILENCES:
            count, rest = divmod(rest, samples)
            packets += [packet] * count
        for start in range(0, len(packets), MAX_SEGMENTS):
            page = packets[start : start + MAX_SEGMENTS]
            self._counted += sum(map(packet_samples, page))
            self._page(page, max(self._end, self._counted))

    def _page(self, packets: tuple[bytes, ...] | list[bytes], granule: int, flags: int = 0) -> None:
        self._pending.append(build_page(packets, granule, self._serial, self._pages, flags))
        self._pages += 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A packet read back, with what lay between it and the one before."""

    offset: int  # in the file: where what belongs to this entry begins
    next_offset: int
    position: int
    samples: int
    payload: bytes
    lost_before: int = 0
    recoverable: bool = False  # the packet before this one was lost: its coarse copy may be in here
    damage: Damage | None = None  # before this packet


class JournalReader:
    """Reads a journal from the beginning or from where an entry began; what is damaged is told and passed over."""

    def __init__(self, file: BinaryIO, offset: int = 0, sequence: int | None = None) -> None:
        """Begin.

        Args:
            file: The journal.
            offset: Where an entry begins.
            sequence: Number of the page expected there; None takes any.
        """
        self.damaged_end: Damage | None = None  # set once the reader came to an end within damage
        self.complete = False  # the stream's end was found
        self.sequence = sequence  # of the page behind the last entry given
        self._pages = PageReader(file, offset)

    def __iter__(self) -> Iterator[Entry]:
        offset = self._pages.offset
        lost, recoverable = 0, False
        damage: Damage | None = None
        expected = self.sequence
        for page in self._pages:
            if isinstance(page, Damage):
                damage = page if damage is None else Damage(damage.offset, damage.size + page.size, page.truncated)
                continue
            if expected is not None and page.sequence != expected and damage is None:
                damage = Damage(page.offset, 0, truncated=False)  # whole pages are missing
            expected = page.sequence + 1
            self.complete = self.complete or bool(page.flags & LAST)
            first = page.packets[0] if page.packets else b""
            if not first or first.startswith(_HEADERS):
                offset = offset if damage else page.offset + page.size
                continue
            if first in _SILENCES:
                recoverable = False
                continue
            if len(first) == 2 and first[0] & 3 == 3 and first[1] == 1:
                lost, recoverable = lost + len(page.packets), True
                continue
            samples = packet_samples(first)
            end = page.offset + page.size
            self.sequence = expected
            yield Entry(offset, end, page.granule - samples, samples, first, lost, recoverable, damage)
            offset, lost, recoverable, damage = end, 0, False, None
        self.damaged_end = damage

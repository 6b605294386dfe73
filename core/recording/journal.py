"""One person's journal: Opus as it came, in an Ogg file that plays anywhere and may end anywhere.

One packet a page. As RFC 7845 wants it, granule positions count the samples of the packets and nothing else; so that
players keep time all the same, gaps are filled with packets that decode to silence, and lost packets with empty ones
of the same length, which ask a decoder to conceal them (section 4.1). Such packets come in steps of 2.5 ms; what
remains to the true position, to the sample, is written beside a packet where it changes (`marks`). Behind the last
packet there is always a page that ends the stream, which the next packets overwrite: a file whose writer was killed
is as whole as one that was closed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from core import private
from core.audio.frames import FRAME_SAMPLES, OPUS_SILENCE, RATE_HZ
from core.audio.ogg import FIRST, LAST, PRE_SKIP, Damage, PageReader, build_page, opus_head, opus_tags
from core.audio.opus import packet_samples
from core.recording.marks import (
    LONG_SAMPLES,
    LONG_SILENCE,
    SHORTEST,
    empty_packets,
    is_empty,
    is_silence,
    looks_ours,
    mark,
    silence,
    unmark,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from core.audio.packet_timeline import Placed

VENDOR = "Parley"
MAX_LOST_MARKED = 25  # packets
_MAX_LOST_SAMPLES = RATE_HZ // 2  # longer losses are silence
_FILLED_AT_ONCE = 8  # packets of silence a page, 0.96 s: players wait for a whole page

_HEADERS = (b"OpusHead", b"OpusTags")


def _open_new(path: Path) -> BinaryIO:
    return open(path, "xb", buffering=0, opener=private.opener)


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
        headers = (opus_head(), opus_tags(VENDOR, comments))
        self.path = path
        self.bytes = 0
        self._file = open_file(path)
        self._serial = serial
        self._pages = 0
        self._written = 0  # bytes of pages that stay
        self._counted = 0  # samples in the file: its granule position
        self._shift: int = 0  # what is to be added to that for the true position, as the file says it
        self._toc = OPUS_SILENCE[0]
        self._samples = FRAME_SAMPLES  # of the last packet
        self._pending: list[bytes] = []
        self._unsynced = False
        for packet, flags in zip(headers, (FIRST, 0), strict=True):
            self._page((packet,), flags)

    def add(self, placed: Placed) -> None:
        """Put a packet behind the others."""
        if placed.lost_before:
            self._mark_lost(placed)
        if placed.starts_spurt or placed.lost_before:
            self._fill(placed.position)
        elif placed.position - self._counted >= SHORTEST:  # a slow clock: too little for anybody to hear
            (filler,) = empty_packets(self._toc, (SHORTEST,))
            self._counted += SHORTEST
            self._shift = placed.position - self._counted
            self._page((mark(filler, self._shift, ours=True),))
        shift = placed.position - self._counted
        payload = placed.payload
        if shift != self._shift or looks_ours(payload):
            payload = mark(payload, shift)
        self._shift, self._toc, self._samples = shift, placed.payload[0], placed.samples
        self._counted += placed.samples
        self._page((payload,))

    def flush(self, sync: bool = True) -> None:
        """Bring everything into the file, where it survives the process; with `sync`, onto the disk as well.

        Raises:
            OSError: The disk is full or gone. What was written so far can be read.
        """
        if self._pending:
            data = b"".join(self._pending)
            self._pending.clear()
            self._unsynced = True
            if self.bytes > self._written:
                self._file.seek(self._written)  # over the end that is no end any more
                self.bytes = self._written
            view = memoryview(data + self._end_page())
            stays = self._written + len(data)
            try:
                while view:
                    written = self._file.write(view)
                    self.bytes += written
                    view = view[written:]
            finally:
                self._written = min(self.bytes, stays)
        if sync and self._unsynced:
            os.fsync(self._file.fileno())
            self._unsynced = False

    def close(self) -> None:
        """End the file.

        Raises:
            OSError: The last packets could not be written; the file is closed all the same.
        """
        if self._file.closed:
            return
        try:
            self.flush()
        finally:
            self._file.close()

    def discard(self) -> None:
        """Delete what was written."""
        self._pending.clear()
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _mark_lost(self, placed: Placed) -> None:
        """Put an empty packet in the place of each lost one, as far as it is known how long they were."""
        room = placed.position - self._counted
        count = min(placed.lost_before, MAX_LOST_MARKED)
        if placed.starts_spurt or placed.lost_before > count or room > _MAX_LOST_SAMPLES:
            count = min(count, _MAX_LOST_SAMPLES // self._samples)
            room = min(room, count * self._samples)
        units = round(room / SHORTEST)
        lengths = _shared_out(units, min(count, units), self._samples // SHORTEST, placed.samples // SHORTEST)
        if lengths:
            self._counted += sum(lengths) * SHORTEST
            self._page(empty_packets(self._toc, [length * SHORTEST for length in lengths]))

    def _fill(self, position: int) -> None:
        """Silence up to `position`, to the nearest 2.5 ms."""
        missing = max(0, round((position - self._counted) / SHORTEST)) * SHORTEST
        longs, rest = divmod(missing, LONG_SAMPLES)
        packets = [LONG_SILENCE] * longs + silence(rest)
        if packets:
            self._shift = position - self._counted - missing
            packets[-1] = mark(packets[-1], self._shift, ours=True)
        for start in range(0, len(packets), _FILLED_AT_ONCE):
            page = packets[start : start + _FILLED_AT_ONCE]
            self._counted += sum(map(packet_samples, page))
            self._page(page)

    def _page(self, packets: tuple[bytes, ...] | list[bytes], flags: int = 0) -> None:
        self._pending.append(build_page(packets, self._counted, self._serial, self._pages, flags))
        self._pages += 1

    def _end_page(self) -> bytes:
        """The stream's end: a frame of silence, which its granule position cuts off again."""
        granule = min(max(self._counted, PRE_SKIP), self._counted + FRAME_SAMPLES)
        return build_page((OPUS_SILENCE,), granule, self._serial, self._pages, LAST)


def _shared_out(total: int, count: int, before: int, after: int) -> list[int]:
    """Lengths of `count` lost packets that are `total` together: as the one before them, as the one behind, or equal."""
    for first in range(count, -1, -1):
        if first * before + (count - first) * after == total:
            return [before] * first + [after] * (count - first)
    return [total * (i + 1) // count - total * i // count for i in range(count)]


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A packet read back, with what lay between it and the one before."""

    offset: int  # in the file: where what belongs to this entry begins
    next_offset: int
    position: int
    samples: int
    payload: bytes
    lost_before: int = 0
    lost_samples: int = 0  # how long those were together
    recoverable: bool = False  # the packet before this one was lost: its coarse copy may be in here
    damage: Damage | None = None  # before this packet


class JournalReader:
    """Reads a journal from the beginning or from where an entry began; what is damaged is told and passed over."""

    def __init__(self, file: BinaryIO, offset: int = 0, sequence: int | None = None, shift: int = 0) -> None:
        """Begin.

        Args:
            file: The journal.
            offset: Where an entry begins.
            sequence: Number of the page expected there; None takes any.
            shift: From granule positions to true ones there.
        """
        self.damaged_end: Damage | None = None  # set once the reader came to an end within damage
        self.complete = False  # the stream's end was found
        self.sequence = sequence  # of the page behind the last entry given
        self.shift = shift  # at the last entry given
        self._pages = PageReader(file, offset)

    def __iter__(self) -> Iterator[JournalEntry]:
        offset = self._pages.offset
        lost, lost_samples, recoverable = 0, 0, False
        damage: Damage | None = None
        expected, shift = self.sequence, self.shift
        for page in self._pages:
            if isinstance(page, Damage):
                damage = page if damage is None else Damage(damage.offset, damage.size + page.size, page.truncated)
                continue
            if expected is not None and page.sequence != expected and damage is None:
                damage = Damage(page.offset, 0, truncated=False)  # whole pages are missing
            if page.flags & LAST:
                self.complete = True
                continue
            expected = page.sequence + 1
            packet = page.packets[0] if page.packets else b""
            if not packet or packet.startswith(_HEADERS):
                offset = offset if damage else page.offset + page.size
                continue
            marked = unmark(page.packets[-1])  # filling has its mark at its end
            if marked.shift is not None:
                shift = marked.shift
            elif is_empty(packet):
                lost, recoverable = lost + len(page.packets), True
                lost_samples += sum(map(packet_samples, page.packets))
                continue
            if marked.ours or (marked.shift is None and is_silence(packet)):
                recoverable = False
                continue
            samples = packet_samples(marked.payload)
            end = page.offset + page.size
            self.sequence, self.shift = expected, shift
            at = page.granule - samples + shift
            yield JournalEntry(offset, end, at, samples, marked.payload, lost, lost_samples, recoverable, damage)
            offset, lost, lost_samples, recoverable, damage = end, 0, 0, False, None
        self.damaged_end = damage

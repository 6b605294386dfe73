"""Counts the frames of a GIF by its blocks alone: Pillow would unpack them to tell."""

from __future__ import annotations

_HEADER = 13
_EXTENSION, _IMAGE = 0x21, 0x2C


def count_frames(data: bytes, most: int) -> int:
    """Images in a GIF, `most` at most; of a file that is cut off, those that begin in it."""
    count, at, end = 0, _HEADER, len(data)
    if end > _HEADER:
        at += _table(data[10])
    while at < end and count < most:
        if data[at] == _IMAGE and at + 10 < end:
            count += 1
            at = _behind_blocks(data, at + 11 + _table(data[at + 9]))  # descriptor, colours, the code's first size
        elif data[at] == _EXTENSION:
            at = _behind_blocks(data, at + 2)
        elif data[at] == 0:  # some writers pad
            at += 1
        else:
            break
    return count


def _table(flags: int) -> int:
    """Bytes of the table of colours that a descriptor announces."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _behind_blocks(data: bytes, at: int) -> int:
    end = len(data)
    while at < end and data[at]:
        at += data[at] + 1
    return at + 1

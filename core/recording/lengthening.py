"""A journal that serves as a finished track lasts as long as the others: silence up to the recording's end."""

from __future__ import annotations

import os
from pathlib import Path

from core.audio.frames import FRAME_SAMPLES, OPUS_SILENCE
from core.audio.ogg import LAST, PRE_SKIP, Damage, PageReader, build_page
from core.audio.opus import packet_samples
from core.private import opener
from core.recording.marks import LONG_SAMPLES, LONG_SILENCE, silence

_AT_ONCE = 8  # packets a page
_SERIAL = slice(14, 18)  # where a page names its stream (RFC 3533)
_BLOCK = 1 << 20


def lengthen(journal: str, length: int) -> None:
    """Let a closed journal end `length` samples after the recording's start. For workers; one that is as long stays.

    Raises:
        OSError: It cannot be read or written; the journal stays as it is.
    """
    path = Path(journal)
    target = length + PRE_SKIP
    end = counted = sequence = 0
    with path.open("rb") as file:
        serial = int.from_bytes(file.read(_SERIAL.stop)[_SERIAL], "little")
        for page in PageReader(file):
            if isinstance(page, Damage):
                continue
            if page.flags & LAST:
                break
            end, counted, sequence = page.offset + page.size, page.granule, page.sequence + 1
    if counted >= target or end == 0:
        return
    missing = target - counted
    packets = [LONG_SILENCE] * (missing // LONG_SAMPLES)
    rest = (missing % LONG_SAMPLES) // FRAME_SAMPLES * FRAME_SAMPLES
    packets += silence(rest) if rest else []
    work = path.with_name(f".{path.name}.new")
    try:
        with path.open("rb") as source, open(work, "wb", opener=opener) as out:
            while end > 0:
                block = source.read(min(end, _BLOCK))
                out.write(block)
                end -= len(block)
            for start in range(0, len(packets), _AT_ONCE):
                together = packets[start : start + _AT_ONCE]
                counted += sum(map(packet_samples, together))
                out.write(build_page(together, counted, serial, sequence))
                sequence += 1
            out.write(build_page((OPUS_SILENCE,), target, serial, sequence, LAST))
            out.flush()
            os.fsync(out.fileno())
        work.replace(path)
    finally:
        work.unlink(missing_ok=True)

"""Takes compressed sound apart that is several files one behind the other, as servers send it that make one a sentence.

Decoders end at the first file's end, take the next one's head for sound, or go on with the state of the one before. MP3, AAC
and others that have no head are none the worse for it and stay whole.
"""

from __future__ import annotations

import re

# How a file begins, in at least seven certain bytes, so that nothing inside of one looks like it.
_BEGINNINGS = (
    re.compile(rb"\x00\x00\x00[\x10-\x80]ftyp[A-Za-z0-9 ]{4}"),  # M4A, MP4, 3GP
    re.compile(rb"(?:RIFF|RF64|BW64)[\s\S]{4}WAVE"),
    re.compile(rb"FORM[\s\S]{4}AIF[FC]"),
    re.compile(rb"caff\x00\x01\x00\x00desc"),
    re.compile(rb"\.snd\x00\x00[\s\S]{6}\x00\x00\x00[\x01-\x1f]"),
    re.compile(rb"OggS\x00\x02\x00{8}"),
    re.compile(rb"\x1aE\xdf\xa3[\s\S]{1,48}?\x42\x82[\s\S]{1,8}?(?:webm|matroska)"),
    re.compile(rb"fLaC\x00\x00\x00\x22"),
    re.compile(rb"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb"),  # W64
    re.compile(rb"FLV\x01[\x00-\x05]\x00\x00\x00\x09"),
    re.compile(rb"TTA1[\x01-\x03]\x00[\x01-\x08]\x00[\x08\x10\x18]\x00"),
)


def files(data: bytes) -> list[bytes]:
    """The files in `data`, in order; all of it if it is only one."""
    for beginning in _BEGINNINGS:
        if beginning.match(data):
            starts = [found.start() for found in beginning.finditer(data)]
            return [data[start:end] for start, end in zip(starts, [*starts[1:], len(data)], strict=True)]
    return [data]

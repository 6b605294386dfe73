"""Recognises bytes by their beginning: a WAV, sound that has to be decoded, text, another file; and whether samples can be sound.

What a server calls its answer is only a hint: MP3 comes as `audio/pcm`, an error page as `audio/wav`. Raw PCM has no mark of
its own, so it is what is left when nothing else fits, and only if its samples look like sound: compressed or encrypted bytes
played as samples are white noise at full level.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WAVES = (b"RIFF", b"RF64", b"BW64")
UNMARKED = "compressed sound"  # of which only the Content-Type tells
ENOUGH = 1024  # bytes after which raw PCM is told from what is none; 21 ms at 24 kHz
LONGEST_HEAD = 4096  # of that many bytes the kind is always known

_MARKS = {  # at the start of the file
    b"ID3": "MP3",
    b"OggS": "Ogg",
    b"fLaC": "FLAC",
    b"\x1aE\xdf\xa3": "WebM",
    b"FORM": "AIFF",
    b"caff": "CAF",
    b".snd": "AU",
    b"RIFX": "big-endian WAV",
    b"riff\x2e\x91": "W64",
    b"#!AMR": "AMR",
    b"wvpk": "WavPack",
    b"TTA1": "TTA",
    b"MAC ": "Monkey's Audio",
    b"\x30\x26\xb2\x75": "WMA",
    b"FLV\x01": "FLV",
}
_NO_SOUND = {
    b"\x1f\x8b": "a gzip file",
    b"PK\x03\x04": "a ZIP file",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
}
_BYTE_ORDERS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_TYPES = (
    *("mpeg", "mp3", "ogg", "opus", "vorbis", "aac", "flac", "webm", "mp4", "m4a", "3gpp", "amr", "speex", "aiff"),
    *("basic", "mulaw", "ulaw", "pcmu", "pcma", "alaw", "g711", "g722", "x-ms-wma"),
)
_TEXTS = ("json", "html", "xml", "text/", "javascript")
_AFTER_A_BRACKET = b"\"'{[<!?/ \t\r\n" + b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LEAST_WRITTEN = 40
_LEAST_TEXT = 16  # bytes; as few could be samples
_LAYER_1, _LAYER_2, _LAYER_3 = 3, 2, 1
_KBIT = {  # by (is it MPEG 1, layer)
    (True, _LAYER_1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, _LAYER_2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, _LAYER_3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, _LAYER_1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, _LAYER_2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, _LAYER_3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MPEG_1, _MPEG_2 = 3, 2
_HZ = {_MPEG_1: (44100, 48000, 32000), _MPEG_2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_AAC_RATES = 13
_TS_PACKET, _TS_SYNC = 188, 0x47
_NOISE_LEVEL, _NOISE_LIKENESS, _OFFSET, _LEAST_SAMPLES = 0.45, 0.3, 0.3, 256
_WINDOW_SAMPLES, _FORGIVING = 512, 8

Kind = Literal["wav", "packed", "text", "other", "raw"]


def recognise(start: bytes, content_type: str, *, whole: bool = False) -> tuple[Kind, str] | None:
    """What an answer is, and its name for people; None while more bytes are needed.

    Args:
        start: The answer so far.
        content_type: The header of that name, in lower case.
        whole: Nothing more comes.
    """
    if len(start) < 12 and not whole:
        return None
    if start[:4] in WAVES and start[8:12] == b"WAVE"[: max(0, len(start) - 8)]:
        return "wav", "WAV"
    for mark, name in _MARKS.items():
        if start.startswith(mark):
            return "packed", name
    if start[4:8] == b"ftyp":
        return "packed", "M4A"
    for mark, name in _NO_SOUND.items():
        if start.startswith(mark):
            return "other", name
    framed = _framed(start, whole=whole)
    if framed is None:
        return None
    if framed:
        return "packed", framed
    if is_text(start, whole=whole) or _is_foreign_text(start, content_type):
        return "text", "text"
    if any(name in content_type for name in _TYPES):
        return "packed", UNMARKED
    if len(start) > 2 * _TS_PACKET and start[0] == start[_TS_PACKET] == start[2 * _TS_PACKET] == _TS_SYNC:
        return "packed", "MPEG-TS"
    return ("raw", "raw PCM") if whole or len(start) >= ENOUGH else None


def is_text(data: bytes, *, whole: bool = False) -> bool:
    """Whether bytes are text in some Unicode encoding, of any language; a character that is cut at the end is fine."""
    if len(data) < _LEAST_TEXT and not whole:
        return False
    encoding = _BYTE_ORDERS.get(data[:2], "utf-8-sig")
    if encoding != "utf-8-sig" and not data[2:4].strip(b"\0").isascii():  # samples are letters of some script, mostly
        return False
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(data[:LONGEST_HEAD])
    except UnicodeDecodeError:
        return False
    text = text.removeprefix("\ufeff")
    return bool(text) and all(character.isprintable() or character.isspace() for character in text)


def is_written(data: bytes) -> bool:
    """Whether bytes in the middle of sound are text for certain: letters at even and at odd places, as samples have not."""
    if len(data) < _LEAST_WRITTEN or not is_text(data):
        return False
    halves = (data[::2], data[1::2])
    return all(sum(chr(byte).isalpha() or byte == 32 for byte in half) > 0.4 * len(half) for half in halves)


def _is_foreign_text(start: bytes, content_type: str) -> bool:
    """Text of an older encoding: no control characters, and it begins with ASCII, or as JSON or HTML does, or is named so."""
    begin = start[:64].lstrip(b" \t\r\n")
    if len(begin) >= _LEAST_TEXT and all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in begin[:_LEAST_TEXT]):
        return True
    if len(begin) < _LEAST_TEXT or any(byte < 32 and byte not in b"\t\r\n" for byte in begin):
        return False
    if any(name in content_type for name in _TEXTS):
        return True
    return begin[:1] in b"{[<" and begin[1] in _AFTER_A_BRACKET


def _framed(start: bytes, *, whole: bool) -> str | None:
    """“MP3” or “AAC” if the bytes are frames of it, one after the other; empty if not, None while that is not seen yet."""
    for name, length_of in (("AAC", _aac_frame), ("MP3", _mp3_frame)):
        length = length_of(start)
        if not length:
            continue
        if len(start) >= length + 4:
            follower = start[length : length + 4]
            if length_of(follower + bytes(8)) and follower[:2] == start[:2]:
                return name
        elif not whole:
            return None
        elif len(start) in (length, length + 1):
            return name
    return ""


def _mp3_frame(head: bytes) -> int:
    """Bytes of the MPEG audio frame that begins here; 0 if none does."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bitrate, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer == 0 or bitrate in (0, 15) or rate == 3 or head[3] & 3 == 2:
        return 0
    bits = 1000 * _KBIT[version == _MPEG_1, layer][bitrate - 1]
    hz = _HZ[version][rate]
    if layer == _LAYER_1:
        return (12 * bits // hz + padding) * 4
    return (72 if layer == _LAYER_3 and version != _MPEG_1 else 144) * bits // hz + padding


def _aac_frame(head: bytes) -> int:
    """Bytes of the ADTS frame that begins here; 0 if none does."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 >= _AAC_RATES:
        # of a follower only four bytes are looked at: its length reads as less than a header, its mark is there all the same
        return 0
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return max(length, 7)


def no_sound(samples: NDArray[np.float32]) -> bool:
    """Whether samples cannot be speech or music: white noise at full level, or far from the middle, or no numbers at all.

    They are looked at in windows; in a long piece one window that is strange is forgiven.
    """
    if len(samples) < _LEAST_SAMPLES:
        return False
    size = min(_WINDOW_SAMPLES, len(samples))
    windows = samples[: len(samples) - len(samples) % size].reshape(-1, size)
    means = windows.mean(axis=1, keepdims=True)
    centred = windows - means
    power = np.einsum("ij,ij->i", centred, centred)
    likeness = np.abs(np.einsum("ij,ij->i", centred[:, 1:], centred[:, :-1]))
    noise = (power >= _NOISE_LEVEL**2 * size) & (likeness < _NOISE_LIKENESS * power)
    strange = noise | ~(np.abs(means[:, 0]) <= _OFFSET)  # the second is also true for what is no number
    return int(strange.sum()) > (len(windows) >= _FORGIVING)

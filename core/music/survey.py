"""Looks a file through for what is shown and evened: length, tags, picture, loudness. For a process that may be ended."""

from __future__ import annotations

import io
import warnings
from contextlib import closing
from typing import TYPE_CHECKING, Any

from core.audio.decode import blocks, open_sound
from core.audio.frames import RATE_HZ
from core.errors import AudioError
from core.music.loudness import LoudnessMeter
from core.music.track import TrackFacts

if TYPE_CHECKING:
    from pathlib import Path

    from core.music.loudness import Measure

WHOLE_S = 900.0  # a longer file is listened to in places, so that no length takes longer than this
PLACES, PLACE_S = 60, 10.0
TAG_LENGTH = 200  # characters
PICTURE_BYTES = 8_000_000
PICTURE_PIXELS = 25_000_000
PICTURE_PACKETS = 20  # within which the picture comes
SIDE_PX, QUALITY = 320, 85
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")


def survey(path: Path, max_bytes: int, max_s: float) -> TrackFacts:
    """What a sound file says of itself, and how loud it is. What cannot be told is left out.

    Raises:
        AudioError: It cannot be opened at all.
    """
    with open_sound(path, max_bytes) as container:
        length_s = None if container.duration is None else container.duration / 1e6
        title, artist = _tag(container, "title"), _tag(container, "artist")
        found = _picture(container)
    picture = None if found is None else small_picture(found)
    measure = _loudness(path, max_bytes, max_s, length_s)
    return TrackFacts(length_s, title, artist, measure.lufs, measure.peak_db, picture)


def small_picture(data: bytes) -> bytes | None:
    """A picture as a small JPEG; None if it is none, or too large to be looked at."""
    from PIL import Image

    out = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                if picture.width * picture.height > PICTURE_PIXELS:
                    return None
                picture.draft("RGB", (SIDE_PX, SIDE_PX))  # a JPEG is decoded no larger than needed
                small = picture.convert("RGB")
                small.thumbnail((SIDE_PX, SIDE_PX))
                small.save(out, "JPEG", quality=QUALITY)
    except Exception:  # noqa: BLE001 - a track without its picture is no trouble, and decoders raise whatever they like
        return None
    return out.getvalue()


def _tag(container: Any, name: str) -> str:
    """A tag of the file, or of its sound, where Ogg keeps them; untrusted."""
    tables = [container.metadata, *(stream.metadata for stream in container.streams.audio)]
    for table in tables:
        for key, value in table.items():
            if key.casefold() == name and value:
                return str(value)[:TAG_LENGTH]
    return ""


def _picture(container: Any) -> bytes | None:
    """The picture that is put into the file as its cover."""
    from av.error import FFmpegError
    from av.stream import Disposition

    pictures = (each for each in container.streams.video if each.disposition & Disposition.attached_pic)
    stream = next(pictures, None)
    if stream is None:
        return None
    try:
        for count, packet in enumerate(container.demux(stream)):
            if packet.size:
                return bytes(packet) if packet.size <= PICTURE_BYTES else None
            if count > PICTURE_PACKETS:
                return None
    except (FFmpegError, ValueError):
        return None
    return None


def _loudness(path: Path, max_bytes: int, max_s: float, length_s: float | None) -> Measure:
    meter = LoudnessMeter()
    whole = length_s is None or length_s <= WHOLE_S
    step_s = 0.0 if whole else (length_s or 0.0) / PLACES
    for place in range(1 if whole else PLACES):
        left = round((WHOLE_S if whole else PLACE_S) * RATE_HZ)
        try:
            with closing(blocks(path, max_bytes=max_bytes, max_s=max_s, start_s=place * step_s)) as given:
                while left > 0 and (block := next(given, None)) is not None:
                    meter.add(block[:left])
                    left -= len(block)
        except AudioError:  # damaged from there on: what was heard counts
            break
    return meter.measured()

"""Which format of a recording fits into a message, when the files that were asked for do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.audio.frames import RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.config.recording import TrackFormat
    from core.recording.metadata import Metadata, RecordedPerson

_FLAC_SHARE = 0.7  # of the samples of speech: what the loudest voices need
_OPUS_SILENCE_BPS = 2000.0  # bits a second of packets without sound, pages included
_OPUS_LOUDEST = 1.3  # how far a variable bit rate goes above the one that was asked for
_SLACK = 1.05


@dataclass(frozen=True, slots=True)
class Offer:
    """An export that fits, by estimate."""

    format: TrackFormat
    bytes: int
    person: bool = False  # the track of one person alone: everybody together is too large


def find_offer(metadata: Metadata, bitrate_kbps: int, limit: int) -> Offer | None:
    """The best format whose archive has at most `limit` bytes: of everybody, or else of each person alone."""
    people = [person for person in metadata.people if person.track is not None]
    mixes = 1 if metadata.files.session is not None else 0
    formats: tuple[TrackFormat, ...] = ("flac", "ogg", "mp3")
    for format in formats:
        size = _size(format, metadata.duration_s, people, mixes, bitrate_kbps)
        if people and size <= limit:
            return Offer(format, size)
    for format in formats:
        size = max((_size(format, metadata.duration_s, [each], 0, bitrate_kbps) for each in people), default=limit + 1)
        if size <= limit:
            return Offer(format, size, person=True)
    return None


def work_s(metadata: Metadata, files: int, workers: int) -> float:
    """How long it takes about to encode so many of its files, each in one of these workers."""
    return metadata.duration_s * -(-files // max(1, workers)) / _ENCODED_A_SECOND


_ENCODED_A_SECOND = 60.0  # seconds of sound, on a machine that has other things to do too


def _size(
    format: TrackFormat, duration_s: float, people: Sequence[RecordedPerson], mixes: int, bitrate_kbps: int
) -> int:
    speech_s = sum(person.speech_s for person in people)
    sound_s = speech_s + mixes * min(duration_s, speech_s)
    files = len(people) + mixes
    if format == "flac":
        bits = sound_s * RATE_HZ * 32 * _FLAC_SHARE + files * duration_s * 200
    elif format == "ogg":
        bits = sound_s * bitrate_kbps * 1000 * _OPUS_LOUDEST + files * duration_s * _OPUS_SILENCE_BPS
    else:
        bits = files * duration_s * bitrate_kbps * 1000
    return round(bits / 8 * _SLACK) + 20_000 * (files + 1)

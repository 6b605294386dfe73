"""From closed journals to a finished folder: tracks, mix, utterances, picture, metadata."""

from __future__ import annotations

import asyncio
import logging
import math
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from core.audio.encode import Quality, cut_file, encode_file
from core.audio.frames import RATE_HZ
from core.audio.ogg import Damage, PageReader, read_tags
from core.recording.files import SEGMENTS
from core.recording.lengthening import lengthen
from core.recording.metadata import (
    Audio,
    Files,
    MissingSound,
    RecordedPerson,
    RecordedSegment,
    read_metadata,
    write_metadata,
)
from core.recording.picture import draw_timeline
from core.recording.rendering import SESSION, Rendering

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from core.config.recording import RecordingSection
    from core.machine.lane import Lane
    from core.recording.metadata import Metadata
    from core.recording.rendering import RenderedTrack

_log = logging.getLogger(__name__)

PICTURE = "timeline.png"
_JOURNAL = re.compile(r"(\d{1,20})(?:_.*)?\.ogg")
_RENDERED = (".wav", ".flac", ".mp3", ".new")
_SAVED = "I was cut off while recording. What was on disk is safe."


def new_rendering(folder: Path, section: RecordingSection, workers: Lane) -> Rendering:
    """A rendering of a folder, as the configuration wants it."""
    return Rendering(
        folder,
        workers,
        utterance_silence_s=section.utterance_silence_s,
        silence_dbfs=section.silence_dbfs,
        mix=section.mix,
    )


def quality_of(section: RecordingSection) -> Quality:
    """What finished files are to be."""
    return Quality(section.format, section.rate_hz, section.channels, section.bitrate_kbps)


def find_journals(folder: Path) -> dict[int, str]:
    """File names of the journals in a folder, by user id."""
    found = {
        int(match[1]): path.name
        for path in folder.iterdir()
        if (match := _JOURNAL.fullmatch(path.name)) and not path.is_symlink() and int(match[1]) < 1 << 63
    }
    return dict(sorted(found.items()))


def clear_rendered(folder: Path) -> None:
    """Delete everything that can be made from the journals again.

    Raises:
        OSError: Something cannot be deleted.
    """
    for path in [*folder.iterdir(), *(folder / SEGMENTS).glob("*")]:
        if path.is_file() and (path.suffix in _RENDERED or path.name in (PICTURE, "session.ogg")):
            path.unlink(missing_ok=True)
    if (folder / SEGMENTS).is_dir():
        (folder / SEGMENTS).rmdir()


def settle_metadata(folder: Path) -> Metadata:
    """The metadata of a folder whose recorder is gone, made to agree with the journals that are there.

    Raises:
        RecordingError: There is no metadata that can be read.
        OSError: It cannot be written.
    """
    metadata = read_metadata(folder)
    journals = find_journals(folder)
    if metadata.state == "recording":
        metadata.interrupted = True
        metadata.reason = _SAVED
        metadata.state = "rendering"
    metadata.people = [person for person in metadata.people if int(person.id) in journals or person.never_heard]
    for person in metadata.people:
        person.journal = journals.get(int(person.id))
    for user_id, name in journals.items():
        if metadata.person(user_id) is None:
            begun = datetime.fromtimestamp((folder / name).stat().st_mtime, UTC)
            metadata.people.append(
                RecordedPerson(id=str(user_id), name=_name_in(folder / name), first_seen_at=begun, journal=name)
            )
    write_metadata(folder, metadata)
    return metadata


def drop_refused(folder: Path, refused: Callable[[int], bool]) -> list[int]:
    """Delete journals and mentions of who refused, where that could not be done before; gives who that was.

    Raises:
        RecordingError: There is no metadata that can be read.
        OSError: A journal cannot be deleted, or the metadata not written.
    """
    metadata = read_metadata(folder)
    dropped: set[int] = set()
    for user_id, name in find_journals(folder).items():
        if refused(user_id):
            (folder / name).unlink()
            dropped.add(user_id)
    dropped |= {int(person.id) for person in metadata.people if refused(int(person.id))}
    if dropped:
        metadata.people = [person for person in metadata.people if int(person.id) not in dropped]
        metadata.segments = [each for each in metadata.segments if int(each.user_id) not in dropped]
        write_metadata(folder, metadata)
    return sorted(dropped)


def give_up(folder: Path) -> dict[int, str]:
    """Note in the metadata that finished files could not be made; gives who is on the recording.

    Raises:
        RecordingError: There is no metadata that can be read.
        OSError: It cannot be written.
    """
    metadata = settle_metadata(folder)
    metadata.state = "failed"
    write_metadata(folder, metadata)
    return {int(person.id): person.name for person in metadata.people}


async def finish(folder: Path, section: RecordingSection, workers: Lane, rendering: Rendering) -> Metadata:
    """Complete a folder whose journals are closed; gives the metadata as written.

    Raises:
        RecordingError: The folder's metadata cannot be read.
        OSError: A file cannot be read or written; the journals stay as they are.
    """
    metadata = await asyncio.to_thread(settle_metadata, folder)
    journals = await asyncio.to_thread(find_journals, folder)
    length = await rendering.finish(journals, round(metadata.duration_s * RATE_HZ))
    metadata.duration_s = round(length / RATE_HZ, 3)
    if metadata.ended_at is None:
        metadata.ended_at = metadata.started_at + timedelta(seconds=metadata.duration_s)
    quality = quality_of(section)
    names = _final_names(folder, rendering, quality)
    _describe(metadata, rendering, names, quality)
    if section.segment_files:
        await _cut(folder, metadata, rendering, workers)
    await _convert(folder, set(journals.values()), names, quality, workers)
    if quality.format == "ogg":  # the journals are the tracks
        tracks = [folder / name for name in names.values() if name in journals.values()]
        await asyncio.gather(*(workers.run(lengthen, str(track), length) for track in tracks))
    metadata.files.timeline = PICTURE
    metadata.state = "finished"
    await workers.run(draw_timeline, metadata.model_dump_json(), str(folder / PICTURE))
    await asyncio.to_thread(write_metadata, folder, metadata)
    return metadata


def _final_names(folder: Path, rendering: Rendering, quality: Quality) -> dict[str, str]:
    """What the finished files are called, by the names of the rendered WAVs."""
    names: dict[str, str] = {}
    for track in rendering.tracks.values():
        if track.utterances:
            # the journal is Ogg and in time, its packets untouched: no better one can be made
            names[track.wav] = track.journal if quality.format == "ogg" else _renamed(track.wav, quality)
    if (folder / SESSION).exists():
        names[SESSION] = _renamed(SESSION, quality)
    return names


def _renamed(wav: str, quality: Quality) -> str:
    return f"{wav.removesuffix('.wav')}.{quality.format}"


async def _convert(folder: Path, journals: set[str], names: dict[str, str], quality: Quality, workers: Lane) -> None:
    """Bring the rendered WAVs into the wanted quality; those that are of no more use go."""
    if quality.as_rendered:
        return
    await asyncio.gather(
        *(
            workers.run(encode_file, str(folder / wav), str(folder / name), quality)
            for wav, name in names.items()
            if name not in journals
        )
    )
    for wav, name in names.items():
        if name != wav:
            await asyncio.to_thread((folder / wav).unlink, missing_ok=True)


def _describe(metadata: Metadata, rendering: Rendering, names: dict[str, str], quality: Quality) -> None:
    """Put what rendering found into the metadata."""
    metadata.audio = Audio(
        format=quality.format,
        rate_hz=quality.rate_hz,
        channels=quality.channels,
        bits=16 if quality.format in ("wav", "flac") else None,
    )
    metadata.files = Files(session=names.get(SESSION))
    metadata.segments = []
    for user_id, track in rendering.tracks.items():
        person = metadata.person(user_id)
        if person is None:
            continue
        person.track = names.get(track.wav)
        _describe_person(person, track)
        metadata.segments += [
            RecordedSegment(
                user_id=person.id,
                file=person.track,
                start_s=round(utterance.start / RATE_HZ, 3),
                duration_s=round((utterance.end - utterance.start) / RATE_HZ, 3),
            )
            for utterance in track.utterances
        ]
    metadata.segments.sort(key=lambda segment: (segment.start_s, segment.user_id))


def _describe_person(person: RecordedPerson, track: RenderedTrack) -> None:
    state = track.state
    person.speech_s = round(sum(u.end - u.start for u in track.utterances) / RATE_HZ, 3)
    person.peak_dbfs = round(20 * math.log10(state.peak / 32768), 1) if state.peak else None
    packets = person.packets
    packets.concealed, packets.recovered = state.concealed, state.recovered
    packets.received = max(packets.received, state.packets)  # after a crash the last counts were not written
    person.missing = [
        MissingSound(
            start_s=round(missing.start / RATE_HZ, 3),
            duration_s=round((missing.end - missing.start) / RATE_HZ, 3),
            bytes=missing.bytes,
        )
        for missing in track.missing
    ]


async def _cut(folder: Path, metadata: Metadata, rendering: Rendering, workers: Lane) -> None:
    """Write every utterance to a file of its own."""
    cuts: dict[str, list[tuple[int, int, str]]] = {}
    for number, segment in enumerate(metadata.segments, 1):
        track = rendering.tracks[int(segment.user_id)]
        stem = track.wav.removesuffix(".wav")
        segment.file = f"{SEGMENTS}/{number:04d}_{stem}.wav"
        start = round(segment.start_s * RATE_HZ)
        end = start + round(segment.duration_s * RATE_HZ)
        cuts.setdefault(track.wav, []).append((start, end, str(folder / segment.file)))
    await asyncio.gather(*(workers.run(cut_file, str(folder / wav), each) for wav, each in cuts.items()))


def _name_in(journal: Path) -> str:
    """The name in a journal's tags, or its file's."""
    with journal.open("rb") as file:
        for page in PageReader(file):
            if isinstance(page, Damage):
                break
            tags = read_tags(page.packets[0]) if page.packets else None
            if tags is not None:
                return tags.get("TITLE", journal.stem)
    return journal.stem

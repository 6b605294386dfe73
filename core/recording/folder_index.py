"""What the folders of recordings say, for an index that does not know them (any more)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from core.errors import RecordingError
from core.recording.metadata import FILE, read_metadata
from core.store.recordings import RecordingRecord

if TYPE_CHECKING:
    from pathlib import Path

    from core.recording.metadata import Metadata

_log = logging.getLogger(__name__)


def scan(root: Path, known: set[str]) -> list[tuple[RecordingRecord, dict[int, str]]]:
    """Recordings in folders that the index does not know, and who is on them: it was lost, or they were brought. Blocks."""
    found: list[tuple[RecordingRecord, dict[int, str]]] = []
    for file in sorted(root.glob(f"*/*/*/{FILE}")):
        folder = file.parent
        if folder.relative_to(root).as_posix() in known or _leads_out(folder):
            continue
        try:
            metadata = read_metadata(folder)
            people = {int(person.id): person.name for person in metadata.people}
            found.append((describe(root, metadata, folder, None), people))
        except RecordingError:
            _log.warning("%s is no recording of ours, or damaged", folder)
    return found


def _leads_out(folder: Path) -> bool:
    """Whether a folder is reached through a link: what is behind it is not ours to hand out or delete."""
    return any(each.is_symlink() for each in (folder, folder.parent, folder.parent.parent))


def describe(root: Path, metadata: Metadata, folder: Path, report_channel_id: int | None) -> RecordingRecord:
    """A recording as the index knows it, by its metadata and its folder below `root`."""
    return RecordingRecord(
        id=metadata.id,
        guild_id=int(metadata.guild.id),
        channel_id=int(metadata.channel.id),
        channel_name=metadata.channel.name,
        folder=folder.relative_to(root).as_posix(),
        state=metadata.state,
        started_at=metadata.started_at,
        started_by=None if metadata.started_by is None else int(metadata.started_by.id),
        report_channel_id=report_channel_id,
        duration_s=metadata.duration_s or None,
        moved_to=metadata.moved_ids,
    )

"""What happens to recordings beside what everybody hears of in `core.events`."""

from __future__ import annotations

from dataclasses import dataclass

from core.events import GuildEvent


@dataclass(frozen=True, slots=True)
class RecordingFailed(GuildEvent):
    """A recording's finished files could not be made; its journals are safe."""

    recording_id: str
    channel_id: int
    folder: str

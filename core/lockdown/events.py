"""What the lockdown tells others, beside `FeatureLocked` and `FeatureReleased`."""

from __future__ import annotations

from dataclasses import dataclass

from core.events import Event


@dataclass(frozen=True, slots=True)
class MemoryRanLow(Event):
    """A memory is fuller than `[lockdown] memory_warning` allows; told again only after it had room in between."""

    memory: str  # for people: "System memory", the name of a GPU
    used_bytes: int
    total_bytes: int

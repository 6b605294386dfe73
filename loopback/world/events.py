"""What the world tells its listeners: an event's name, its JSON and who may hear it."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Audience:
    """Who may hear an event; every field that is set narrows the audience.

    `guild_id`: members of that guild. `channel_id`: those who can view that channel. `user_ids`: these users only.
    """

    guild_id: int | None = None
    channel_id: int | None = None
    user_ids: frozenset[int] | None = None


Listener = Callable[[str, dict[str, Any], Audience], None]


class Events:
    """A synchronous list of listeners; each event reaches them in the order it happened."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Call `listener(name, data, audience)` for every event from now on."""
        self._listeners.append(listener)

    def publish(self, name: str, data: dict[str, Any], audience: Audience) -> None:
        """Hand one event to every listener."""
        for listener in self._listeners:
            listener(name, data, audience)


def now() -> datetime.datetime:
    """The present moment in UTC, as every time in this world is kept."""
    return datetime.datetime.now(datetime.UTC)


def timestamp(moment: datetime.datetime | None) -> str | None:
    """A time as Discord writes it (ISO 8601 with offset), or None."""
    return None if moment is None else moment.isoformat()

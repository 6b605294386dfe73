"""A gateway session: what it was sent, so that a client can come back and miss nothing."""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import asyncio

    from loopback.world.users import User

REPLAY_LIMIT = 10_000


class FrameSink(Protocol):
    """The connection a session speaks through at the moment."""

    def send(self, text: str) -> None:
        """Queue one frame."""
        ...


class Session:
    """One identified client. It outlives its connections until it is ended or too much has piled up.

    Attributes:
        expiry: The timer that ends the session while nobody is connected.
    """

    def __init__(self, session_id: str, user: User, intents: int) -> None:
        self.id = session_id
        self.user = user
        self.intents = intents
        self.sequence = 0
        self.wire: FrameSink | None = None
        self.expiry: asyncio.TimerHandle | None = None
        self._sent: deque[tuple[int, str]] = deque(maxlen=REPLAY_LIMIT)

    def dispatch(self, name: str, data: dict[str, Any]) -> None:
        """Number an event, keep it and send it if somebody is connected."""
        self.sequence += 1
        text = json.dumps({"op": 0, "t": name, "s": self.sequence, "d": data})
        self._sent.append((self.sequence, text))
        if self.wire is not None:
            self.wire.send(text)

    def can_resume_from(self, sequence: int) -> bool:
        """Whether everything after `sequence` is still kept."""
        oldest = self._sent[0][0] if self._sent else self.sequence + 1
        return oldest - 1 <= sequence <= self.sequence

    def replay(self, sequence: int) -> None:
        """Send everything after `sequence` again."""
        if self.wire is None:
            return
        for number, text in self._sent:
            if number > sequence:
                self.wire.send(text)

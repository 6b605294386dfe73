"""What the bot itself says, for who wants it: every frame that was sent, stamped as a receiver would stamp it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.audio.frames import FRAME_SAMPLES, RATE_HZ
from core.fanout import Fanout

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.handles import Handle

_APART = RATE_HZ // 1000  # a frame this far from its place in the spurt begins a new one


@dataclass(frozen=True, slots=True)
class SentFrame:
    """20 ms of Opus that went out.

    `timestamp` is in 48 kHz ticks of a clock that runs through silence and wraps at 2**32, `sequence` wraps at 2**16;
    `sent_s` is the player's clock at the socket. `said_for` names those whose words or files are to be heard in it.
    """

    sequence: int
    timestamp: int
    sent_s: float
    opus: bytes
    said_for: tuple[int, ...] = ()


class Monitor:
    """Hands on what a player sends. Listeners come and go on the event loop, whatever the player's thread does."""

    def __init__(self) -> None:
        self._frames = Fanout[SentFrame]("a frame of the bot's own voice")
        self._sequence = self._timestamp = 0

    def subscribe(self, callback: Callable[[SentFrame], object], *, owner: object = None) -> Handle:
        """Call `callback` for every frame, on the player's thread, where it must not block."""
        return self._frames.subscribe(callback, owner=owner)

    def drop(self, owner: object) -> None:
        """End the subscriptions of `owner`."""
        self._frames.drop(owner)

    def sent(self, opus: bytes, due_s: float, now_s: float, said_for: tuple[int, ...] = ()) -> None:
        """A frame that was due at `due_s` has gone out."""
        if not self._frames:
            return
        due, following = round(due_s * RATE_HZ), self._timestamp + FRAME_SAMPLES
        self._timestamp = following if abs(due - following) < _APART else due
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._frames.send(SentFrame(self._sequence, self._timestamp & 0xFFFFFFFF, now_s, opus, said_for))

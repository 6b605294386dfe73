"""Who is really speaking: from the packets that arrive, not from what clients claim."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.audio.frames import OPUS_SILENCE, OpusFrame
from core.events import SpeakingStarted, SpeakingStopped

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.hub import Hub

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Speech:
    began_s: float
    last_s: float


class SpeakingDetector:
    """Publishes `SpeakingStarted` with the first voiced packet and `SpeakingStopped` after a while of none.

    Opus silence, which clients send to end a spurt and some send all the time, does not count. `heard` is subscribed to the
    receiver and runs on its thread; a timer on the loop runs only while somebody speaks.
    """

    def __init__(self, hub: Hub, guild_id: int, channel_id: Callable[[], int], *, silence_s: float = 0.3) -> None:
        self._hub = hub
        self._guild_id = guild_id
        self._channel_id = channel_id
        self._silence_s = silence_s
        self._speaking: dict[int, _Speech] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to watch for silence; called on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._watch()

    async def close(self) -> None:
        """Stop; whoever speaks is said to have stopped."""
        self._loop = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.expire(float("inf"))

    def speaking_users(self) -> set[int]:
        """Ids of the people who are speaking now."""
        return set(self._speaking)

    def heard(self, frame: OpusFrame) -> None:
        """Take a frame, on the receiving thread."""
        if frame.payload == OPUS_SILENCE:
            return
        speech = self._speaking.get(frame.user_id)
        if speech is not None:
            speech.last_s = max(speech.last_s, frame.arrival_s)
            return
        self._speaking[frame.user_id] = _Speech(frame.arrival_s, frame.arrival_s)
        self._hub.publish(SpeakingStarted(self._guild_id, self._channel_id(), frame.user_id, frame.arrival_s))
        if self._loop is not None and self._timer is None:
            try:
                self._loop.call_soon_threadsafe(self._watch)
            except RuntimeError:  # the loop has closed: the process is on its way out
                _log.debug("the loop is closed; the end of a speech will not be seen")

    def expire(self, now_s: float) -> None:
        """Publish the end of every speech whose last voiced packet came more than the configured silence before."""
        for user_id, speech in list(self._speaking.items()):
            if now_s - speech.last_s < self._silence_s:
                continue
            del self._speaking[user_id]
            duration_s = speech.last_s - speech.began_s
            self._hub.publish(SpeakingStopped(self._guild_id, self._channel_id(), user_id, speech.last_s, duration_s))

    def _watch(self) -> None:
        """Look for silence now, and again when the next speech may end."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now_s = time.monotonic()
        self.expire(now_s)
        speeches = list(self._speaking.values())
        if speeches and self._loop is not None:
            next_s = min(speech.last_s for speech in speeches) + self._silence_s
            self._timer = self._loop.call_later(max(0.01, next_s - now_s), self._watch)

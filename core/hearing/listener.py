"""Listens to voice sessions: packets become utterances, on one thread for all sessions, never the loop's or the reader's."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from core.hearing.person_ear import PersonEar
from core.hearing.utterance_finder import Place

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from core.audio.frames import OpusFrame
    from core.clock import Clock
    from core.hearing.utterance_finder import Finding

_log = logging.getLogger(__name__)

STEP_S = 0.02  # how often packets are taken up
STALLED_S = 0.15  # a step that comes so late says nothing about silence: the packets were not read either
WAITING = 500  # packets of one person: ten seconds
AT_ONCE = 150  # packets of one person in one step, so that no flood keeps the others waiting
IDLE_S = 60.0  # of whom nothing came for so long, nothing is kept


class PacketSource(Protocol):
    """Where packets come from."""

    def subscribe(self, callback: Callable[[OpusFrame], None], *, owner: object) -> object:
        """Call `callback` with every packet, on a thread that must not wait."""
        ...

    def drop(self, owner: object) -> object:
        """End the subscriptions of `owner`."""
        ...


@dataclass(frozen=True, slots=True)
class HeardRoom:
    """A voice session, as far as listening is concerned. Its functions are called on the listener's thread."""

    guild_id: int
    channel_id: Callable[[], int]
    source: PacketSource
    allows: Callable[[int], bool]  # whether a person may be heard; asked before anything of theirs is decoded


class RoomEar:
    """Everybody in one session. `put` is called by the reading thread, the rest by the listener's.

    Args:
        room: What is listened to.
        clock: Tells UTC.
        end_s: Silence that ends an utterance.
    """

    def __init__(self, room: HeardRoom, clock: Clock, *, end_s: float) -> None:
        self.room = room
        self.look_every_s: float | None = None  # how often what is being said is shown while it is said
        self.dropped = 0  # packets for which there was no room
        self._clock = clock
        self._end_s = end_s
        self._waiting: dict[int, deque[OpusFrame]] = {}
        self._people: dict[int, PersonEar] = {}
        self._left: deque[int] = deque()

    def put(self, frame: OpusFrame) -> None:
        """Take a packet; returns at once."""
        waiting = self._waiting.get(frame.user_id)
        if waiting is None:
            waiting = self._waiting.setdefault(frame.user_id, deque(maxlen=WAITING))
        if len(waiting) == WAITING:
            self.dropped += 1
        waiting.append(frame)

    def leave(self, user_id: int) -> None:
        """Somebody is gone: what they said so far counts. From any thread."""
        self._left.append(user_id)

    def step(self, now_s: float, *, stalled: bool = False) -> list[Finding]:
        """Decode what has come, and give what was found in it.

        Args:
            now_s: time.monotonic.
            stalled: Whether packets may have come that nobody could read yet.
        """
        found: list[Finding] = []
        for user_id, waiting in list(self._waiting.items()):
            person = self._people.get(user_id)
            if not self.room.allows(user_id):
                waiting.clear()
                if person is not None:
                    found += person.drop()
                    del self._people[user_id]
                continue
            if waiting and person is None:
                person = self._people[user_id] = PersonEar(
                    self._place(user_id), waiting[0].arrival_s, end_s=self._end_s
                )
            if person is None:
                continue
            person.look_every_s = self.look_every_s
            for _ in range(min(len(waiting), AT_ONCE)):
                person.push(waiting.popleft())
            found += person.step(now_s, look=not stalled and not waiting)
            if not waiting and now_s - person.heard_s > IDLE_S:
                del self._people[user_id]
        while self._left:
            gone = self._people.pop(self._left.popleft(), None)
            if gone is not None:
                found += gone.close()
        return found

    def close(self) -> list[Finding]:
        """Nobody listens any more: the words so far count."""
        found = [finding for person in self._people.values() for finding in person.close()]
        self._people.clear()
        self._waiting.clear()
        return found

    def _place(self, user_id: int) -> Place:
        return Place(self.room.guild_id, self.room.channel_id, user_id, self._wall)

    def _wall(self, at_s: float) -> datetime:
        return self._clock.now() - timedelta(seconds=self._clock.monotonic() - at_s)


class Listener:
    """The thread that listens to every room that was opened; without any, there is none."""

    def __init__(self, clock: Clock, *, end_s: float) -> None:
        self._clock = clock
        self._end_s = end_s
        self._rooms: dict[RoomEar, Callable[[list[Finding]], None]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    def open(self, room: HeardRoom, tell: Callable[[list[Finding]], None]) -> RoomEar:
        """Listen to a room from now on; `tell` is called on the listener's thread, and must not wait."""
        ear = RoomEar(room, self._clock, end_s=self._end_s)
        with self._lock:
            self._rooms[ear] = tell
            if self._thread is None:
                self._closed.clear()
                self._thread = threading.Thread(target=self._run, name="parley-listener", daemon=True)
                self._thread.start()
        room.source.subscribe(ear.put, owner=ear)
        return ear

    def shut(self, ear: RoomEar) -> None:
        """Listen to a room no more."""
        ear.room.source.drop(ear)
        with self._lock:
            self._rooms.pop(ear, None)
            if not self._rooms:
                self._thread = None
                self._closed.set()

    def _run(self) -> None:
        closed, last_s = self._closed, self._clock.monotonic()
        mine = threading.current_thread()
        while not closed.wait(STEP_S) and self._thread is mine:
            now_s = self._clock.monotonic()
            stalled, last_s = now_s - last_s > STALLED_S, now_s
            with self._lock:
                rooms = list(self._rooms.items())
            for ear, tell in rooms:
                try:
                    if found := ear.step(now_s, stalled=stalled):
                        tell(found)
                except Exception:  # noqa: BLE001 - one room's fault must not deafen the others; the log has the cause
                    _log.exception("listening in guild %d failed", ear.room.guild_id)

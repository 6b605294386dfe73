"""What plays and what waits, in order, and what comes next."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Literal

from core.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from core.music.track import Track

Loop = Literal["off", "track", "queue"]

LIMIT = 50
LIMIT_BYTES = 200_000_000  # of uploads, which wait on disk

FULL = "{count} files are waiting already. Skip one first."
HEAVY = "The files that wait take {size:.0f} MB already. Let some of them play first."
YOURS = (
    "{count} of the tracks that wait are yours already; that is the most for one person. Let some of them play first."
)
NO_SUCH = "There is no track number {number} in the queue; it has {count}."
NOTHING_WAITS = "Nothing waits in the queue."
FIRST_PLAYS = "Number 1 is playing already. Skip it, or name one that waits."


class MusicQueue:
    """A list of tracks whose first one plays. Numbers begin at 1, which is what plays."""

    def __init__(self, *, limit: int = LIMIT, limit_person: int = LIMIT, limit_bytes: int = LIMIT_BYTES) -> None:
        """Begin empty.

        Args:
            limit: Tracks at most.
            limit_person: Tracks of one person at most.
            limit_bytes: Bytes on disk that all tracks may keep.
        """
        self.limit = limit
        self.limit_person = limit_person
        self.limit_bytes = limit_bytes
        self.loop: Loop = "off"
        self.changed: Callable[[], None] = _nothing
        self.gone: Callable[[Track], None] = _lost
        self._tracks: list[Track] = []

    def __len__(self) -> int:
        return len(self._tracks)

    @property
    def tracks(self) -> list[Track]:
        """What plays, then what waits."""
        return list(self._tracks)

    @property
    def head(self) -> Track | None:
        """What plays, or is to."""
        return self._tracks[0] if self._tracks else None

    @property
    def upcoming(self) -> Track | None:
        """What follows when the head has played to its end."""
        if not self._tracks:
            return None
        if self.loop == "track" or (self.loop == "queue" and len(self._tracks) == 1):
            return self._tracks[0]
        return self._tracks[1] if len(self._tracks) > 1 else None

    @property
    def size(self) -> int:
        """Bytes on disk that the tracks keep."""
        return sum(track.source.size for track in self._tracks)

    def require_room(self, size: int = 0, by: int = 0, count: int = 1) -> None:
        """Refuse when too much waits.

        Raises:
            AudioError: Too many tracks, of all or of one person, or too many bytes with `size` more.
        """
        if len(self._tracks) + count > self.limit:
            raise AudioError(FULL.format(count=len(self._tracks)))
        if by and sum(track.by == by for track in self._tracks) + count > self.limit_person:
            raise AudioError(YOURS.format(count=self.limit_person))
        if size and self.size + size > self.limit_bytes:
            raise AudioError(HEAVY.format(size=self.size / 1e6))

    def room(self, by: int) -> int:
        """How many tracks a person may still add."""
        free = self.limit - len(self._tracks)
        return max(0, min(free, self.limit_person - sum(track.by == by for track in self._tracks)) if by else free)

    def add(self, track: Track, *, next: bool = False) -> None:
        """Put a track at the end, or right behind what plays.

        Raises:
            AudioError: There is no room.
        """
        self.require_room(track.source.size, track.by)
        self._tracks.insert(1 if next and self._tracks else len(self._tracks), track)
        self.changed()

    def put_back(self, tracks: Sequence[Track]) -> None:
        """Put tracks of before at the front, without asking for room."""
        self._tracks[:0] = tracks
        self.changed()

    def advance(self) -> None:
        """The head has played to its end."""
        if self.loop != "track":
            self._pass()

    def skip(self) -> Track | None:
        """Go on with the next, whatever the loop; gives what was skipped, or None."""
        return self._pass()

    def drop(self, track: Track) -> None:
        """Take a track out, wherever it is."""
        if track in self._tracks:
            self._tracks.remove(track)
            self.gone(track)
            self.changed()

    def at(self, number: int) -> Track:
        """The track of a number.

        Raises:
            AudioError: There is none.
        """
        if not 1 <= number <= len(self._tracks):
            raise AudioError(NO_SUCH.format(number=number, count=len(self._tracks)))
        return self._tracks[number - 1]

    def move(self, number: int, to: int) -> Track:
        """Give a track that waits another place among those that wait.

        Raises:
            AudioError: One of the places is not there, or is the one that plays.
        """
        track = self.at(number)
        self.at(to)
        if 1 in (number, to):
            raise AudioError(FIRST_PLAYS)
        self._tracks.remove(track)
        self._tracks.insert(to - 1, track)
        self.changed()
        return track

    def shuffle(self, chance: random.Random | None = None) -> int:
        """Mix what waits; gives how many that are.

        Raises:
            AudioError: Nothing waits.
        """
        waiting = self._tracks[1:]
        if not waiting:
            raise AudioError(NOTHING_WAITS)
        (chance or random.Random()).shuffle(waiting)  # noqa: S311 - an order of songs is no secret
        self._tracks[1:] = waiting
        self.changed()
        return len(waiting)

    def clear(self, *, everything: bool = False) -> int:
        """Drop what waits, and what plays too if `everything`; gives how many that were."""
        dropped = self._tracks[0 if everything else 1 :]
        del self._tracks[0 if everything else 1 :]
        for track in dropped:
            self.gone(track)
        if dropped:
            self.changed()
        return len(dropped)

    def _pass(self) -> Track | None:
        if not self._tracks:
            return None
        track = self._tracks.pop(0)
        if self.loop == "queue":
            track.start_s = 0.0
            self._tracks.append(track)
        else:
            self.gone(track)
        self.changed()
        return track


def _nothing() -> None:
    """Nobody wants to know."""


def _lost(track: Track) -> None:
    """Nobody looks after what a track kept."""

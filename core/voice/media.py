"""Files and uploads played into a session, one after the other, beside the voice."""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.errors import AudioError, VoiceError
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    import numpy as np
    from numpy.typing import NDArray

    from core.voice.playback.player import Player
    from core.voice.playback.stream import PlaybackStream

_log = logging.getLogger(__name__)

QUEUED_S = 2.0  # decoded sound kept ready
LIMIT = 50
LIMIT_BYTES = 200_000_000  # of uploads, which wait in memory

FULL = "{count} files are waiting already. Skip one first."
HEAVY = "The files that wait take {size:.0f} MB already. Let some of them play first."


@dataclass(slots=True, eq=False)
class Track:
    """One file in the queue. `title` is untrusted text, `size` what it holds in memory, in bytes."""

    title: str
    by: int
    open: Callable[[], AsyncGenerator[NDArray[np.float32]]]
    size: int = 0
    line: PlaybackStream | None = None
    id: str = field(default_factory=lambda: secrets.token_hex(4))


class Media:
    """What plays and what waits to be played in one session."""

    def __init__(self, player: Player, failed: Callable[[Track, AudioError], Awaitable[None]]) -> None:
        """Begin with an empty queue.

        Args:
            player: Plays.
            failed: Told of a file that turned out to be damaged half way.
        """
        self._player = player
        self._failed = failed
        self._tracks: list[Track] = []
        self._turn = asyncio.Lock()
        self._tasks = Tasks("media")

    @property
    def tracks(self) -> list[Track]:
        """What plays, then what waits."""
        return list(self._tracks)

    def require_room(self, size: int) -> None:
        """Refuse when too much waits.

        Raises:
            AudioError: Too many files, or too many bytes with `size` more.
        """
        if len(self._tracks) >= LIMIT:
            raise AudioError(FULL.format(count=LIMIT))
        held = sum(track.size for track in self._tracks)
        if size and held + size > LIMIT_BYTES:
            raise AudioError(HEAVY.format(size=held / 1e6))

    async def add(self, track: Track) -> None:
        """Put a track in the queue; its first block is decoded at once, so that what is no audio is told now.

        `track.open` gives 48 kHz stereo float32 blocks, shape (n, 2), as `core.audio.decode` does. It is opened again
        when its turn comes, so that what waits holds neither a decoder nor a thread.

        Raises:
            AudioError: It cannot be decoded, or the queue is full.
        """
        self.require_room(track.size)
        async with aclosing(track.open()) as blocks:
            await anext(blocks, None)
        self.require_room(track.size)  # others may have come meanwhile
        self._tracks.append(track)
        self._tasks.start(self._play(track), track.id)

    def skip(self) -> Track | None:
        """End what plays; gives it, or None."""
        if not self._tracks:
            return None
        track = self._tracks[0]
        self._drop(track)
        return track

    def stop(self) -> int:
        """End what plays and drop what waits; gives how many that were."""
        tracks = self.tracks
        for track in reversed(tracks):
            self._drop(track)
        return len(tracks)

    async def close(self) -> None:
        """Stop everything."""
        self.stop()
        await self._tasks.cancel_all()

    def _drop(self, track: Track) -> None:
        self._tracks.remove(track)
        if track.line is not None:
            track.line.stop()
        self._tasks.cancel(track.id)

    async def _play(self, track: Track) -> None:
        problem: AudioError | None = None
        try:
            async with self._turn, aclosing(track.open()) as blocks:
                track.line = self._player.line(track.id, bus="media", said_for=track.by)
                problem = await self._feed(track.line, blocks)
        except VoiceError as error:
            _log.info("%r is not played: %s", track.title, error.sentence)
        finally:
            if track in self._tracks:
                self._tracks.remove(track)
        if problem is not None:
            _log.warning("%r stopped half way: %s", track.title, problem.sentence, exc_info=problem.__cause__)
            await self._failed(track, problem)

    async def _feed(self, line: PlaybackStream, blocks: AsyncGenerator[NDArray[np.float32]]) -> AudioError | None:
        """Play to the end, or to where the file turned out to be bad; gives what was wrong."""
        problem: AudioError | None = None
        try:
            async for block in blocks:
                line.write(block)
                await line.below(QUEUED_S)
        except AudioError as error:
            problem = error
        finally:
            line.end()
        await line.finished()
        return problem

"""Files and uploads played into a session, one after the other, beside the voice."""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.errors import AudioError
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import numpy as np
    from numpy.typing import NDArray

    from core.voice.playback.line import Line
    from core.voice.playback.player import Player

_log = logging.getLogger(__name__)

QUEUED_S = 2.0  # decoded sound kept ready
LIMIT = 50


@dataclass(slots=True, eq=False)
class Track:
    """One file in the queue. `title` is untrusted text."""

    title: str
    by: int
    blocks: AsyncGenerator[NDArray[np.float32]]
    first: NDArray[np.float32] | None = None
    line: Line | None = None
    skipped: bool = False
    id: str = field(default_factory=lambda: secrets.token_hex(4))


class Media:
    """What plays and what waits to be played in one session."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self._tracks: list[Track] = []
        self._turn = asyncio.Lock()
        self._tasks = Tasks("media")

    @property
    def tracks(self) -> list[Track]:
        """What plays, then what waits."""
        return list(self._tracks)

    async def add(self, title: str, blocks: AsyncGenerator[NDArray[np.float32]], *, by: int) -> Track:
        """Put a decoded stream in the queue; its first block is decoded at once, so that what is no audio is told now.

        Args:
            title: What people see.
            blocks: 48 kHz stereo float32, shape (n, 2), as `core.audio.decode` gives it.
            by: Id of the person who asked.

        Raises:
            AudioError: It cannot be decoded, or the queue is full.
        """
        if len(self._tracks) >= LIMIT:
            raise AudioError(f"{LIMIT} files are waiting already. Skip one first.")
        track = Track(title, by, blocks)
        track.first = await anext(blocks, None)
        self._tracks.append(track)
        self._tasks.start(self._play(track), track.id)
        return track

    def skip(self) -> Track | None:
        """End what plays; gives it, or None."""
        if not self._tracks:
            return None
        track = self._tracks[0]
        track.skipped = True
        if track.line is not None:
            track.line.stop()
        self._tasks.cancel(track.id)
        return track

    def stop(self) -> int:
        """End what plays and drop what waits; gives how many that were."""
        count = len(self._tracks)
        for track in reversed(self._tracks):
            if track.line is not None:
                track.line.stop()
            self._tasks.cancel(track.id)
        return count

    async def close(self) -> None:
        """Stop everything."""
        self.stop()
        await self._tasks.cancel_all()

    async def _play(self, track: Track) -> None:
        try:
            async with self._turn, aclosing(track.blocks) as blocks:
                line = track.line = self._player.line(track.id, bus="media")
                try:
                    if track.first is not None:
                        line.write(track.first)
                    async for block in blocks:
                        line.write(block)
                        await line.below(QUEUED_S)
                except AudioError as error:
                    _log.warning("%r stopped half way: %s", track.title, error.sentence, exc_info=error.__cause__)
                finally:
                    line.end()
                await line.finished()
        finally:
            self._tracks.remove(track)

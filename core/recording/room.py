"""Recordings whose files could not be finished for want of room: tried again as soon as the disk has some."""

from __future__ import annotations

import asyncio
import errno
import logging
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from core.clock import Clock

_log = logging.getLogger(__name__)

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
LOOK_S = 60.0
_MORE_BYTES = 10_000_000  # than there were when it failed: else it would only fail again


def is_full(error: BaseException | None) -> bool:
    """Whether an error, or what it came of, is a disk without room."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        error = error.__cause__ or error.__context__
    return False


class Room:
    """Waits for room on the disk of the recordings."""

    def __init__(self, root: Path, least_free_mb: float, clock: Clock, retry: Callable[[str], None]) -> None:
        """`retry` finishes a recording, by id."""
        self._root = root
        self._least_bytes = least_free_mb * 1e6
        self._clock = clock
        self._retry = retry
        self._waiting: dict[str, float] = {}  # how much room it takes at least, by recording

    async def wait(self, recording_id: str) -> None:
        """Finish this recording when there is room."""
        free = await asyncio.to_thread(self._free)
        self._waiting[recording_id] = max(self._least_bytes, free + _MORE_BYTES)

    def waits(self, recording_id: str) -> bool:
        """Whether a recording waits for room."""
        return recording_id in self._waiting

    def forget(self, recording_id: str) -> None:
        """It is finished, or gone."""
        self._waiting.pop(recording_id, None)

    async def keep_looking(self) -> None:
        """Look every minute, until cancelled."""
        while True:
            await self._clock.sleep(LOOK_S)
            if not self._waiting:
                continue
            free = await asyncio.to_thread(self._free)
            for recording_id in [each for each, least in self._waiting.items() if free >= least]:
                _log.info("recording %s: there is room again for its finished files", recording_id)
                self.forget(recording_id)
                self._retry(recording_id)

    def _free(self) -> float:
        return shutil.disk_usage(self._root).free

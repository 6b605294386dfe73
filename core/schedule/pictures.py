"""The pictures that are to be posted: files of a private folder, named by us, gone with their schedules."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from typing import TYPE_CHECKING

from core import private
from core.errors import ScheduleError
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_log = logging.getLogger(__name__)

_NAME = re.compile(r"[0-9a-f]{16}\.[a-z]{3,4}")
NOT_KEPT = "The picture cannot be kept: the disk refuses it. The log says more."
LOST = "The picture is not on the disk any more. Remove this schedule and add it again."
FULL = (
    "The pictures of this server's schedules take {size:.0f} MB already, and {most:g} MB is the most. Remove one first."
)


class SchedulePictures:
    """Keeps the bytes of pictures between their upload and their times."""

    def __init__(self, folder: Path) -> None:
        """Nothing is made before the first picture is kept."""
        self._folder = folder
        self._tasks = Tasks("pictures of schedules")

    async def keep(self, data: bytes, ending: str) -> str:
        """Keep a picture; gives the name it is found by.

        Raises:
            ScheduleError: The disk refuses.
        """
        name = f"{secrets.token_hex(8)}.{ending}"
        try:
            await asyncio.to_thread(self._write, name, data)
        except OSError as error:
            raise ScheduleError(NOT_KEPT) from error
        return name

    async def read(self, name: str) -> bytes:
        """The bytes of a picture.

        Raises:
            ScheduleError: It is gone.
        """
        if not _NAME.fullmatch(name):
            raise ScheduleError(LOST)
        try:
            return await asyncio.to_thread((self._folder / name).read_bytes)
        except OSError as error:
            raise ScheduleError(LOST) from error

    def drop(self, name: str) -> None:
        """Delete a picture, soon; one that is gone is fine."""
        if _NAME.fullmatch(name):
            self._tasks.start(asyncio.to_thread(self._delete, name))

    async def sweep(self, used: Collection[str]) -> None:
        """Delete pictures that no schedule has any more: of a crash between the two."""
        kept = frozenset(used)
        await asyncio.to_thread(self._sweep, kept)

    async def close(self) -> None:
        """Wait until what is to be deleted is."""
        await self._tasks.settle()

    def _write(self, name: str, data: bytes) -> None:
        private.make_folder(self._folder)
        private.write_atomically(self._folder / name, data)

    def _delete(self, name: str) -> None:
        try:
            (self._folder / name).unlink(missing_ok=True)
        except OSError:
            _log.exception("the picture %s of a schedule cannot be deleted; the next start tries again", name)

    def _sweep(self, used: frozenset[str]) -> None:
        if not self._folder.is_dir():
            return
        for path in self._folder.iterdir():
            if _NAME.fullmatch(path.name) and path.name not in used:
                self._delete(path.name)

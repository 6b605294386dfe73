"""Where what people send waits on disk until it was played: nothing of it is held in memory."""

from __future__ import annotations

import asyncio
import os
import secrets
from typing import TYPE_CHECKING

from core.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Collection
    from pathlib import Path

PREFIX = "track-"
DISK = "I could not keep the file: my disk is full or cannot be written."


class Spool:
    """A folder of files with names of its own making."""

    def __init__(self, folder: Path) -> None:
        """Nothing is made before the first file comes."""
        self.folder = folder

    async def keep(self, parts: AsyncIterable[bytes]) -> tuple[Path, int]:
        """Write what comes into a new private file, piece by piece; gives its path and size. Nothing is left if it fails.

        Raises:
            AudioError: The disk does not take it. What `parts` raises comes through.
        """
        path, size = self.folder / f"{PREFIX}{secrets.token_hex(8)}", 0
        try:
            descriptor = await asyncio.to_thread(_create, path)
        except OSError as error:
            raise AudioError(DISK) from error
        try:
            async for part in parts:
                size += len(part)
                await asyncio.to_thread(_write, descriptor, part)
        except OSError as error:
            await asyncio.to_thread(_give_up, descriptor, path)
            raise AudioError(DISK) from error
        except BaseException:
            await asyncio.shield(asyncio.to_thread(_give_up, descriptor, path))
            raise
        await asyncio.to_thread(os.close, descriptor)
        return path, size

    async def sweep(self, wanted: Collection[str]) -> int:
        """Delete what an earlier process left, but for the files of these names; gives how many that were."""
        return await asyncio.to_thread(_sweep, self.folder, frozenset(wanted))


def _create(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _give_up(descriptor: int, path: Path) -> None:
    os.close(descriptor)
    path.unlink(missing_ok=True)


def _sweep(folder: Path, wanted: frozenset[str]) -> int:
    count = 0
    for path in folder.glob(f"{PREFIX}*") if folder.is_dir() else ():
        if path.name not in wanted and path.is_file():
            path.unlink(missing_ok=True)
            count += 1
    return count

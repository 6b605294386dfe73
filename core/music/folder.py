"""The folder of sounds that the host offers."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from core.errors import AudioError
from core.names import term

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME_LIMIT = 100  # characters of one choice
FRESH_S = 10.0  # how long a look into the folder serves
NO_SUCH = "The sounds folder has no such file. {known}"
KNOWN = "There are: {names}."
EMPTY = "The folder is empty."


class SoundsFolder:
    """Names and paths of its files; nothing outside of it can be named."""

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        """Nothing is looked at yet."""
        self.path = path
        self._now = now
        self._names: list[str] = []
        self._seen_s = float("-inf")

    async def matching(self, partial: str, count: int) -> list[str]:
        """Names that contain `partial`; from memory, refreshed now and then."""
        now = self._now()
        if now - self._seen_s > FRESH_S:
            self._seen_s = now
            self._names = await asyncio.to_thread(_list, self.path)
        wanted = partial.casefold()
        return [name for name in self._names if wanted in name.casefold() and len(name) <= NAME_LIMIT][:count]

    async def names(self) -> list[str]:
        """Names of its files, as it is now."""
        return await asyncio.to_thread(_list, self.path)

    async def find(self, name: str) -> Path:
        """The path of a file.

        Raises:
            AudioError: There is no such file; the sentence names some that there are.
        """
        names = await self.names()
        if name not in names:
            known = KNOWN.format(names=", ".join(term(each) for each in names[:10])) if names else EMPTY
            raise AudioError(NO_SUCH.format(known=known))
        return self.path / name


def _list(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError:  # no such folder: nothing to offer
        return []

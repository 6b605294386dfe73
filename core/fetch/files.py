"""What is fetched to the disk: a private file, written in blocks by a thread, and none at all if something fails."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from core.private import make_folder, opener

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

P = ParamSpec("P")
T = TypeVar("T")

BLOCK_BYTES = 1_048_576  # written at once


async def keep(folder: Path, parts: AsyncGenerator[bytes]) -> tuple[Path, int]:
    """Write what comes into a new private file of a folder; gives its path and size.

    Raises:
        OSError: The disk is full or gone. Whatever is raised, also by `parts`, nothing is left.
    """
    path = folder / f"fetched-{secrets.token_hex(12)}"
    try:
        size = 0
        block = bytearray()
        await _in_thread(make_folder, folder)
        async with aclosing(parts):
            async for part in parts:
                block += part
                if len(block) >= BLOCK_BYTES:
                    size += await _in_thread(_append, path, bytes(block))
                    block.clear()
        size += await _in_thread(_append, path, bytes(block))
    except BaseException:
        await _in_thread(partial(path.unlink, missing_ok=True))
        raise
    return path, size


def _append(path: Path, block: bytes) -> int:
    with open(path, "ab", opener=opener) as file:
        return file.write(block)


async def _in_thread(work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Like `asyncio.to_thread`, but who is cancelled meanwhile waits: the thread could write behind the deletion."""
    running = asyncio.get_running_loop().run_in_executor(None, partial(work, *args, **options))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        raise

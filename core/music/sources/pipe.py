"""A pipe from the event loop, where bytes arrive, to a thread that decodes them. It holds little, and both sides wait."""

from __future__ import annotations

import asyncio
import threading
from collections import deque

HELD_BYTES = 131_072  # about eight seconds of common radio


class BytePipe:
    """Bytes in on the loop, out on one thread, which sees it as a file that cannot be gone back in."""

    def __init__(self, held_bytes: int = HELD_BYTES) -> None:
        self._held_bytes = held_bytes
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Event()
        self._room.set()
        self._parts: deque[bytes] = deque()
        self._held = 0
        self._ended = False
        self._given_up = False
        self._changed = threading.Condition()

    # On the loop --------------------------------------------------------------------------------------------------------

    async def write(self, data: bytes) -> None:
        """Hand over what came, once there is room.

        Raises:
            BrokenPipeError: Nobody reads any more.
        """
        while True:
            with self._changed:
                if self._given_up:
                    raise BrokenPipeError
                if self._held < self._held_bytes:
                    self._parts.append(data)
                    self._held += len(data)
                    self._changed.notify_all()
                    return
                self._room.clear()
            await self._room.wait()

    def end(self) -> None:
        """Nothing comes any more; what is held is still read."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    # On the thread ------------------------------------------------------------------------------------------------------

    def read(self, size: int = -1) -> bytes:
        """The next bytes, `size` at most, as soon as there are any; none at the end."""
        with self._changed:
            while not self._parts and not self._ended and not self._given_up:
                self._changed.wait()
            if self._given_up or not self._parts:
                return b""
            part = self._parts.popleft()
            if 0 <= size < len(part):
                self._parts.appendleft(part[size:])
                part = part[:size]
            self._held -= len(part)
            wake = self._held < self._held_bytes
        if wake:
            self._wake()
        return part

    def give_up(self) -> None:
        """Read no more. From any thread."""
        with self._changed:
            self._given_up = True
            self._parts.clear()
            self._held = 0
            self._changed.notify_all()
        self._wake()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._room.set)
        except RuntimeError:  # the loop has closed: nobody waits any more
            return

"""What other threads want done on a recorder's thread, so that its state belongs to that thread alone."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class CommandQueue:
    """Commands in the order they came. `run` may be called from any thread and does not wait for the command."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._closed = False
        self._closing = threading.Lock()

    def run(self, command: Callable[[], None]) -> None:
        """Have something done within a turn of the recorder; at once and here, when its thread has ended."""
        with self._closing:
            if not self._closed:
                self._waiting.append(command)
                return
        command()

    def work(self) -> None:
        """Do what waits, on the recorder's thread."""
        while self._waiting:
            self._waiting.popleft()()

    def close(self, work: Callable[[], None]) -> None:
        """The recorder's thread ends: do what waits by `work`; whoever comes from now on does it themselves."""
        with self._closing:
            self._closed = True
            work()

"""Measures what this process costs: processor time and memory; and how full the GPUs are."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from core.machine.memory import SYSTEM, MemoryReader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.machine.memory import Memory

MIB = 2**20
SHORTEST_S = 1.0  # over less time than this, processor use means nothing


@dataclass(frozen=True, slots=True)
class Cost:
    """`cpu` is a share of one core (above 1 with several busy threads), `memory_bytes` what is resident."""

    cpu: float
    memory_bytes: int
    threads: int


class Usage:
    """Measures this process, each time over the time since the measurement before; the first over its whole life."""

    def __init__(self, memories: MemoryReader | None = None) -> None:
        self.gpus: Sequence[Memory] = ()  # as of the last `look`
        self._memories = memories or MemoryReader()
        self._process = psutil.Process()
        self._since_s = time.monotonic() - max(0.0, time.time() - self._process.create_time())
        self._spent_s = 0.0
        self._last = 0.0

    async def look(self) -> None:
        """Read how full the GPUs are; on a machine without any, or without their drivers, there is nothing to see."""
        found = await asyncio.to_thread(self._memories.read)
        self.gpus = [memory for memory in found if memory.name != SYSTEM]

    def read(self) -> Cost:
        """The cost now."""
        now_s = time.monotonic()
        spent_s = sum(self._process.cpu_times()[:2])
        if now_s - self._since_s >= SHORTEST_S:
            self._last = max(0.0, spent_s - self._spent_s) / (now_s - self._since_s)
            self._since_s, self._spent_s = now_s, spent_s
        with self._process.oneshot():
            return Cost(self._last, self._process.memory_info().rss, self._process.num_threads())

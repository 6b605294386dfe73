"""How late the event loop wakes who sleeps: what everything on it waits for everything else."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

EVERY_S = 0.005


class LoopLag:
    """Sleeps 5 ms at a time while it is open, and notes by how much each sleep was too long."""

    def __init__(self) -> None:
        self.late_ms: list[float] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin."""
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _watch(self) -> None:
        while True:
            start_s = time.perf_counter()
            await asyncio.sleep(EVERY_S)
            self.late_ms.append((time.perf_counter() - start_s - EVERY_S) * 1000)

    def figures(self) -> dict[str, float]:
        """Median, 99th percentile and the worst, in milliseconds."""
        late = np.array(self.late_ms or [0.0])
        return {
            "lag_p50_ms": round(float(np.percentile(late, 50)), 2),
            "lag_p99_ms": round(float(np.percentile(late, 99)), 2),
            "lag_max_ms": round(float(late.max()), 2),
        }

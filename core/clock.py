"""Time as something handed in, so that tests need not wait for it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the time is, and how to wait for a later one."""

    def monotonic(self) -> float:
        """Seconds that never go back; the same clock as `time.monotonic`."""
        ...

    def now(self) -> datetime:
        """Wall-clock time, aware, in UTC."""
        ...

    async def sleep(self, duration_s: float) -> None:
        """Wait for `duration_s` seconds."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def now(self) -> datetime:
        """Wall-clock time, aware, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, duration_s: float) -> None:
        """Wait for `duration_s` seconds."""
        await asyncio.sleep(duration_s)

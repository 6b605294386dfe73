"""Schedules over a real database, with a clock that moves when told and can be set wrong."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from core.config.schedule import ScheduleSection
from core.schedule.service import Schedules
from core.store.store import Store
from tests.conftest import ManualClock


class SetClock(ManualClock):
    """A clock whose wall time somebody may set, as people and time servers do."""

    def __init__(self) -> None:
        super().__init__()
        self.set_by = timedelta()

    def now(self):
        return super().now() + self.set_by


class Bench:
    """Opens schedules on one database again and again, and lets time pass."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.clock = SetClock()
        self.done: list[str] = []
        self.schedules: Schedules | None = None
        self.store: Store | None = None

    async def open(self, **section) -> Schedules:
        self.store = Store("sqlite+aiosqlite:///parley.db", base=self.folder)
        await self.store.open()
        self.schedules = Schedules(ScheduleSection(**section), self.store, self.clock)
        await self.schedules.open()
        return self.schedules

    async def close(self) -> None:
        if self.schedules is not None:
            await self.schedules.close()
            await self.store.close()
        self.schedules = None

    async def note(self, firing) -> str:
        """A handler that writes down what it did, and when."""
        firing.commit()
        self.done.append(f"{firing.schedule.what.get('text', '')} {self.clock.now():%d %H:%M}")
        return "said it"

    async def idle(self) -> None:
        """Until everything that is due now is done, and the loop sleeps again."""
        for _ in range(3):
            await asyncio.sleep(0.005)
            async with asyncio.timeout(20):
                await self.schedules.settled()

    async def passes(self, **time) -> None:
        """Let time pass, stopping at each moment at which something is due."""
        end = self.clock.now() + timedelta(**time)
        await self.idle()
        while (now := self.clock.now()) < end:
            due = [each.next_at for each in self.schedules._table.all() if each.state == "active" and each.next_at]
            late = any(at <= now for at in due)
            stops = [at for at in due if at > now] + ([now + timedelta(seconds=30)] if late else [])
            await self.clock.advance((min([end, *stops]) - now).total_seconds())
            await self.idle()

    async def jumps(self, **time) -> None:
        """Set the clock, and wait until that is noticed."""
        self.clock.set_by += timedelta(**time)
        await self.passes(seconds=25)

    def only(self):
        (found,) = self.schedules.of(1)
        return found

    async def add(self, text, *, kind="say", guild_id=1, **options):
        rule = (await self.schedules.understand(text, guild_id)).rule.text
        what = {"text": options.pop("say", "hello")}
        return await self.schedules.add(kind, rule, what, wording=text, guild_id=guild_id, added_by=7, **options)


@pytest.fixture
async def bench(tmp_path):
    found = Bench(tmp_path)
    yield found
    await found.close()

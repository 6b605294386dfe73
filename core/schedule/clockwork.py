"""Looks what is due, and has it done: each time once, some at a time, and those that wait told why."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from dataclasses import replace
from typing import TYPE_CHECKING

from core.errors import StoreError
from core.schedule.firing import Firing, FiringEnd, carry_out
from core.schedule.planning import mended, plan
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from core.clock import Clock
    from core.schedule.firing import DueKind
    from core.schedule.planning import Plan
    from core.schedule.table import Table
    from core.store.schedules import Schedule

_log = logging.getLogger(__name__)

LOOK_S = 20.0  # the longest sleep: a clock that jumps is noticed within
AGAIN_S = 30.0  # until what could not be done is tried again
CALM_S = 0.02  # between two looks: what is due, or ends, within is looked at once
AT_A_LOOK = 100  # are planned: those of a long absence take a while, and the first are done meanwhile
PER_SERVER = 2  # at a time, so that one server does not hold up another
JUMP_S = 5.0  # by which clocks differ, and more is told
NOT_RUNNING = "I was not running"
JUMPED = "my clock jumped forward"
TOO_MUCH = "too much was due at once"
NOBODY = "the part of me that does this is not loaded"
NO_DATABASE = "my database could not be written"


class Clockwork:
    """The one loop behind all schedules, and what is being done at the moment."""

    def __init__(self, table: Table, clock: Clock, *, at_once: int, over: Callable[[Schedule], object]) -> None:
        """Nothing is looked at before `start`.

        Args:
            table: The schedules.
            clock: Time.
            at_once: How many are done at a time.
            over: Told of each that will never be done again.
        """
        self.kinds: dict[str, DueKind] = {}
        self._table = table
        self._clock = clock
        self._at_once = at_once
        self._over = over
        self._tasks = Tasks("schedule")
        self._nudged = asyncio.Event()
        self._looking = False
        self._line: deque[Plan] = deque()
        self._planned: set[int] = set()  # in the line or being done
        self._running: dict[int, Firing] = {}
        self._waits: dict[int, str] = {}
        self._not_before: dict[int, float] = {}
        self._began = clock.now()
        self._seen = (clock.monotonic(), clock.now())
        self._jumped_at: datetime | None = None
        self._beginning = asyncio.Lock()

    def start(self) -> None:
        """Look from now on."""
        self._began = self._clock.now()
        self._seen = (self._clock.monotonic(), self._began)
        self._looking = True
        self._tasks.start(self._watch(), "watch")

    def nudge(self) -> None:
        """Look now: something was added, changed or let go."""
        self._nudged.set()

    def waits(self, schedule_id: int) -> str:
        """What keeps a schedule that is due, as part of a sentence; empty if nothing does."""
        return self._waits.get(schedule_id, "")

    def interrupt(self, kinds: frozenset[str], why: str) -> int:
        """Break off what is of these kinds and of which nothing was seen yet; it stays due. Gives how many that were."""
        kept = deque(each for each in self._line if each.schedule.kind not in kinds)
        dropped = [each.schedule.id for each in self._line if each.schedule.kind in kinds]
        self._line = kept
        self._planned.difference_update(dropped)
        broken = [
            id_ for id_, firing in self._running.items() if firing.schedule.kind in kinds and not firing.committed
        ]
        for id_ in (*dropped, *broken):
            self._waits[id_] = why
        for id_ in broken:
            self._tasks.cancel(f"do {id_}")
        return len(dropped) + len(broken)

    async def settle(self) -> None:
        """Wait until nothing that is due now is left to be done."""
        while self._line or self._running or self._looking or self._nudged.is_set():  # noqa: ASYNC110 - one starts the next
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Stop looking. What is being done is broken off; of which nothing was seen is due again at the next start."""
        self._line.clear()
        self._tasks.cancel("watch")
        await self._tasks.cancel_all()
        await self._table.save()

    # The loop ---------------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            self._nudged.clear()
            self._looking = True
            try:
                await self._look()
            except Exception:  # noqa: BLE001 - everything else is still due; the log has the cause
                _log.exception("looking what is due failed")
            finally:
                self._looking = False
            await self._sleep()
            self._looking = True
            await asyncio.sleep(CALM_S)

    async def _sleep(self) -> None:
        """Until the next is due, but not for long, or until something changes."""
        now, mono = self._clock.now(), self._clock.monotonic()
        wait_s = LOOK_S
        for each in self._table.all():
            if each.state == "active" and each.next_at is not None and each.id not in self._planned:
                due_s = (each.next_at - now).total_seconds()
                if due_s <= 0:  # it waits for something: that is looked at again soon enough
                    due_s = max(self._not_before.get(each.id, mono + LOOK_S) - mono, 0.05)
                wait_s = min(wait_s, due_s)
        sleeping = self._tasks.start(self._clock.sleep(max(wait_s, 0.0)), "sleep", replace=True)
        nudged = self._tasks.start(self._nudged.wait(), "nudge", replace=True)
        try:
            await asyncio.wait((sleeping, nudged), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            nudged.cancel()

    async def _look(self) -> None:
        now = self._clock.now()
        await self._see_jump(now)
        await self._table.save()
        ready: list[tuple[Schedule, str]] = []
        for each in self._table.all():
            if each.state != "active" or each.next_at is None or each.next_at > now or each.id in self._planned:
                continue
            if self._not_before.get(each.id, 0.0) > self._clock.monotonic():
                continue
            why = self._kept_by(each)
            if why:
                self._waits[each.id] = why
            elif len(ready) == AT_A_LOOK:
                self.nudge()  # the others at the next look, which comes at once
                break
            else:
                ready.append((each, self._late_because(each, self._waits.pop(each.id, ""))))
        if ready:
            await self._plan(ready, now)
        await self._begin()

    def _kept_by(self, schedule: Schedule) -> str:
        kind = self.kinds.get(schedule.kind)
        if kind is None:
            return NOBODY
        return kind.gate(schedule) if kind.gate is not None else ""

    def _late_because(self, schedule: Schedule, waited_for: str) -> str:
        due = schedule.next_at
        if due is not None and due < self._began:
            return NOT_RUNNING
        if waited_for:
            return waited_for
        return JUMPED if self._jumped_at is not None and due is not None and due < self._jumped_at else TOO_MUCH

    async def _see_jump(self, now: datetime) -> None:
        """Notice a clock that was set: forward makes things late, far back makes them reckoned anew."""
        before_s, before = self._seen
        passed_s = self._clock.monotonic() - before_s
        self._seen = (self._clock.monotonic(), now)
        jump_s = (now - before).total_seconds() - passed_s
        if jump_s > JUMP_S:
            self._jumped_at = now
            _log.warning("the clock jumped forward by %.0f s", jump_s)
        if jump_s < -JUMP_S:
            _log.warning("the clock went back by %.0f s", -jump_s)
        if abs(jump_s) > JUMP_S:
            await self.mend(now)

    async def mend(self, now: datetime) -> None:
        """Reckon anew what a wrong clock has moved away from its time."""
        found = [
            mended(each, now, self._table.zone(each.guild_id))
            for each in self._table.all()
            if each.id not in self._planned
        ]
        await self._table.settle(each for each in found if each is not None)

    async def _plan(self, ready: Sequence[tuple[Schedule, str]], now: datetime) -> None:
        """Decide, off the event loop, what becomes of them; what is skipped is over with that."""
        zones = {each.guild_id: self._table.zone(each.guild_id) for each, _ in ready}
        plans = await asyncio.to_thread(lambda: [plan(each, now, zones[each.guild_id], why) for each, why in ready])
        current = [each for each in plans if self._table.get(each.schedule.id) is each.schedule]
        skipped = [each for each in current if not each.run]
        await self._table.settle(_skipped(each, now) for each in skipped)
        self._tell_over(each.schedule.id for each in skipped)
        for each in current:
            if each.run and self._table.get(each.schedule.id) is each.schedule:
                self._planned.add(each.schedule.id)
                self._line.append(each)

    # Doing ------------------------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        """Fill the places that are free, the longest in line first."""
        async with self._beginning:
            chosen = self._next_in_line()
            if chosen:
                await self._claim(chosen)

    async def _claim(self, chosen: Sequence[Plan]) -> None:
        """Do those that are this process's to do; that is noted before they begin."""
        ids = [each.schedule.id for each in chosen]
        try:
            won = await self._table.claim(ids, self._clock.now())
        except StoreError:
            _log.exception("%d schedules that are due cannot be claimed", len(ids))
            self._put_off(ids, NO_DATABASE)
            return
        lost = [id_ for id_ in ids if id_ not in won]
        if lost:
            await self._leave(lost)
        for each in chosen:
            id_ = each.schedule.id
            current = self._table.get(id_)
            if id_ not in won:
                continue
            if current is None:
                self._planned.discard(id_)
                continue
            firing = Firing(current, each.due, each.late_s)
            self._running[id_] = firing
            self._tasks.start(self._do(each, firing), f"do {id_}")

    async def _leave(self, ids: Sequence[int]) -> None:
        """Leave alone what was paused or removed meanwhile, or what another process does."""
        self._put_off(ids, "")
        try:
            await self._table.refresh(ids)
        except StoreError:
            _log.exception("%d schedules cannot be read anew; they are tried again", len(ids))

    def _put_off(self, ids: Sequence[int], why: str) -> None:
        for id_ in ids:
            self._planned.discard(id_)
            if why:
                self._waits[id_] = why
            self._not_before[id_] = self._clock.monotonic() + AGAIN_S

    def _next_in_line(self) -> list[Plan]:
        servers = Counter(firing.schedule.guild_id for firing in self._running.values())
        chosen: list[Plan] = []
        kept: deque[Plan] = deque()
        while self._line and len(self._running) + len(chosen) < self._at_once:
            each = self._line.popleft()
            guild_id = each.schedule.guild_id
            if guild_id is not None and servers[guild_id] >= PER_SERVER:
                kept.append(each)
            else:
                servers[guild_id] += 1
                chosen.append(each)
        kept.extend(self._line)
        self._line = kept
        return chosen

    async def _do(self, planned: Plan, firing: Firing) -> None:
        id_ = firing.schedule.id
        ended: FiringEnd | None = None
        try:
            kind = self.kinds.get(firing.schedule.kind)
            kept_by = self._kept_by(firing.schedule)  # a session may have begun since it was planned
            if kind is None or kept_by:
                ended = FiringEnd("", kept_by or NOBODY, again=True)
            else:
                ended = await carry_out(kind, firing, self._clock, self._tasks)
        finally:
            if ended is None:  # interrupted
                ended = (
                    FiringEnd("cut", "") if firing.committed else FiringEnd("", self._waits.get(id_, ""), again=True)
                )
            await self._ended(planned, firing, ended)
            self._running.pop(id_, None)
            self._planned.discard(id_)
            if self._line:
                await self._begin()  # the next in line; a look goes through all there are
            else:
                self.nudge()

    async def _ended(self, planned: Plan, firing: Firing, ended: FiringEnd) -> None:
        id_ = firing.schedule.id
        current = self._table.get(id_)
        if current is None:
            return
        if ended.outcome == "cut":
            return  # the claim stays: the next start tells of it
        if ended.again:
            self._put_off([id_], ended.detail)
            await self._table.unclaim([id_])
            return
        self._not_before.pop(id_, None)
        self._waits.pop(id_, None)
        await self._table.settle([_done(planned, current, ended, self._clock.now())])
        self._tell_over([id_])

    def _tell_over(self, ids: Iterable[int]) -> None:
        for id_ in ids:
            found = self._table.get(id_)
            if found is not None and found.state == "over":
                self._over(found)


def _skipped(planned: Plan, now: datetime) -> Schedule:
    """A schedule whose time was too long ago."""
    schedule = planned.schedule
    return replace(
        schedule,
        state="over" if planned.next_at is None else schedule.state,
        next_at=planned.next_at,
        last_due=planned.due,
        last_end=now,
        outcome="skipped",
        detail="",
        missed=schedule.missed + planned.missed,
        missed_last=planned.note,
    )


def _done(planned: Plan, current: Schedule, ended: FiringEnd, now: datetime) -> Schedule:
    """A schedule after one time of it; what was changed meanwhile stays so."""
    changed = current.rule != planned.schedule.rule or current.next_at != planned.schedule.next_at
    next_at = current.next_at if changed else planned.next_at
    state = "over" if next_at is None else ("paused" if ended.pause else current.state)
    return replace(
        current,
        claimed_at=None,
        state=state,
        reason=ended.detail if ended.pause else current.reason,
        next_at=next_at,
        last_due=planned.due,
        last_end=now,
        outcome=ended.outcome,
        detail=ended.detail,
        missed=current.missed + planned.missed,
        missed_last=planned.note or current.missed_last,
    )

"""The ledger: what was done for whom, written before it is done, struck when its undo succeeded."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from core.errors import LockdownError, ParleyError, StoreError
from core.lockdown.steps import STAGES
from core.names import term
from core.store.lockdown import Hold, LedgerEntry
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from core.clock import Clock
    from core.lockdown.steps import Step
    from core.store.lockdown import Kind, LedgerRepository

_log = logging.getLogger(__name__)

Thing = tuple["Kind", str]


@dataclass(slots=True)
class Owed:
    """An undo that has not succeeded yet. Without a `next_try_at` it waits for the feature's cog to be loaded."""

    entry: LedgerEntry
    next_try_at: datetime | None = None


class Ledger:
    """Takes steps for holders and undoes them, whatever happens in between.

    `resolve` returns the step behind an entry as things are now, or None while its feature is not registered.
    """

    def __init__(
        self,
        repository: LedgerRepository,
        clock: Clock,
        resolve: Callable[[LedgerEntry], Step | None],
        *,
        retry_first_s: float,
        retry_max_s: float,
    ) -> None:
        self.faults: dict[Thing, str] = {}  # what could not be applied, though the session goes on
        self._repository = repository
        self._clock = clock
        self._resolve = resolve
        self._retry_first_s = retry_first_s
        self._retry_max_s = retry_max_s
        self._holds: dict[str, Hold] = {}
        self._held: dict[Thing, list[LedgerEntry]] = {}
        self._owed: dict[Thing, Owed] = {}
        self._retries: dict[Thing, asyncio.Task[None]] = {}
        self._trying: set[Thing] = set()
        self._lock = asyncio.Lock()
        self._tasks = Tasks("ledger")

    # What there is ----------------------------------------------------------------------------------------------------

    @property
    def holds(self) -> Mapping[str, Hold]:
        """Every claim by its id, oldest first."""
        return self._holds

    @property
    def owed(self) -> Sequence[Owed]:
        """Every undo that has not succeeded yet."""
        return tuple(self._owed.values())

    def entries(self, thing: Thing) -> Sequence[LedgerEntry]:
        """Who holds a thing, oldest first."""
        return tuple(self._held.get(thing, ()))

    async def calm(self) -> None:
        """Wait until nothing is being taken or undone; undos that failed are not waited for."""
        async with self._lock:
            pass

    # Opening and closing ----------------------------------------------------------------------------------------------

    async def open(self, keep: Callable[[Hold], bool]) -> None:
        """Read what the last process left. Claims that are not kept are ended; their undos are owed and begin now.

        Raises:
            StoreError: The ledger cannot be read or written.
        """
        entries = await self._repository.entries()
        holds = await self._repository.holds()
        self._holds = {hold.id: hold for hold in holds if keep(hold)}
        gone = [hold.id for hold in holds if hold.id not in self._holds]
        for entry in entries:
            if entry.holder in self._holds and not entry.released:
                self._held.setdefault(entry.thing, []).append(entry)
        strike: list[int] = []
        for entry in entries:
            if entry.thing in self._held or entry.thing in self._owed:  # held by hand still, or one undo is enough
                strike += [] if entry in self._held.get(entry.thing, ()) else [entry.id]
            else:
                self._owed[entry.thing] = Owed(entry)
        owed = [owed.entry for owed in self._owed.values()]
        await self._repository.strike(strike)
        await self._repository.release(gone, owed=[entry.id for entry in owed])
        if owed:
            _log.warning("%d locks were left by the last run and are undone now", len(owed))
        for entry in sorted(owed, key=_stage, reverse=True):
            self.nudge(entry.thing)

    async def close(self) -> None:
        """Stop trying; what is owed stays in the store for the next start."""
        await self._tasks.cancel_all()

    # Taking -----------------------------------------------------------------------------------------------------------

    async def take(self, hold: Hold, steps: Sequence[Step]) -> None:
        """Write a claim with its steps, then apply those that nobody holds yet, stage by stage.

        A claim that is there already keeps its entries and gets the new reason and end.

        Raises:
            LockdownError: A required step failed; everything was undone.
            StoreError: The ledger cannot be written; nothing was done.
        """
        task = self._tasks.start(self._take(hold, steps), f"take {hold.id}")
        try:
            refusal = await asyncio.shield(task)
        except asyncio.CancelledError:  # whoever asked is gone: undo, and hold the ledger until that is done
            task.cancel()
            await asyncio.wait([task])
            await self.release([hold.id])  # it may have succeeded at this very moment
            raise
        if refusal is not None:
            raise refusal

    async def _take(self, hold: Hold, steps: Sequence[Step]) -> ParleyError | None:
        async with self._lock:
            try:
                fresh = await self._write(hold, self._missing(hold, steps))
                for stage in STAGES:
                    await self._apply([step for step in fresh if step.kind == stage])
            except ParleyError as error:
                await self._release([hold.id])
                for step in steps:  # undos that were given up for this claim are owed again
                    self.nudge((step.kind, step.name))
                return error
            except BaseException:
                await self._release([hold.id])
                raise
        return None

    async def adopt(self, name: str, current: Callable[[], Sequence[Step]]) -> None:
        """A feature was registered: lock it for every claim that covers it, and pause it even if it was paused before.

        What was paused was the feature as it was before its cog was reloaded.
        """
        async with self._lock:
            steps = current()
            covering = [hold for hold in self._holds.values() if hold.covers(name)]
            for hold in covering:
                await self._write(hold, self._missing(hold, steps))
            if covering:
                for step in steps:
                    await self._try_apply(step)
                return
            for step in steps:
                if step.kind == "lock":  # a claim that ended while the feature was registered may have closed its door
                    await step.undo()
                self.nudge((step.kind, step.name))

    def _missing(self, hold: Hold, steps: Sequence[Step]) -> list[Step]:
        """The steps that are not in the ledger for this claim yet."""
        mine = {entry.thing for entries in self._held.values() for entry in entries if entry.holder == hold.id}
        return [step for step in steps if (step.kind, step.name) not in mine]

    async def _write(self, hold: Hold, steps: Sequence[Step]) -> list[Step]:
        """Store a claim with its entries; returns the steps that nobody held before."""
        fresh = [step for step in steps if not self._held.get((step.kind, step.name))]
        for step in steps:
            await self._stop_undoing((step.kind, step.name))
        now = self._clock.now()
        entries = [LedgerEntry(hold.id, step.kind, step.name, now, self._detail(step)) for step in steps]
        stored = await self._repository.take(hold, entries)
        self._holds[hold.id] = hold
        for entry in stored:
            self._owed.pop(entry.thing, None)
            self._held.setdefault(entry.thing, []).append(entry)
        return fresh

    def _detail(self, step: Step) -> str:
        """What the undo will need: it restores what was there before the first holder came."""
        held = self._held.get((step.kind, step.name))
        return held[0].detail if held else step.detail

    async def _apply(self, steps: Sequence[Step]) -> None:
        failures = await asyncio.gather(*(self._try_apply(step) for step in steps))
        for step, failure in zip(steps, failures, strict=True):
            if failure is not None and step.required:
                raise failure

    async def _try_apply(self, step: Step) -> ParleyError | None:
        thing = (step.kind, step.name)
        self.faults.pop(thing, None)
        try:
            await step.apply()
        except ParleyError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - other people's code runs here; the log has the cause
            failure = _unexpected(thing, error)
        else:
            return None
        _log.warning("%s %s: %s", step.kind, step.name, failure.sentence, exc_info=failure.__cause__)
        self.faults[thing] = failure.sentence
        return failure

    # Releasing --------------------------------------------------------------------------------------------------------

    async def release(self, holders: Iterable[str]) -> None:
        """End claims and undo what nobody else holds; unknown ones are fine. Failed undos are tried again later."""
        names = list(holders)
        await asyncio.shield(self._tasks.start(self._release_in_turn(names), f"release {', '.join(names)}"))

    async def _release_in_turn(self, holders: Sequence[str]) -> None:
        async with self._lock:
            known = [holder for holder in holders if holder in self._holds]
            if known:
                await self._release(known)

    async def _release(self, holders: Sequence[str]) -> None:
        undo: list[LedgerEntry] = []
        for thing, entries in list(self._held.items()):
            staying = [entry for entry in entries if entry.holder not in holders]
            if staying:
                self._held[thing] = staying
            else:
                del self._held[thing]
                self.faults.pop(thing, None)
                undo.append(entries[0])
                self._owed[thing] = Owed(entries[0])
        for holder in holders:
            self._holds.pop(holder, None)
        try:
            await self._repository.release(holders, owed=[entry.id for entry in undo])
        except StoreError:  # the store still says they are held, so the next start undoes them once more
            _log.exception("the ledger could not be written; undoing all the same")
        for stage in reversed(STAGES):
            entries = [entry for entry in reversed(undo) if entry.kind == stage]
            done = await asyncio.gather(*(self._try_undo(entry) for entry in entries))
            await self._strike([entry for entry, succeeded in zip(entries, done, strict=True) if succeeded])

    async def _try_undo(self, entry: LedgerEntry) -> bool:
        """Undo one thing; if that fails it is noted and tried again later."""
        try:
            step = self._resolve(entry)
            if step is None:
                _log.info("%s %s is undone when its cog is loaded again", entry.kind, entry.name)
                self._owed[entry.thing] = Owed(entry)
                return False
            await step.undo()
        except ParleyError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - one undo that fails must not keep the others from being tried
            failure = _unexpected(entry.thing, error)
        else:
            return True
        _log.warning("undo of %s %s: %s", entry.kind, entry.name, failure.sentence, exc_info=failure.__cause__)
        await self._note_failure(entry, failure.sentence)
        return False

    async def _strike(self, entries: Sequence[LedgerEntry]) -> None:
        for entry in entries:
            self._owed.pop(entry.thing, None)
        if not entries:
            return
        try:
            await self._repository.strike([entry.id for entry in entries])
        except StoreError:  # undoing twice is harmless, so the next start may find them
            _log.exception("the ledger could not be written")

    async def _note_failure(self, entry: LedgerEntry, sentence: str) -> None:
        failed = replace(entry, attempts=entry.attempts + 1, error=sentence, released=True)
        wait_s = min(self._retry_max_s, self._retry_first_s * 2 ** min(entry.attempts, 30))
        self._owed[entry.thing] = Owed(failed, self._clock.now() + timedelta(seconds=wait_s))
        try:
            await self._repository.failed(entry.id, failed.attempts, sentence)
        except StoreError:
            _log.exception("the ledger could not be written")
        self._retries[entry.thing] = self._tasks.start(self._retry(entry.thing), _name(entry.thing))

    # Trying again -----------------------------------------------------------------------------------------------------

    def nudge(self, thing: Thing) -> None:
        """Try an owed undo now; what is not owed is fine."""
        if thing in self._owed and thing not in self._trying:
            work = self._retry(thing, at_once=True)
            self._retries[thing] = self._tasks.start(work, _name(thing), replace=True)

    async def forget(self, thing: Thing) -> bool:
        """Strike an undo that never succeeded, and try it no more. Returns whether it was owed.

        Raises:
            StoreError: The ledger cannot be written; it is still owed.
        """
        async with self._lock:
            owed = self._owed.get(thing)
            if owed is None:
                return False
            await self._repository.strike([owed.entry.id])
            await self._stop_undoing(thing)
            self._owed.pop(thing, None)
        _log.warning("%s %s was never undone and is forgotten", *thing)
        return True

    async def _retry(self, thing: Thing, *, at_once: bool = False) -> None:
        """Try until it succeeds, or until it can only go on when the feature's cog is loaded."""
        while owed := self._owed.get(thing):
            if not at_once:
                if owed.next_try_at is None:
                    return
                await self._clock.sleep((owed.next_try_at - self._clock.now()).total_seconds())
            at_once = False
            self._trying.add(thing)
            try:
                if await self._try_undo(owed.entry):
                    _log.info("%s %s is undone", *thing)
                    await self._strike([owed.entry])
            finally:
                self._trying.discard(thing)

    async def _stop_undoing(self, thing: Thing) -> None:
        task = self._retries.pop(thing, None)
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task])


def _unexpected(thing: Thing, error: Exception) -> LockdownError:
    failure = LockdownError(f"The {thing[0]} “{term(thing[1])}” failed ({type(error).__name__}).")
    failure.__cause__ = error
    return failure


def _stage(entry: LedgerEntry) -> int:
    return STAGES.index(entry.kind)


def _name(thing: Thing) -> str:
    return f"undo {thing[0]} {thing[1]}"

"""The lockdown: who registered what, who may use it now, and what sessions and admins lock."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from core.errors import LockdownError, ParleyError, StoreError
from core.events import FeatureLocked, FeatureReleased
from core.lockdown.answers import ShapeResponder, is_interaction, message_of
from core.lockdown.feature import LOCKED, LOCKED_BY_HAND, Block, Feature, Lock, Pause, Queue
from core.lockdown.hooks import HookCall, Hooks
from core.lockdown.ledger import Ledger
from core.lockdown.status import FeatureStatus, LockdownStatus, OwedUndo, State
from core.lockdown.steps import HookStep, LockStep, PauseStep, RouteStep, RouteSwitch, Step
from core.lockdown.waiting import WaitingMessages
from core.machine.memory import MemoryReader, MemoryWatch
from core.store.lockdown import Entry, Hold, LedgerRepository, QueueRepository
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from core.clock import Clock
    from core.config.lockdown import LockdownSection
    from core.hub import Hub
    from core.lockdown.answers import Responder
    from core.store.lockdown import Kind
    from core.store.store import Store

_log = logging.getLogger(__name__)

MANUAL = "manual"
IN_SESSION = "a voice session"
BY_HAND = "locked by hand"


@dataclass(slots=True, eq=False)
class Registered:
    """A feature as it stands now."""

    feature: Feature
    owner: object
    locked: bool = False
    in_use: int = 0

    @property
    def owner_name(self) -> str:
        """Whose feature it is, the same before and after a reload."""
        if isinstance(self.owner, str):
            return self.owner
        kind = type(self.owner)
        return f"{kind.__module__}.{kind.__qualname__}"


class Lockdown:
    """What gives way while the bot talks. Lives on the runtime as `runtime.lockdown`; a gate of its voice sessions."""

    def __init__(
        self,
        section: LockdownSection,
        store: Store,
        hub: Hub,
        clock: Clock,
        *,
        routes: RouteSwitch | None = None,
        environ: Mapping[str, str] | None = None,
        responder: Responder | None = None,
        memory: MemoryReader | None = None,
    ) -> None:
        """Nothing is read before `open`.

        Args:
            section: `[lockdown]`.
            store: Where the ledger and the waiting messages are.
            hub: Where locks and releases are told.
            clock: Time.
            routes: The model client whose route a session switches.
            environ: Where hooks find their secret headers.
            responder: Who tells people; by default whatever fits the shape of what they used.
            memory: What is watched during sessions.
        """
        self._section = section
        self._hub = hub
        self._clock = clock
        self._routes = routes
        self._responder = responder or ShapeResponder()
        self._features: dict[str, Registered] = {}
        self._unknown: set[str] = set()
        self._adopting: list[asyncio.Task[None]] = []
        self._tasks = Tasks("lockdown")
        self._hooks = Hooks(environ or {})
        self._ledger = Ledger(
            LedgerRepository(store),
            clock,
            self._resolve,
            retry_first_s=section.retry_first_s,
            retry_max_s=section.retry_max_s,
        )
        self.waiting = WaitingMessages(QueueRepository(store), section, clock)
        self.memory = MemoryWatch(
            memory or MemoryReader(),
            hub,
            clock,
            warning_share=section.memory_warning,
            interval_s=section.memory_check_s,
        )

    async def open(self) -> None:
        """Undo what sessions of the last process left, and hold on to what was locked by hand.

        Raises:
            StoreError: The ledger cannot be read.
        """
        now = self._clock.now()
        await self.waiting.open()
        await self._ledger.open(lambda hold: hold.id.startswith(MANUAL) and (hold.until is None or hold.until > now))
        for hold in self._ledger.holds.values():
            self._expire_later(hold)

    async def close(self) -> None:
        """Stop every task. What is owed or waits stays in the store."""
        await self._tasks.cancel_all()
        await self.memory.close()
        await self.waiting.close()
        await self._ledger.close()
        await self._hooks.close()

    # Features ---------------------------------------------------------------------------------------------------------

    def register(self, feature: Feature, *, owner: object) -> None:
        """Let a feature take part. During a session it is locked at once.

        A cog that is reloaded registers again and finds its feature as it was: locked, or with its `on_resume` called
        if that was still owed.

        Raises:
            LockdownError: Somebody else has a feature of this name.
        """
        new = Registered(feature, owner)
        known = self._features.get(feature.name)
        if known is not None and known.owner_name != new.owner_name:
            raise LockdownError(
                f"Two features are called “{feature.name}”: one of {known.owner_name}, one of {new.owner_name}. "
                "One of them needs another name."
            )
        self._features[feature.name] = new
        if any(hold.covers(feature.name) for hold in self._ledger.holds.values()):
            self._switch(feature.name, True)
        elif isinstance(feature.policy, Queue):
            self._answer_later(feature.name)
        task = self._tasks.start(self._ledger.adopt(feature.name, lambda: self._current_steps(feature.name)))
        self._adopting = [other for other in self._adopting if not other.done()] + [task]

    def unregister(self, owner: object) -> None:
        """Take the features of an owner away. What is owed to them waits until they are registered again."""
        for name, registered in list(self._features.items()):
            if registered.owner is owner:
                del self._features[name]
                self.waiting.halt(name)  # the answer that is under way belongs to the conversation, not to the cog

    async def settled(self) -> None:
        """Wait until every feature registered so far is locked or let go as it should be."""
        if self._adopting:
            await asyncio.wait(self._adopting)

    # Asking -----------------------------------------------------------------------------------------------------------

    async def allows(self, name: str, subject: Any = None) -> bool:
        """Whether a feature may be used now; if not, its policy is applied.

        Args:
            name: The feature. One that nobody registered is allowed.
            subject: The message, command context or interaction that wants to use it, to be answered or queued.
        """
        registered = self._features.get(name)
        if registered is not None and not registered.locked:
            return True
        if registered is None:
            return self._allow_unknown(name)
        await self._refuse(registered.feature, subject)
        return False

    @asynccontextmanager
    async def using(self, name: str, subject: Any = None) -> AsyncGenerator[bool]:
        """The same around a block of code, which is counted as a use while it runs.

        async with lockdown.using("pictures", message) as allowed:
            if allowed: ...
        """
        allowed = await self.allows(name, subject)
        registered = self._features.get(name) if allowed else None
        if registered is not None:
            registered.in_use += 1
        try:
            yield allowed
        finally:
            if registered is not None:
                registered.in_use -= 1

    def locked(self, name: str) -> bool:
        """Whether a feature gives way now; nobody is told anything."""
        registered = self._features.get(name)
        return registered is not None and registered.locked

    def _allow_unknown(self, name: str) -> bool:
        if name not in self._unknown:
            self._unknown.add(name)
            _log.warning("nobody registered the feature %r; it is allowed", name)
        return True

    async def _refuse(self, feature: Feature, subject: Any) -> None:
        policy = feature.policy
        holders = [hold.id for hold in self._ledger.holds.values() if hold.covers(feature.name)]
        by_hand = bool(holders) and all(holder.startswith(MANUAL) for holder in holders)
        usual = (LOCKED_BY_HAND if by_hand else LOCKED).format(title=feature.title)
        if subject is None:
            return
        if isinstance(policy, Block):
            message = usual if by_hand and policy.message else policy.message
            await self._responder.answer(subject, message, policy.reaction)
        elif isinstance(policy, Lock):
            await self._responder.answer(subject, usual if by_hand else policy.message or usual, "")
        elif is_interaction(subject):  # nothing can queue it, and Discord calls one failed that nobody answers
            await self._responder.answer(subject, usual, "")
        elif isinstance(policy, Queue):
            try:
                await self.waiting.push(feature.name, policy, message_of(subject))
            except StoreError:
                _log.exception("a message could not be kept for later")
                await self._responder.answer(subject, policy.dropped, "")
                return
            if not self.locked(feature.name):  # unlocked while the message was being stored
                self._answer_later(feature.name)

    # Sessions and admins ----------------------------------------------------------------------------------------------

    async def engage(self, session_id: str, *, guild_id: int, channel_id: int) -> None:
        """Lock everything for a voice session: switch the route, call the hooks, close the doors, pause what runs.

        Raises:
            LockdownError: A required feature or hook failed, the route is not configured, or the ledger cannot be
                written; everything was undone.
        """
        hold = Hold(session_id, IN_SESSION, self._clock.now(), guild_id=guild_id, channel_id=channel_id)
        steps = self._session_steps()
        for registered in self._features.values():
            steps += self._steps_of(registered.feature)
        try:
            await self._ledger.take(hold, steps)
        except ParleyError as error:
            raise LockdownError(f"The session cannot start: {error.sentence}") from error
        self.memory.start()

    async def release(self, session_id: str) -> None:
        """Undo what was done for a session, in the reverse order, as far as no other session needs it."""
        await self._release([session_id])
        if not self._sessions():
            self.memory.stop()

    async def lock(self, name: str | None = None, *, duration_s: float | None = None, reason: str = BY_HAND) -> None:
        """Lock one feature, or all of them, by hand; survives restarts.

        Args:
            name: The feature; None for all, later ones included.
            duration_s: When it ends by itself; None never.
            reason: What status shows.

        Raises:
            LockdownError: There is no such feature, or a required one cannot be paused.
        """
        chosen = [
            registered.feature for registered in self._features.values() if name in (None, registered.feature.name)
        ]
        if name is not None and not chosen:
            raise LockdownError(f"There is no feature called “{name}”. There are: {', '.join(sorted(self._features))}.")
        now = self._clock.now()
        until = None if duration_s is None else now + timedelta(seconds=duration_s)
        hold = Hold(_manual(name), reason, now, feature=name, until=until)
        await self._ledger.take(hold, [step for feature in chosen for step in self._steps_of(feature)])
        self._expire_later(hold)

    async def unlock(self, name: str | None = None) -> bool:
        """Take back what was locked by hand: one feature, or all. Gives whether anything was; sessions keep theirs."""
        ids = [hold.id for hold in self._ledger.holds.values() if hold.id.startswith(MANUAL)]
        mine = [id_ for id_ in ids if name is None or id_ == _manual(name)]
        for id_ in mine:
            self._tasks.cancel(f"expire {id_}")
        await self._release(mine)
        return bool(mine)

    async def forget(self, kind: Kind, name: str) -> bool:
        """Give up an undo that cannot succeed any more, for example of a cog that is gone. Gives whether it was owed.

        Raises:
            StoreError: The ledger cannot be written.
        """
        return await self._ledger.forget((kind, name))

    async def status(self) -> LockdownStatus:
        """Everything that is locked, owed or waiting, and the memories."""
        holds = tuple(self._ledger.holds.values())
        return LockdownStatus(
            holds,
            [self._feature_status(registered, holds) for registered in self._features.values()],
            self.owed,
            self.faults,
            None if self._routes is None else self._routes.current,
            await self.memory.read(),
        )

    @property
    def owed(self) -> Sequence[OwedUndo]:
        """The undos that failed or wait for their cog."""
        return [
            OwedUndo(owed.entry.kind, owed.entry.name, owed.entry.attempts, owed.entry.error, owed.next_try_at)
            for owed in self._ledger.owed
        ]

    @property
    def faults(self) -> Sequence[str]:
        """What could not be applied, though the session goes on; in sentences."""
        return list(self._ledger.faults.values())

    @property
    def features(self) -> Sequence[Feature]:
        """Every registered feature."""
        return [registered.feature for registered in self._features.values()]

    # Inside -----------------------------------------------------------------------------------------------------------

    async def _release(self, holders: Sequence[str]) -> None:
        await self._ledger.release(holders)
        for name in self._features:  # doors that were closed without the ledger, since it could not be written
            if not any(hold.covers(name) for hold in self._ledger.holds.values()):
                self._switch(name, False)

    def _sessions(self) -> list[Hold]:
        return [hold for hold in self._ledger.holds.values() if not hold.id.startswith(MANUAL)]

    def _session_steps(self) -> list[Step]:
        steps: list[Step] = []
        if self._section.route:
            if self._routes is None:
                raise LockdownError("[lockdown] route is set, but no model is configured.")
            steps.append(RouteStep(self._routes, self._section.route, self._routes.current))
        steps += [HookStep.of(self._hooks, hook) for hook in self._section.hooks]
        return steps

    def _steps_of(self, feature: Feature) -> list[Step]:
        steps: list[Step] = [LockStep(feature.name, self._switch)]
        if isinstance(feature.policy, Pause):
            policy = feature.policy
            steps.append(PauseStep(feature, policy.on_pause, policy.on_resume, self._section.callback_timeout_s))
        return steps

    def _current_steps(self, name: str) -> list[Step]:
        registered = self._features.get(name)
        return [] if registered is None else self._steps_of(registered.feature)

    def _resolve(self, entry: Entry) -> Step | None:
        """The step behind an entry as things are now: after a reload its feature has new callbacks."""
        if entry.kind == "hook":
            return HookStep(self._hooks, HookCall.from_json(entry.detail))
        if entry.kind == "route":
            return None if self._routes is None else RouteStep.restored(self._routes, entry)
        if entry.kind == "lock":
            return LockStep(entry.name, self._switch)
        steps = self._current_steps(entry.name)
        return steps[-1] if steps else None  # a feature that is not paused any more just has its door opened

    def _switch(self, name: str, locked: bool) -> None:
        registered = self._features.get(name)
        if registered is None or registered.locked == locked:
            return
        registered.locked = locked
        holds = [hold for hold in self._ledger.holds.values() if hold.covers(name)]
        holder, reason = (holds[-1].id, holds[-1].reason) if holds else ("", "")
        self._hub.publish(FeatureLocked(name, holder, reason) if locked else FeatureReleased(name, holder))
        if locked:
            self.waiting.halt(name)
        else:
            self._answer_later(name)

    def _answer_later(self, name: str) -> None:
        """Answer what waits as soon as everything is undone: doors open before hooks are called and the route is back."""

        async def answer() -> None:
            await self._ledger.calm()
            registered = self._features.get(name)
            if registered is not None and not registered.locked and isinstance(registered.feature.policy, Queue):
                self.waiting.replay(name, registered.feature.policy)

        self._tasks.start(answer(), f"answer {name}", replace=True)

    def _expire_later(self, hold: Hold) -> None:
        name = f"expire {hold.id}"
        self._tasks.cancel(name)
        if hold.until is not None:
            self._tasks.start(self._expire(hold), name, replace=True)

    async def _expire(self, hold: Hold) -> None:
        if hold.until is None:
            return
        await self._clock.sleep((hold.until - self._clock.now()).total_seconds())
        await self._release([hold.id])

    def _feature_status(self, registered: Registered, holds: Sequence[Hold]) -> FeatureStatus:
        feature = registered.feature
        state: State = "locked" if registered.locked else "free"
        if not registered.locked and any(owed.entry.thing == ("pause", feature.name) for owed in self._ledger.owed):
            state = "resuming"
        elif not registered.locked and self.waiting.replaying(feature.name):
            state = "answering"
        return FeatureStatus(
            feature.name,
            feature.title,
            type(feature.policy).__name__.lower(),
            state,
            [hold for hold in holds if hold.covers(feature.name)],
            self.waiting.counts.get(feature.name, 0),
            registered.in_use,
            self._ledger.faults.get(("pause", feature.name)),
        )


def _manual(name: str | None) -> str:
    return MANUAL if name is None else f"{MANUAL}:{name}"

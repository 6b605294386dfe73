"""The lockdown: who registered what, who may use it now, and what sessions and admins lock."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from core.errors import LockdownError, ParleyError, StoreError
from core.events import FeatureLocked, FeatureReleased
from core.handles import Handle
from core.lockdown.answers import ShapeResponder, is_interaction, message_of, server_of
from core.lockdown.feature import LOCKED, LOCKED_BY_HAND, BlockPolicy, Feature, LockPolicy, QueuePolicy
from core.lockdown.hooks import Hooks
from core.lockdown.ledger import Ledger
from core.lockdown.registered import Registered
from core.lockdown.seen import Seen
from core.lockdown.status import LockdownStatus, OwedUndo
from core.lockdown.steps import HookStep, LockStep, RouteStep, feature_steps, session_steps
from core.lockdown.waiting import WaitingMessages
from core.machine.memory import MemoryReader, MemoryWatch
from core.names import shown, term
from core.store.lockdown import Hold, LedgerEntry, LedgerRepository, QueueRepository, manual_id
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from core.clock import Clock
    from core.config.lockdown import LockdownSection
    from core.hub import Hub
    from core.lockdown.answers import Responder
    from core.lockdown.steps import RouteSwitch, Step
    from core.store.lockdown import Kind
    from core.store.store import Store

_log = logging.getLogger(__name__)

IN_SESSION = "a voice session"
BY_HAND = "locked by hand"


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
        self.waiting = WaitingMessages(QueueRepository(store), section, clock, self._closed_in)
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
        await self._ledger.open(lambda hold: hold.by_hand and (hold.until is None or hold.until > now))
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

    def register(self, feature: Feature, *, owner: object) -> Handle:
        """Let a feature take part until the handle is ended. During a session it is locked at once.

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
        elif isinstance(feature.policy, QueuePolicy):
            self._answer_later(feature.name)
        task = self._tasks.start(self._ledger.adopt(feature.name, lambda: self._current_steps(feature.name)))
        self._adopting = [other for other in self._adopting if not other.done()] + [task]
        return Handle(lambda: self._take_away(new), f"feature {feature.name}")

    def unregister(self, owner: object) -> None:
        """Take the features of an owner away. What is owed to them waits until they are registered again."""
        for registered in [each for each in self._features.values() if each.owner is owner]:
            self._take_away(registered)

    def _take_away(self, registered: Registered) -> None:
        name = registered.feature.name
        if self._features.get(name) is registered:  # not if its owner was loaded anew meanwhile
            del self._features[name]
            self.waiting.halt(name)  # the answer that is under way belongs to the conversation, not to the cog

    async def settled(self) -> None:
        """Wait until every feature registered so far is locked or let go as it should be."""
        await asyncio.gather(*self._adopting, return_exceptions=True)

    # Asking -----------------------------------------------------------------------------------------------------------

    async def allows(self, name: str, subject: Any = None) -> bool:
        """Whether a feature may be used now; if not, its policy is applied.

        Args:
            name: The feature. One that nobody registered is allowed.
            subject: The message, command context or interaction that wants to use it, to be answered or queued.
        """
        registered = self._features.get(name)
        if registered is None:
            if name not in self._unknown:
                self._unknown.add(name)
                _log.warning("nobody registered the feature %r; it is allowed", name)
            return True
        if not self.locked(name, guild_id=server_of(subject)):
            return True
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
        server_id = server_of(subject)
        if registered is not None:
            registered.uses[server_id] += 1
        try:
            yield allowed
        finally:
            if registered is not None:
                registered.uses[server_id] -= 1

    def locked(self, name: str, *, guild_id: int | None = None) -> bool:
        """Whether a feature gives way now: on every server, or on this one; nobody is told anything."""
        registered = self._features.get(name)
        return registered is not None and (registered.locked or guild_id in self._closed_in(name))

    def locked_by_hand(self, name: str, *, guild_id: int | None = None) -> bool:
        """Whether somebody, and no session alone, has locked a feature: on every server, or on this one."""
        return any(hold.by_hand and hold.covers(name, guild_id) for hold in self._ledger.holds.values())

    def _closed_in(self, name: str) -> set[int]:
        """The servers whose administrators have locked a feature by hand, for themselves."""
        holds = self._ledger.holds.values()
        return {hold.server_id for hold in holds if hold.feature in (None, name) and hold.server_id is not None}

    async def _refuse(self, feature: Feature, subject: Any) -> None:
        policy = feature.policy
        server_id = server_of(subject)
        holders = [hold for hold in self._ledger.holds.values() if hold.covers(feature.name, server_id)]
        by_hand = bool(holders) and all(hold.by_hand for hold in holders)
        usual = (LOCKED_BY_HAND if by_hand else LOCKED).format(title=shown(feature.title))
        if subject is None:
            return
        if isinstance(policy, BlockPolicy):
            message = usual if by_hand and policy.message else policy.message
            await self._responder.answer(subject, message, policy.reaction)
        elif isinstance(policy, LockPolicy):
            await self._responder.answer(subject, usual if by_hand else policy.message or usual, "")
        elif is_interaction(subject):  # nothing can queue it, and Discord calls one failed that nobody answers
            await self._responder.answer(subject, usual, "")
        elif isinstance(policy, QueuePolicy):
            try:
                await self.waiting.push(feature.name, policy, message_of(subject))
            except StoreError:
                _log.exception("a message could not be kept for later")
                await self._responder.answer(subject, policy.dropped, "")
                return
            if not self.locked(feature.name, guild_id=server_id):  # unlocked while the message was being stored
                self._answer_later(feature.name)

    # Sessions and admins ----------------------------------------------------------------------------------------------

    async def engage(self, session_id: str, *, guild_id: int, channel_id: int) -> None:
        """Lock everything for a voice session: switch the route, call the hooks, close the doors, pause what runs.

        Raises:
            LockdownError: A required feature or hook failed, the route is not configured, or the ledger cannot be
                written; everything was undone.
        """
        hold = Hold(session_id, IN_SESSION, self._clock.now(), guild_id=guild_id, channel_id=channel_id)
        steps = session_steps(self._section, self._routes, self._hooks)
        steps += [step for registered in self._features.values() for step in self._steps_of(registered.feature)]
        try:
            await self._ledger.take(hold, steps)
        except ParleyError as error:
            raise LockdownError(f"The session cannot start: {error.sentence}") from error
        self.memory.start()

    async def release(self, session_id: str) -> None:
        """Undo what was done for a session, in the reverse order, as far as no other session needs it."""
        await self._release([session_id])
        if all(hold.by_hand for hold in self._ledger.holds.values()):
            self.memory.stop()

    async def lock(
        self,
        name: str | None = None,
        *,
        guild_id: int | None = None,
        duration_s: float | None = None,
        reason: str = BY_HAND,
    ) -> None:
        """Lock one feature, or all of them, by hand; survives restarts.

        Args:
            name: The feature; None for all, later ones included.
            guild_id: The server for whose people it is closed; nothing is paused then, since what runs is everybody's.
                None closes it on every server, and pauses it.
            duration_s: When it ends by itself; None never.
            reason: What status shows.

        Raises:
            LockdownError: There is no such feature, or a required one cannot be paused.
        """
        chosen = [each for each in self.features if name in (None, each.name)]
        if name is not None and not chosen:
            known = ", ".join(term(each) for each in sorted(self._features))
            raise LockdownError(f"There is no feature called “{term(name)}”. There are: {known}.")
        now = self._clock.now()
        until = None if duration_s is None else now + timedelta(seconds=duration_s)
        hold = Hold(manual_id(name, guild_id), reason, now, feature=name, guild_id=guild_id, until=until)
        steps = [step for feature in chosen for step in self._steps_of(feature)] if guild_id is None else []
        await self._ledger.take(hold, steps)
        self._expire_later(hold)

    async def unlock(self, name: str | None = None, *, guild_id: int | None = None) -> bool:
        """Take back what was locked by hand, of one server or for all of them; returns whether anything was."""
        holds = [hold for hold in self._ledger.holds.values() if hold.by_hand and hold.server_id == guild_id]
        mine = [hold.id for hold in holds if name is None or hold.id == manual_id(name, guild_id)]
        for id_ in mine:
            self._tasks.cancel(f"expire {id_}")
        await self._release(mine)
        return bool(mine)

    async def forget(self, kind: Kind, name: str) -> bool:
        """Give up an undo that cannot succeed any more, for example of a cog that is gone. Returns whether it was owed.

        Raises:
            StoreError: The ledger cannot be written.
        """
        return await self._ledger.forget((kind, name))

    async def status(self, *, guild_id: int | None = None) -> LockdownStatus:
        """Everything that is locked, owed or waiting, and the memories; or, of locks and queues, what one server sees."""
        seen = Seen(self._ledger, self.waiting, guild_id)
        return LockdownStatus(
            seen.holds(),
            seen.features(self._features.values()),
            seen.owed(),
            self.faults,
            None if self._routes is None else self._routes.current,
            await self.memory.read(),
        )

    @property
    def owed(self) -> Sequence[OwedUndo]:
        """The undos that failed or wait for their cog."""
        return Seen(self._ledger, self.waiting).owed()

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
        opened = [hold for id_ in holders if (hold := self._ledger.holds.get(id_)) and hold.server_id is not None]
        await self._ledger.release(holders)
        for name in self._features:
            if any(hold.covers(name, hold.server_id) for hold in opened):  # messages of that server may wait
                self._answer_later(name)
        for name in self._features:  # doors that were closed without the ledger, since it could not be written
            if not any(hold.covers(name) for hold in self._ledger.holds.values()):
                self._switch(name, False)

    def _steps_of(self, feature: Feature) -> list[Step]:
        return feature_steps(feature, self._switch, self._section.callback_timeout_s)

    def _current_steps(self, name: str) -> list[Step]:
        registered = self._features.get(name)
        return [] if registered is None else self._steps_of(registered.feature)

    def _resolve(self, entry: LedgerEntry) -> Step | None:
        """The step behind an entry as things are now: after a reload its feature has new callbacks."""
        if entry.kind == "hook":
            return HookStep.restored(self._hooks, entry, self._section.hooks)
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
            if registered is not None and not registered.locked and isinstance(registered.feature.policy, QueuePolicy):
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

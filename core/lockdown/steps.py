"""The things a session does to the rest of the bot, each with its undo."""

from __future__ import annotations

import asyncio
import inspect
import json
from typing import TYPE_CHECKING, Protocol

from core.errors import LockdownError
from core.lockdown.feature import PausePolicy
from core.lockdown.hooks import HookCall, Hooks
from core.names import shown, term

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from core.config.lockdown import HookSection, LockdownSection
    from core.lockdown.feature import Callback, Feature
    from core.store.lockdown import Kind, LedgerEntry

NO_HOOK = (
    "The hook “{name}” is to be called for unlocking, but [[lockdown.hooks]] has none of this name any more; it is "
    "called as soon as it is there again."
)
STAGES: tuple[Kind, ...] = ("route", "hook", "lock", "pause")  # the order of taking; undone in the reverse


class RouteSwitch(Protocol):
    """The model client, as far as the lockdown needs it."""

    @property
    def current(self) -> str:
        """Name of the route in use."""
        ...

    def use(self, name: str) -> object:
        """Take another route from now on; ModelError if there is none of this name."""
        ...


class Step(Protocol):
    """One thing that is done for holders and undone when the last of them is gone.

    Both must bear being called again: after a crash nobody knows how far the last call came.
    """

    kind: Kind
    name: str
    required: bool
    detail: str  # what `undo` needs to know after a restart

    async def apply(self) -> None:
        """Do it. LockdownError, or any other ParleyError, if it cannot be done."""
        ...

    async def undo(self) -> None:
        """Undo it. LockdownError, or any other ParleyError, if it cannot be undone."""
        ...


class RouteStep:
    """Switches the model route and remembers the one before."""

    kind: Kind = "route"
    required = True

    def __init__(self, routes: RouteSwitch, name: str, before: str) -> None:
        self.name = name
        self.detail = json.dumps(before)
        self._routes = routes
        self._before = before

    @classmethod
    def restored(cls, routes: RouteSwitch, entry: LedgerEntry) -> RouteStep:
        """The step as the ledger kept it."""
        return cls(routes, entry.name, json.loads(entry.detail))

    async def apply(self) -> None:
        """Use the session's route."""
        self._routes.use(self.name)

    async def undo(self) -> None:
        """Use the route that was in use before; somebody's choice in between stays."""
        if self._routes.current == self.name:
            self._routes.use(self._before)


class HookStep:
    """Sends the requests of one hook.

    The ledger keeps its name alone: an address, a header or a body may let somebody in, and lies in no database.
    """

    kind: Kind = "hook"
    detail = ""

    def __init__(self, hooks: Hooks, section: HookSection) -> None:
        self.name = section.name
        self.required = section.required
        self._hooks = hooks
        self._on_lock = HookCall.on_lock(section)
        self._on_unlock = HookCall.on_unlock(section)

    @classmethod
    def restored(cls, hooks: Hooks, entry: LedgerEntry, configured: Iterable[HookSection]) -> HookStep:
        """The step of a ledger entry, as the configuration describes its hook now.

        Raises:
            LockdownError: The configuration has no such hook any more.
        """
        for section in configured:
            if section.name == entry.name:
                return cls(hooks, section)
        raise LockdownError(NO_HOOK.format(name=term(entry.name)))

    async def apply(self) -> None:
        """Send the request for locking."""
        await self._hooks.call(self._on_lock)

    async def undo(self) -> None:
        """Send the request for unlocking."""
        await self._hooks.call(self._on_unlock)


class LockStep:
    """Closes a feature's door in this process; a restart opens it by itself."""

    kind: Kind = "lock"
    required = False
    detail = ""

    def __init__(self, name: str, switch: Callable[[str, bool], None]) -> None:
        self.name = name
        self._switch = switch

    async def apply(self) -> None:
        """Close it."""
        self._switch(self.name, True)

    async def undo(self) -> None:
        """Open it."""
        self._switch(self.name, False)


class PauseStep:
    """Calls a feature's own callbacks, with a time limit."""

    kind: Kind = "pause"
    detail = ""

    def __init__(self, feature: Feature, on_pause: Callback, on_resume: Callback, limit_s: float) -> None:
        self.name = feature.name
        self.required = feature.required
        self._title = feature.title
        self._on_pause = on_pause
        self._on_resume = on_resume
        self._limit_s = limit_s

    async def apply(self) -> None:
        """Pause the feature."""
        await self._call(self._on_pause, "paused")

    async def undo(self) -> None:
        """Let the feature go on."""
        await self._call(self._on_resume, "resumed")

    async def _call(self, callback: Callback, done: str) -> None:
        async def run() -> None:
            result = callback()
            if inspect.isawaitable(result):
                await result

        task = asyncio.create_task(run(), name=f"lockdown: {self.name} {done}")
        try:
            # not asyncio.timeout: a callback that swallows its cancellation must not hold up the session
            finished, _ = await asyncio.wait([task], timeout=self._limit_s)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not finished:
            task.cancel()
            task.add_done_callback(_look_at)
            raise LockdownError(f"“{shown(self._title)}” could not be {done} within {self._limit_s:g} s.")
        if task.cancelled():
            raise LockdownError(f"“{shown(self._title)}” could not be {done}: it was cancelled.")
        error = task.exception()
        if error is not None:
            raise LockdownError(f"“{shown(self._title)}” could not be {done} ({type(error).__name__}).") from error


def session_steps(section: LockdownSection, routes: RouteSwitch | None, hooks: Hooks) -> list[Step]:
    """What a session does besides locking features.

    Raises:
        LockdownError: A route is to be switched, and there is no model.
    """
    steps: list[Step] = []
    if section.route:
        if routes is None:
            raise LockdownError("[lockdown] route is set, but no model is configured.")
        steps.append(RouteStep(routes, section.route, routes.current))
    return [*steps, *(HookStep(hooks, hook) for hook in section.hooks)]


def feature_steps(feature: Feature, switch: Callable[[str, bool], None], limit_s: float) -> list[Step]:
    """What locking a feature for every server does."""
    steps: list[Step] = [LockStep(feature.name, switch)]
    if isinstance(feature.policy, PausePolicy):
        steps.append(PauseStep(feature, feature.policy.on_pause, feature.policy.on_resume, limit_s))
    return steps


def _look_at(task: asyncio.Task[None]) -> None:
    """Take a late failure, so that asyncio does not report it as forgotten; the timeout was reported already."""
    if not task.cancelled():
        task.exception()
